"""What is stated of all twins at the run's samples: ages, messages, and how wrong they are."""

import numpy as np

from cosim.kernel.clock import Clock
from cosim.mobility.source import MobilityFrame
from cosim.trace.facts.twin import TwinSampled
from cosim.trace.store.writer import FactWriter
from cosim.twin.forecast import MotionForecaster
from cosim.twin.mirror import Mirror
from cosim.twin.sync import Synchronisation
from cosim.twin.task_demand import TaskDemand
from cosim.types import FloatArray, IntArray


class Census:
    """Samples of all twins. Errors are those of the last tick, over the vehicles that were on the road then."""

    def __init__(
        self,
        clock: Clock,
        mirror: Mirror,
        sync: Synchronisation,
        message_bit: float,
        forecaster: MotionForecaster | None,
        demand: TaskDemand,
        facts: FactWriter,
    ) -> None:
        self._clock = clock
        self._mirror = mirror
        self._sync = sync
        self._message_bit = message_bit
        self._forecaster = forecaster
        self._demand = demand
        self._record = facts.recorder(TwinSampled)

    def sample(self, frame: MobilityFrame) -> None:
        """One sample.

        Args:
            frame: of the last tick.
        """
        now, ages, sync = self._clock.now, self._mirror.ages, self._sync
        ages.settle(now)
        numbers = frame.numbers
        oldest_s = float(now - self._mirror.generated_s(numbers).min()) if len(numbers) else np.nan
        seen = frame.on_road
        known = self._mirror.known(numbers[seen])
        self._record(
            now,
            ages.twins,
            ages.mean_s,
            oldest_s,
            ages.twin_s,
            ages.age_s2,
            sync.sent,
            sync.received,
            sync.lost,
            sync.sent * self._message_bit,
            _mean(_distance_m(known.xy_m, frame.xy_m[seen])),
            *self._forecast_errors(frame.time_s, numbers[seen], frame.xy_m[seen]),
            self._demand.error_per_s,
            self._demand.bound_per_s,
        )

    def _forecast_errors(self, time_s: float, numbers: IntArray, true_m: FloatArray) -> tuple[float, float, float]:
        """Mean, 95 % quantile, and share inside the disc; NaN while nobody forecasts."""
        if self._forecaster is None or not len(numbers):
            return np.nan, np.nan, np.nan
        forecast = self._forecaster.at(time_s, numbers)
        error_m = _distance_m(forecast.xy_m, true_m)
        known = ~np.isnan(error_m)
        if not known.any():
            return np.nan, np.nan, np.nan
        inside = error_m[known] <= forecast.radius_m[known]
        return _mean(error_m), float(np.quantile(error_m[known], 0.95)), float(inside.mean())


def _distance_m(first_m: FloatArray, second_m: FloatArray) -> FloatArray:
    distance: FloatArray = np.hypot(*(first_m - second_m).T)
    return distance


def _mean(values: FloatArray) -> float:
    """Of those that are known; a twin that attached off the road has no place."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan
