"""States come in many small bundles; a forecaster learns best from all that came since it was last asked."""

import numpy as np

from cosim.twin.forecast import Forecast, MotionForecaster
from cosim.types import FloatArray, IntArray


class Gathered:
    """A forecaster that is told what came in one go, before it is asked or a vehicle leaves."""

    def __init__(self, forecaster: MotionForecaster) -> None:
        self._forecaster = forecaster
        self._heard: list[tuple[IntArray, FloatArray, FloatArray, FloatArray, FloatArray]] = []

    def observe(
        self,
        numbers: IntArray,
        time_s: float | FloatArray,
        xy_m: FloatArray,
        speed_mps: FloatArray,
        heading_deg: FloatArray,
    ) -> None:
        """See MotionForecaster."""
        times_s = np.broadcast_to(np.asarray(time_s, dtype=np.float64), numbers.shape)
        self._heard.append((numbers, times_s, xy_m, speed_mps, heading_deg))

    def at(self, time_s: float, numbers: IntArray) -> Forecast:
        """See MotionForecaster."""
        self._settle()
        return self._forecaster.at(time_s, numbers)

    def forget(self, numbers: IntArray) -> None:
        """See MotionForecaster."""
        self._settle()
        self._forecaster.forget(numbers)

    def _settle(self) -> None:
        """Pass on what was heard; of a vehicle that was heard twice the earlier state goes first."""
        if not self._heard:
            return
        states = [np.concatenate(columns) for columns in zip(*self._heard, strict=True)]
        self._heard.clear()
        while len(states[0]):
            first = np.sort(np.unique(states[0], return_index=True)[1])
            self._forecaster.observe(*(column[first] for column in states))
            states = [np.delete(column, first, axis=0) for column in states]
