"""How good forecasts are: their error against the traffic that really came, and what the stated discs hold.

A vehicle's error is the distance in the plane between forecast and truth; a vehicle that left or is being teleported
when the forecast is due has none. The first seconds, in which a forecaster knows nothing of its errors, do not count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cosim.mobility.source import MobilityFrame, MobilitySource
from cosim.twin.forecast import Forecast, MotionForecaster
from cosim.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Score:
    """A forecaster at a horizon."""

    kind: str
    horizon_s: float
    forecasts: int
    mean_m: float
    p50_m: float
    p95_m: float
    held: float
    """Share of the errors inside the stated disc."""
    radius_m: float
    """Mean radius of the disc."""


@dataclass(frozen=True, slots=True)
class _Pending:
    kind: str
    horizon_s: float
    numbers: IntArray
    forecast: Forecast


def score(
    forecasters: Mapping[str, MotionForecaster],
    source: MobilitySource,
    ticks: int,
    horizons_s: Sequence[float],
    sync_s: float,
    settle_s: float,
) -> list[Score]:
    """Drives the source for `ticks` and scores each forecaster at each horizon, in this order.

    Every `sync_s` all states are given to the forecasters, at once and without delay, and from them the traffic at
    each horizon is forecast. Horizons and `sync_s` are multiples of the source's step.
    """
    errors: dict[tuple[str, float], list[tuple[FloatArray, FloatArray]]] = {
        (kind, horizon_s): [] for kind in forecasters for horizon_s in horizons_s
    }
    pending: dict[int, list[_Pending]] = {}
    every = round(sync_s / source.step_s)
    for tick in range(ticks):
        frame = source.advance(tick)
        for due in pending.pop(tick, []):
            if frame.time_s - due.horizon_s >= settle_s:
                errors[due.kind, due.horizon_s].append(_missed(due, frame))
        for forecaster in forecasters.values():
            forecaster.forget(frame.left)
        if tick % every:
            continue
        on_road = frame.on_road
        numbers = frame.numbers[on_road]
        state = frame.xy_m[on_road], frame.speed_mps[on_road], frame.heading_deg[on_road]
        for kind, forecaster in forecasters.items():
            forecaster.observe(numbers, frame.time_s, *state)
            for horizon_s in horizons_s:
                made = _Pending(kind, horizon_s, numbers, forecaster.at(frame.time_s + horizon_s, numbers))
                pending.setdefault(tick + round(horizon_s / source.step_s), []).append(made)
    return [_summary(kind, horizon_s, parts) for (kind, horizon_s), parts in errors.items()]


def _missed(due: _Pending, frame: MobilityFrame) -> tuple[FloatArray, FloatArray]:
    """Errors and stated radii of the vehicles that are still on the road."""
    on_road = frame.on_road
    _, here, there = np.intersect1d(due.numbers, frame.numbers[on_road], assume_unique=True, return_indices=True)
    error_m = np.hypot(*(due.forecast.xy_m[here] - frame.xy_m[on_road][there]).T)
    return error_m, due.forecast.radius_m[here]


def _summary(kind: str, horizon_s: float, parts: list[tuple[FloatArray, FloatArray]]) -> Score:
    error_m, radius_m = (np.concatenate([part[side] for part in parts] or [np.empty(0)]) for side in (0, 1))
    if not len(error_m):
        return Score(kind, horizon_s, 0, *[float("nan")] * 5)
    middle, high = np.percentile(error_m, [50, 95])
    held = float((error_m <= radius_m).mean())
    mean_m, wide_m = float(error_m.mean()), float(radius_m.mean())
    return Score(kind, horizon_s, len(error_m), mean_m, float(middle), float(high), held, wide_m)
