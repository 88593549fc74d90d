"""The traffic before a run's clock starts, computed once by SUMO and kept as a saved state."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from cosim.errors import InputError
from cosim.mobility.cache import cache_folder, cached, content_key
from cosim.mobility.catalog import MapFiles
from cosim.mobility.inputs import opened_files
from cosim.mobility.link import SumoError
from cosim.mobility.programs import sumo_version
from cosim.mobility.traci_link import TraciLink
from cosim.scenario.traffic import LibsumoMobility, TraciMobility

_NAME = "state.xml.gz"
_PATIENCE_S = 3600.0
logger = logging.getLogger(__name__)


@contextmanager
def traffic_at(options: list[str], files: MapFiles, mobility: LibsumoMobility | TraciMobility) -> Iterator[Path | None]:
    """Yield a state file to start SUMO with; None if the map is empty at begin_s, or has to be filled step by step.

    The latter where the demand is scaled up: SUMO 1.28 cannot load a state with a vehicle that --scale has doubled,
    once the first of the two has left and taken the route of both along. SUMO always starts from the file, also the
    first time, because a state holds 16 digits and not the exact numbers. Without mobility.cache it is in a temporary
    folder.

    Args:
        options: SUMO's command-line options.
        files: files of the map.
        mobility: section of the scenario.

    Raises:
        InputError: SUMO refuses the map.
    """
    if mobility.begin_s == files.start_s or mobility.scale > 1.0:
        yield None
    elif mobility.cache:
        yield cached(_place(options, files, mobility.begin_s), partial(_compute, options, files.name, mobility))
    else:
        with tempfile.TemporaryDirectory(prefix="cosim-") as folder:
            state = Path(folder) / _NAME
            _compute(options, files.name, mobility, state)
            yield state


def _place(options: list[str], files: MapFiles, begin_s: float) -> Path:
    words = [*files.without_paths(options), repr(begin_s), sumo_version()]
    key = content_key(opened_files(files.inputs), words)
    return cache_folder() / "states" / key / _NAME


def _compute(options: list[str], map_name: str, mobility: LibsumoMobility | TraciMobility, state: Path) -> None:
    if ":" in str(state):
        raise InputError(f"SUMO cannot write {state}, a colon means a socket to it; set COSIM_CACHE to another folder")
    begin_s, step_s = mobility.begin_s, mobility.step_s
    logger.info("computing the traffic up to t=%g s; the next run finds it in the cache", begin_s)
    saving = ["--save-state.times", f"{begin_s:.3f}", "--save-state.files", str(state)]
    saving += ["--save-state.rng", "--save-state.precision", "16"]
    # Not by --end: SUMO spreads a flow that has a number of vehicles and no end over the time until --end.
    try:
        with closing(TraciLink([*options, *saving], None, _PATIENCE_S)) as sumo:
            sumo.advance_to(begin_s + step_s)
    except SumoError as lost:
        raise InputError(f"map={map_name}: the traffic before mobility.begin_s: sumo failed: {lost}") from lost
