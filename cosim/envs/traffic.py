"""Traffic and sites that serve all episodes: a new episode starts no SUMO and reads no map."""

import tempfile
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

from cosim.mobility.cache import cached
from cosim.mobility.catalog import resolve_map
from cosim.mobility.connect import connect, placed_sites
from cosim.mobility.fcd import RecordedMobility
from cosim.mobility.inputs import read_inputs, traffic_key
from cosim.mobility.programs import sumo_version
from cosim.mobility.record import VERSION, last_tick, record_frames
from cosim.mobility.source import MobilitySource
from cosim.mobility.sumo import sumo_options
from cosim.roads.siting import PlacedSite
from cosim.scenario.schema import (
    LibsumoMobility,
    ListedSites,
    ReplayMobility,
    Scenario,
    Site,
    SyntheticMobility,
    TraciMobility,
)

_NAME = "recording.parquet"


def sites_of(scenario: Scenario, folder: Path) -> tuple[PlacedSite, ...]:
    """Return the sites of a scenario; its map is read only if they are not listed.

    Raises:
        InputError: the map is not there, or has no place for a site.
    """
    if isinstance(scenario.sites, ListedSites):
        return tuple(PlacedSite(**site.model_dump()) for site in scenario.sites.sites)
    return placed_sites(scenario, folder)


def with_listed_sites(scenario: Scenario, folder: Path) -> Scenario:
    """Return the scenario with its sites listed where they stand; its runs give the same facts.

    Raises:
        InputError: as `sites_of`.
    """
    sites = tuple(Site(**asdict(site)) for site in sites_of(scenario, folder))
    return scenario.model_copy(update={"sites": ListedSites(kind="listed", sites=sites)})


def lasting_traffic(scenario: Scenario, folder: Path) -> MobilitySource | None:
    """Return the scenario's traffic as a source that all episodes use; None if making it anew costs nothing.

    SUMO's traffic, of the scenario's own seed, is recorded once into the folder `traffic` of the user's cache
    (`cosim.mobility.cache`), under a key of all that shapes it: net, demand, SUMO's options with its seed, begin_s,
    length, SUMO's version. With mobility.cache off the recording is kept in memory alone. A frame does not depend on
    the frames read before it, so that one source serves all episodes, one after the other.

    Raises:
        InputError: SUMO refuses the map, or the recording is not usable.
        RunError: libsumo already runs a simulation in this process.
    """
    mobility = scenario.mobility
    if isinstance(mobility, SyntheticMobility):
        return None
    if isinstance(mobility, ReplayMobility):
        return connect(mobility, scenario.map, folder, scenario.seed, scenario.duration_s)
    if mobility.cache:
        kept = cached("traffic", _key(scenario, mobility, folder), partial(_record, scenario, folder))
        return _replay(scenario, kept / _NAME)
    with tempfile.TemporaryDirectory(prefix="cosim-") as home:
        _record(scenario, folder, Path(home))
        return _replay(scenario, Path(home) / _NAME)


def _key(scenario: Scenario, mobility: LibsumoMobility | TraciMobility, folder: Path) -> str | None:
    files = resolve_map(scenario.map, folder)
    options = sumo_options(files, mobility, scenario.seed)
    ticks = last_tick(scenario.duration_s, mobility.step_s)
    words = [repr(mobility.begin_s), str(ticks), sumo_version(), str(VERSION)]
    return traffic_key(options, read_inputs(files.inputs), words)


def _record(scenario: Scenario, folder: Path, home: Path) -> None:
    source = connect(scenario.mobility, scenario.map, folder, scenario.seed, scenario.duration_s)
    with closing(source):
        record_frames(source, scenario.duration_s, home / _NAME)


def _replay(scenario: Scenario, path: Path) -> RecordedMobility:
    mobility = ReplayMobility(kind="replay", file=str(path), step_s=scenario.mobility.step_s)
    return RecordedMobility(path, mobility, scenario.duration_s)
