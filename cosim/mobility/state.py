"""The traffic before a run's clock starts, computed once by SUMO and kept as a saved state."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from cosim.errors import InputError
from cosim.mobility.cache import cached
from cosim.mobility.catalog import MapFiles
from cosim.mobility.inputs import read_inputs, traffic_key
from cosim.mobility.programs import run_program, sumo_version
from cosim.scenario.traffic import LibsumoMobility, TraciMobility

_NAME = "state.xml.gz"
logger = logging.getLogger(__name__)


@contextmanager
def traffic_at(options: list[str], files: MapFiles, mobility: LibsumoMobility | TraciMobility) -> Iterator[Path | None]:
    """Yield a state file to start SUMO with; None if the map is empty at begin_s, or has to be filled step by step.

    The latter where there is a configuration, because SUMO does not restore the end that flows take from it, and where
    the demand is scaled up: SUMO 1.28 cannot load a state with a vehicle that --scale has doubled,
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
    if files.configuration is not None or mobility.begin_s == 0 or mobility.scale > 1.0:
        yield None
    elif mobility.cache:
        key = traffic_key(options, read_inputs(files.inputs), [repr(mobility.begin_s), sumo_version()])
        yield cached("states", key, partial(_compute, options, files, mobility)) / _NAME
    else:
        with tempfile.TemporaryDirectory(prefix="cosim-") as folder:
            _compute(options, files, mobility, Path(folder))
            yield Path(folder) / _NAME


def _compute(options: list[str], files: MapFiles, mobility: LibsumoMobility | TraciMobility, folder: Path) -> None:
    state = folder / _NAME
    if ":" in str(state):
        raise InputError(f"SUMO cannot write {state}, a colon means a socket to it; set TMPDIR to another folder")
    begin_s, step_s = mobility.begin_s, mobility.step_s
    logger.info("computing the traffic up to t=%g s; the next run finds it in the cache", begin_s)
    saving = ["--save-state.times", f"{begin_s:.3f}", "--save-state.files", str(state)]
    saving += ["--save-state.rng", "--save-state.precision", "16", "--end", f"{begin_s + step_s:.3f}"]
    run_program("sumo", [*options, *saving], f"map={files.name}: the traffic before mobility.begin_s on {files.net}")
