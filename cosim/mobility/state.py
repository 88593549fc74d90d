"""The traffic before a run's clock starts, computed once by SUMO and kept as a saved state."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from cosim.errors import InputError
from cosim.mobility.cache import cache_folder, cached, content_key
from cosim.mobility.catalog import MapFiles, net_of
from cosim.mobility.programs import run_program, sumo_version
from cosim.scenario.traffic import LibsumoMobility, TraciMobility

_NAME = "state.xml.gz"
_RESTORED = ("sumo:a10kw",)
"""Maps that start from a saved state; all others are driven, because SUMO does not restore all of its traffic."""
logger = logging.getLogger(__name__)


@contextmanager
def traffic_at(options: list[str], files: MapFiles, mobility: LibsumoMobility | TraciMobility) -> Iterator[Path | None]:
    """Yield a state file to start SUMO with; None if the map is to be driven to begin_s step by step.

    That is the rule: a SUMO 1.28 that starts from a saved state goes on as another one, on real roads within seconds,
    or dies. `sumo:a10kw` alone still starts from a state. SUMO cannot load a state with a vehicle that --scale has
    doubled, once the first of the two has left and taken the route of both along. SUMO always starts from the file,
    also the first time, because a state holds 16 digits and not the exact numbers. Without mobility.cache it is in a
    temporary folder.

    Args:
        options: SUMO's command-line options.
        files: files of the map.
        mobility: section of the scenario.

    Raises:
        InputError: SUMO refuses the map.
    """
    if files.name not in _RESTORED or mobility.begin_s == 0 or mobility.scale > 1.0:
        yield None
    elif mobility.cache:
        yield cached(_place(options, files, mobility.begin_s), partial(_compute, options, files.name, mobility))
    else:
        with tempfile.TemporaryDirectory(prefix="cosim-") as folder:
            state = Path(folder) / _NAME
            _compute(options, files.name, mobility, state)
            yield state


def _place(options: list[str], files: MapFiles, begin_s: float) -> Path:
    inputs = (net_of(files), *files.routes, *files.additional)
    paths = {str(files.net), ",".join(map(str, files.routes)), ",".join(map(str, files.additional))}
    words = [option for option in options if option not in paths]
    key = content_key(inputs, [*words, repr(begin_s), sumo_version()])
    return cache_folder() / "states" / key / _NAME


def _compute(options: list[str], map_name: str, mobility: LibsumoMobility | TraciMobility, state: Path) -> None:
    if ":" in str(state):
        raise InputError(f"SUMO cannot write {state}, a colon means a socket to it; set COSIM_CACHE to another folder")
    begin_s, step_s = mobility.begin_s, mobility.step_s
    logger.info("computing the traffic up to t=%g s; the next run finds it in the cache", begin_s)
    saving = ["--save-state.times", f"{begin_s:.3f}", "--save-state.files", str(state)]
    saving += ["--save-state.rng", "--save-state.precision", "16", "--end", f"{begin_s + step_s:.3f}"]
    run_program("sumo", [*options, *saving], f"map={map_name}: the traffic before mobility.begin_s")
