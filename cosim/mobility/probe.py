"""A look at a map in a child process before libsumo loads it here: some damaged nets end any process that does."""

import logging
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from cosim.errors import InputError
from cosim.mobility.cache import cached
from cosim.mobility.catalog import MapFiles
from cosim.mobility.inputs import Inputs, read_inputs, traffic_key
from cosim.mobility.programs import ended_how, sumo_environment, sumo_home, sumo_version
from cosim.resources import bundled

logger = logging.getLogger(__name__)

_LONGEST_S: Final = 900.0
_CHILD: Final = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
import libsumo
libsumo.start(["sumo", *sys.argv[1:]])
libsumo.simulationStep()
libsumo.close()
"""
_FREE: Final = "--seed"
"""The option whose value does not decide whether SUMO survives a map."""


def see_it_loads(files: MapFiles, options: Sequence[str]) -> None:
    """Let a child load a map with libsumo and step once, unless one has survived this content before.

    The maps of the catalog need none. That a child survived is kept in the user's cache under the content of all files
    and the options but the seed; that one died is not, since it may have been for want of memory. What SUMO refuses
    with a message is left to the caller to find.

    Args:
        files: files of the map.
        options: SUMO's options.

    Raises:
        InputError: the child died, or did not end.
    """
    if _is_known(files):
        return
    inputs = read_inputs(files.inputs)
    key = traffic_key(_without_free(options), inputs, [sumo_version()])
    cached("loads", key, lambda _: _try(files, options, inputs))


def _is_known(files: MapFiles) -> bool:
    homes = (bundled("sumo_maps").resolve(), sumo_home().resolve())
    return files.net is not None and any(files.net.resolve().is_relative_to(home) for home in homes)


def _without_free(options: Sequence[str]) -> list[str]:
    pairs = zip(["", *options], options, strict=False)
    return [option for before, option in pairs if _FREE not in (before, option)]


def _try(files: MapFiles, options: Sequence[str], inputs: Inputs) -> None:
    status = _status(files, options)
    if status >= 0:
        return
    alone = _status(files, ["--net-file", str(files.net), "--no-step-log", "true", "--xml-validation.net", "never"])
    others = ", ".join(file.path.name for file in inputs.files if file.path != files.net)
    if alone < 0 or not others:
        raise InputError(
            f"map={files.name}: SUMO itself crashes when it loads {files.net} ({ended_how(min(alone, status))}): the "
            "net is damaged; build it again with netconvert"
        )
    raise InputError(
        f"map={files.name}: SUMO itself crashes when it loads {files.net} with {others} ({ended_how(status)}), not "
        "without: correct what is damaged there"
    )


def _status(files: MapFiles, options: Sequence[str]) -> int:
    command = [sys.executable, "-P", "-c", _CHILD, *options]
    quiet = subprocess.DEVNULL
    try:
        ended = subprocess.run(
            command, env=sumo_environment(), stdin=quiet, stdout=quiet, stderr=quiet, check=False, timeout=_LONGEST_S
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            f"map={files.name}: SUMO has not loaded {files.net} after {_LONGEST_S:g} s; use a smaller extract"
        ) from None
    logger.debug("map=%s: a child that loads it ends with %d", files.name, ended.returncode)
    return ended.returncode
