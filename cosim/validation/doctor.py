"""Checks of the machine and the installation: each is one line, with the remedy where it fails."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from cosim.errors import InputError
from cosim.mobility.cache import cache_folder, cache_problem
from cosim.mobility.programs import run_program
from cosim.quantity import digits
from cosim.resources import bundled

OLDEST_ARROW: Final = 23
"""Older builds of pyarrow share C++ symbols (GNU_UNIQUE) with the Arrow inside libsumo 1.28."""
ENOUGH_BYTE: Final = 2**30


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of a check: what was found, the remedy if it failed, and what a comparison with a law measured."""

    name: str
    ok: bool
    found: str
    fix: str = ""
    expected: float | None = None
    """What the law gives, in `unit`; None where nothing is compared with a law."""
    measured: float | None = None
    """What the model gives."""
    low: float | None = None
    """Lower end of the interval of `measured`; None for a number without spread."""
    high: float | None = None
    """Upper end."""
    error: float | None = None
    """Distance of both: in dB if that is the unit, else as a share of `expected`; 0 while a bound is kept."""
    unit: str = ""
    """SI unit of expected, measured, low and high; "" for shares and counts."""


def checks() -> Iterator[Check]:
    """Yield all checks of the installation, one after the other; none raises."""
    for check in (_python, _versions, _arrow, _sumo, _libsumo, _bundled, _cache, _disk, _memory):
        yield _guarded(check)


def _guarded(check: Callable[[], Check]) -> Check:
    try:
        return check()
    except (OSError, ValueError, InputError, subprocess.SubprocessError, PackageNotFoundError) as error:
        told = " ".join(f"{type(error).__name__}: {error}".split())
        return Check(check.__name__.strip("_"), ok=False, found=told, fix="install cosim again in a new environment")


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    return Check("python", sys.version_info >= (3, 11), found, "use Python 3.11 or newer")


def _versions() -> Check:
    found = {name: version(name) for name in ("eclipse-sumo", "libsumo", "traci", "sumolib")}
    told = ", ".join(f"{name} {number}" for name, number in found.items())
    wanted = found["eclipse-sumo"]
    return Check(
        "versions",
        set(found.values()) == {wanted},
        told,
        f"pip install libsumo=={wanted} traci=={wanted} sumolib=={wanted}",
    )


def _arrow() -> Check:
    found = version("pyarrow")
    new_enough = int(found.partition(".")[0]) >= OLDEST_ARROW
    return Check("pyarrow", new_enough, found, f"pip install 'pyarrow>={OLDEST_ARROW}' (for libsumo beside it)")


def _sumo() -> Check:
    printed = run_program("sumo", ["--version"], "doctor").strip().splitlines()
    return Check(
        "sumo", bool(printed), printed[0] if printed else "no answer", "pip install --force-reinstall eclipse-sumo"
    )


def _libsumo() -> Check:
    """Check libsumo in a process of its own: a broken library would end this one."""
    code = "import libsumo; print(libsumo.getVersion()[1])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    lines = (ended.stdout if ended.returncode == 0 else ended.stderr).strip().splitlines()
    return Check(
        "libsumo", ended.returncode == 0, lines[-1] if lines else "no answer", "pip install --force-reinstall libsumo"
    )


def _bundled() -> Check:
    missing = [name for name in ("scenarios", "sumo_maps") if not bundled(name).is_dir()]
    found = f"missing: {', '.join(missing)}" if missing else "scenarios and maps found"
    return Check("files", not missing, found, "install cosim again")


def _cache() -> Check:
    try:
        folder = cache_folder()
    except RuntimeError as error:  # no home folder
        return Check("cache", False, " ".join(str(error).split()), "set COSIM_CACHE to a folder of your own")
    problem = cache_problem(folder)
    return Check("cache", not problem, problem or f"{folder} is writable", "set COSIM_CACHE to a folder of your own")


def _disk() -> Check:
    free_byte = shutil.disk_usage(Path.cwd()).free
    return Check(
        "disk", free_byte > ENOUGH_BYTE, f"{digits(free_byte / 2**30)} GiB free here", "free 1 GiB for run folders"
    )


def _memory() -> Check:
    free_byte = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    info = Path("/proc/meminfo")
    if info.is_file():
        lines = dict(line.split(":", 1) for line in info.read_text(encoding="ascii").splitlines())
        free_byte = int(lines.get("MemAvailable", "0 kB").split()[0]) * 1024
    return Check(
        "memory",
        free_byte > ENOUGH_BYTE,
        f"{digits(free_byte / 2**30)} GiB available",
        "close programs: 1 GiB is needed",
    )
