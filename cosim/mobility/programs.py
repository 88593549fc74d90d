"""SUMO's own programs and maps, as the installed package eclipse-sumo brings them."""

import logging
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from cosim.errors import InputError

logger = logging.getLogger(__name__)

_LONGEST = 300


def sumo_home() -> Path:
    """Return SUMO's folder with `bin`, `data` and `tools`; the package's own, whatever SUMO_HOME says.

    Raises:
        InputError: the package eclipse-sumo is not installed.
    """
    spec = find_spec("sumo")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("SUMO is not installed; install the package eclipse-sumo")
    return Path(spec.submodule_search_locations[0])


def sumo_version() -> str:
    """Return the version of SUMO's programs."""
    return version("eclipse-sumo")


def sumo_environment() -> dict[str, str]:
    """Return the environment that SUMO's programs need: without PROJ_LIB they complain that proj.db is missing."""
    home = sumo_home()
    return {**os.environ, "SUMO_HOME": str(home), "PROJ_LIB": str(home / "data" / "proj")}


def run_program(name: str, options: list[str], purpose: str) -> str:
    """Run a program of SUMO's `bin` to its end and return what it printed.

    Args:
        name: name of the program, such as `netconvert`.
        options: command-line options.
        purpose: beginning of the error's line.

    Raises:
        InputError: it failed; the line carries SUMO's own message.
    """
    return _run([str(sumo_home() / "bin" / name), *options], name, purpose)


def run_tool(name: str, options: list[str], purpose: str) -> str:
    """Run a Python script of SUMO's `tools` to its end and return what it printed.

    Args:
        name: path of the script below `tools`, such as `randomTrips.py`.
        options: command-line options.
        purpose: beginning of the error's line.

    Raises:
        InputError: it failed; the line carries SUMO's own message.
    """
    return _run([sys.executable, str(sumo_home() / "tools" / name), *options], name, purpose)


def _run(command: list[str], name: str, purpose: str) -> str:
    begun_s = time.perf_counter()
    ended = subprocess.run(
        command, env=sumo_environment(), stdin=subprocess.DEVNULL, capture_output=True, check=False, text=True
    )
    printed = ended.stdout + ended.stderr
    logger.debug("%s: %s ended with %d after %.3f s", purpose, name, ended.returncode, time.perf_counter() - begun_s)
    if ended.returncode != 0:
        reason = first_error(printed) or ended_how(ended.returncode)
        raise InputError(f"{purpose}: {name} failed: {reason}")
    return printed


def ended_how(status: int) -> str:
    """Return how a program ended, from its exit status, negative where a signal has killed it.

    >>> ended_how(-11), ended_how(3)
    ('killed by signal 11 (SIGSEGV)', 'exit status 3')
    """
    if status >= 0:
        return f"exit status {status}"
    name = {one.value: f" ({one.name})" for one in signal.Signals}.get(-status, "")
    return f"killed by signal {-status}{name}"


def first_error(printed: str) -> str:
    """Return SUMO's first error in what it printed, with its continuation lines, as one line; empty if none."""
    lines = [line.strip() for line in printed.splitlines()]
    errors = [k for k, line in enumerate(lines) if line.startswith("Error:")]
    if not errors:
        return lines[-1][:_LONGEST] if lines and lines[-1].startswith(("Traceback", "KeyError", "OSError")) else ""
    first = errors[0]
    told = [lines[first].removeprefix("Error:").strip()]
    for line in lines[first + 1 :]:
        if not line or line.startswith(("Error:", "Warning:", "Quitting")):
            break
        told.append(line)
    return " ".join(told)[:_LONGEST]
