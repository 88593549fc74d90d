"""From a scenario to its source of traffic and to the positions of its sites."""

import logging
from contextlib import closing
from pathlib import Path

from cosim.errors import InputError
from cosim.kernel.rng import stream
from cosim.mobility.catalog import net_of, resolve_map
from cosim.mobility.fcd import RecordedMobility
from cosim.mobility.source import MobilitySource
from cosim.mobility.sumo import SumoMobility, check_end
from cosim.mobility.synthetic import SyntheticRoads
from cosim.roads.net import Bounds, read_bounds
from cosim.roads.siting import PlacedSite, place_sites
from cosim.scenario.schema import Scenario
from cosim.scenario.traffic import LibsumoMobility, Mobility, ReplayMobility, SyntheticMobility, TraciMobility

logger = logging.getLogger(__name__)

NO_MAP = "synthetic"
"""Value of the scenario's `map` that stands for no map."""


def connect(mobility: Mobility, map_name: str, folder: Path, seed: int, duration_s: float) -> MobilitySource:
    """Open the source of traffic of a scenario.

        >>> import cosim
        >>> loaded = cosim.load("per_task")
        >>> scenario = loaded.scenario
        >>> source = connect(scenario.mobility, scenario.map, loaded.folder, scenario.seed, scenario.duration_s)
        >>> len(source.advance(0).numbers)
        60
        >>> source.close()

    Args:
        mobility: section of the scenario.
        map_name: the scenario's `map`; a replay takes its bounds from it, if it names a map.
        folder: folder that relative paths start from, the scenario file's.
        seed: seed of the scenario.
        duration_s: duration of the run.

    Raises:
        InputError: map, recording or options cannot be used.
        RunError: libsumo already runs a simulation in this process.
    """
    logger.debug("traffic: %s, map %s", mobility.kind, map_name)
    match mobility:
        case LibsumoMobility() | TraciMobility():
            live = resolve_map(map_name, folder)
            check_end(mobility, live, duration_s)
            return SumoMobility(live, mobility, seed)
        case ReplayMobility(file=file):
            files = None if map_name == NO_MAP else resolve_map(map_name, folder)
            recording = (folder / file) if file is not None else None if files is None else files.recording
            if recording is None:
                raise InputError(
                    f"mobility.file: not given, and map={map_name} has no recording of its own; "
                    "make one by `cosim map record MAP`, or name a file"
                )
            net = None if files is None else files.net
            bounds_m = None if net is None else read_bounds(net)
            return RecordedMobility(recording, mobility, duration_s, bounds_m, net)
        case SyntheticMobility():
            return SyntheticRoads(mobility, stream(seed, "mobility"))


def placed_sites(scenario: Scenario, folder: Path, bounds_m: Bounds | None = None) -> tuple[PlacedSite, ...]:
    """Return the sites of a scenario in order of their numbers, without starting SUMO.

        >>> import cosim
        >>> loaded = cosim.load("per_task")
        >>> [(site.name, site.x_m, site.y_m) for site in cosim.placed_sites(loaded.scenario, loaded.folder)]
        [('rsu0', 200.0, 150.0), ('rsu1', 600.0, 150.0), ('rsu2', 1000.0, 150.0)]

    Args:
        scenario: scenario whose sites are placed.
        folder: folder that relative paths start from.
        bounds_m: smallest x, smallest y, largest x, largest y of the traffic, where it is open already; None: read from
            the map or the recording.

    Raises:
        InputError: the map does not exist, or the scenario places no site on it, or one off it.
    """
    mobility = scenario.mobility
    by_sumo = isinstance(mobility, LibsumoMobility | TraciMobility)
    on_map = scenario.sites.kind in ("roads", "map") and not isinstance(mobility, SyntheticMobility)
    files = resolve_map(scenario.map, folder) if on_map or (by_sumo and bounds_m is None) else None
    if bounds_m is None:
        if by_sumo and files is not None:
            bounds_m = read_bounds(net_of(files))
        else:
            with closing(connect(mobility, scenario.map, folder, scenario.seed, scenario.duration_s)) as source:
                bounds_m = source.bounds_m
    net, sites_file = (None, None) if files is None else (files.net, files.sites)
    sites = place_sites(scenario.sites, net, bounds_m, sites_file)
    if not sites:
        raise InputError("sites: the scenario places no site on this map; lower sites.spacing_m or list sites")
    return sites
