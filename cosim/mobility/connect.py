"""From a scenario's mobility section to the source of traffic that it describes."""

from pathlib import Path

from cosim.errors import InputError
from cosim.kernel.rng import stream
from cosim.mobility.catalog import resolve_map
from cosim.mobility.fcd import RecordedMobility
from cosim.mobility.source import MobilitySource
from cosim.mobility.sumo import SumoMobility
from cosim.mobility.synthetic import SyntheticRoads
from cosim.roads.net import read_bounds
from cosim.scenario.traffic import LibsumoMobility, Mobility, ReplayMobility, SyntheticMobility, TraciMobility

NO_MAP = "synthetic"
"""Value of the scenario's `map` that names none."""


def connect(mobility: Mobility, map_name: str, folder: Path, seed: int, duration_s: float) -> MobilitySource:
    """Opens the source of traffic.

    Args:
        mobility: the scenario's section.
        map_name: the scenario's `map`; a replay takes its bounds from it, if it names a map.
        folder: that relative paths start from, the scenario file's.
        seed: of the scenario.
        duration_s: of the run.

    Raises:
        InputError: map, recording or options are not usable.
        RunError: libsumo already runs a simulation in this process.
    """
    match mobility:
        case LibsumoMobility() | TraciMobility():
            return SumoMobility(resolve_map(map_name, folder), mobility, seed)
        case ReplayMobility(file=file):
            files = None if map_name == NO_MAP else resolve_map(map_name, folder)
            recording = (folder / file) if file is not None else None if files is None else files.recording
            if recording is None:
                raise InputError(
                    f"mobility.file: not given, and map={map_name} has no recording of its own; "
                    "make one by `cosim map record MAP`, or name a file"
                )
            bounds_m = None if files is None or files.net is None else read_bounds(files.net)
            return RecordedMobility(recording, mobility, duration_s, bounds_m)
        case SyntheticMobility():
            return SyntheticRoads(mobility, stream(seed, "mobility"))
