"""A trial of all forecasters on the traffic of a map or a scenario, with their default options."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from cosim.errors import InputError
from cosim.mobility.catalog import list_maps, resolve_map
from cosim.mobility.connect import NO_MAP, connect
from cosim.scenario.load import load
from cosim.scenario.schema import Scenario
from cosim.scenario.traffic import LibsumoMobility, Mobility, ReplayMobility
from cosim.scenario.twin_forecast import MotionForecast
from cosim.twin.forecast import KINDS, make_forecaster
from cosim.twin.score import Score, score

SETTLE_S: Final = 60.0
"""So long the forecasters learn before their forecasts count."""


def trial(
    what: str, overrides: Sequence[str], horizons_s: Sequence[float], sync_s: float, seconds: float, seed: int
) -> list[Score]:
    """Scores all forecasters that the map allows; without roads there is none along them.

    Args:
        what: a map's name or folder, its traffic is taken from when the map is filled; or a scenario.
        overrides: of a scenario, as `mobility.step_s=0.5`.
        horizons_s: multiples of the traffic's step, as is `sync_s`.
        sync_s: time between two states of a vehicle.
        seconds: traffic watched after the first 60 s.
        seed: of a map's traffic.

    Raises:
        InputError: there is no such map or scenario, or a time is no multiple of the step.
        RunError: the source of traffic broke.
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
        return score(forecasters, source, ticks, horizons_s, sync_s, SETTLE_S)


def _chosen(what: str, overrides: Sequence[str], seed: int, seconds: float) -> tuple[Scenario, Path]:
    """The scenario and the folder that its paths start from; of a map, one with its traffic alone."""
    if what in [entry.name for entry in list_maps()] or Path(what).is_dir():
        if overrides:
            raise InputError(f"--set {overrides[0]}: goes with a scenario, {what} is a map; name a YAML file")
        files = resolve_map(what, Path())
        mobility: Mobility = LibsumoMobility(begin_s=files.begin_s)
        if files.net is None:
            mobility = ReplayMobility(kind="replay")
        return Scenario(name="trial", map=what, duration_s=seconds, seed=seed, mobility=mobility), Path()
    loaded = load(what, overrides)
    return loaded.scenario, loaded.folder
