"""The accuracy of forecasts: their error against the later traffic, and the share of errors inside the stated discs.

A vehicle's error is the distance in the plane between forecast and truth; a vehicle that left or is being teleported
when the forecast is due has none. The first seconds, in which a forecaster knows nothing of its errors, do not count.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import TypeAdapter

from cosim.errors import InputError
from cosim.mobility.catalog import list_maps, resolve_map
from cosim.mobility.connect import NO_MAP, connect
from cosim.mobility.source import MobilityFrame, MobilitySource
from cosim.scenario.load import load
from cosim.scenario.schema import Scenario
from cosim.scenario.traffic import LibsumoMobility, Mobility, ReplayMobility
from cosim.scenario.twin_forecast import MotionForecast
from cosim.twin.forecast import KINDS, Forecast, MotionForecaster, make_forecaster
from cosim.types import FloatArray, IntArray

SETTLE_S: Final = 60.0
"""Time for which the forecasters learn before their forecasts count."""


@dataclass(frozen=True, slots=True)
class Score:
    """The accuracy of a forecaster at a horizon."""

    kind: str
    """Kind of forecaster, as `twin.forecast.kind`."""
    horizon_s: float
    """Time from the state to the forecast."""
    forecasts: int
    """Number of errors."""
    mean_m: float
    """Mean error."""
    p50_m: float
    """Median error."""
    p95_m: float
    """95 % quantile of the errors."""
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


def score_source(
    forecasters: Mapping[str, MotionForecaster],
    source: MobilitySource,
    ticks: int,
    horizons_s: Sequence[float],
    sync_s: float,
    settle_s: float,
) -> list[Score]:
    """Drive the source for `ticks` and score each forecaster at each horizon, in this order.

    Every `sync_s` all states are given to the forecasters, at once and without delay, and from them the traffic at each
    horizon is forecast.

    Args:
        forecasters: forecasters by kind.
        source: source of traffic, before its first tick.
        ticks: number of ticks.
        horizons_s: multiples of the source's step.
        sync_s: time between two states of a vehicle, a multiple of the step.
        settle_s: time before which forecasts do not count.
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
    """Return errors and stated radii of the vehicles that are still on the road."""
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


def score_forecasters(
    what: str, overrides: Sequence[str], horizons_s: Sequence[float], sync_s: float, seconds: float, seed: int
) -> list[Score]:
    """Score all forecasters, with their default options, on the traffic of a map or a scenario.

    Without roads the forecaster along roads is left out.

    Args:
        what: a map's name or folder, whose traffic begins when the map is filled; or a scenario.
        overrides: changes to a scenario, as `mobility.step_s=0.5`.
        horizons_s: multiples of the traffic's step, as is `sync_s`.
        sync_s: time between two states of a vehicle.
        seconds: duration of the traffic after the first `SETTLE_S`.
        seed: seed of a map's traffic.

    Raises:
        InputError: there is no such map or scenario, or a time is no multiple of the step.
        RunError: the source of traffic failed.
    """
    scenario, folder = _chosen(what, overrides, seed, seconds)
    mobility = scenario.mobility
    for name, value_s in (*(("--horizons", horizon_s) for horizon_s in horizons_s), ("--sync", sync_s)):
        steps = value_s / mobility.step_s
        if not 1 <= steps < 1e6 or abs(steps - round(steps)) > 1e-6:
            raise InputError(f"{name}: {value_s:g} s is no multiple of mobility.step_s={mobility.step_s:g}; give one")
    net = None if scenario.map == NO_MAP else resolve_map(scenario.map, folder).net
    sections: TypeAdapter[MotionForecast] = TypeAdapter(MotionForecast)
    forecasters = {
        kind: make_forecaster(sections.validate_python({"kind": kind}), net)
        for kind in KINDS
        if net is not None or kind != "map"
    }
    duration_s = SETTLE_S + seconds + max(horizons_s)
    with closing(connect(mobility, scenario.map, folder, scenario.seed, duration_s)) as source:
        ticks = round(duration_s / mobility.step_s) + 1
        return score_source(forecasters, source, ticks, horizons_s, sync_s, SETTLE_S)


def _chosen(what: str, overrides: Sequence[str], seed: int, seconds: float) -> tuple[Scenario, Path]:
    """Return the scenario and the folder that its paths start from; for a map, a scenario with its traffic alone."""
    if what in [entry.name for entry in list_maps()] or Path(what).is_dir():
        if overrides:
            raise InputError(f"--set {overrides[0]}: goes with a scenario, {what} is a map; name a YAML file")
        files = resolve_map(what, Path())
        mobility: Mobility = LibsumoMobility(begin_s=files.begin_s, **dict(files.traffic))
        if files.net is None:
            mobility = ReplayMobility(kind="replay")
        return Scenario(name="trial", map=what, duration_s=seconds, seed=seed, mobility=mobility), Path()
    loaded = load(what, overrides)
    return loaded.scenario, loaded.folder
