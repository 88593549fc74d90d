"""The provenance of a run: what was run, with which versions, on what kind of machine, and what came out."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from cosim.errors import InputError
from cosim.scenario.identity import as_json, identity, run_id
from cosim.scenario.schema import Scenario
from cosim.trace.store.durable import sync_folder, write_durably

PROVENANCE = "provenance.json"
_PACKAGES = (
    "simpy",
    "libsumo",
    "traci",
    "eclipse-sumo",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "duckdb",
    "networkx",
    "pydantic",
)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that can change a result; "" where one is not installed."""
    own = {"python": platform.python_version(), "cosim": _version("cosim-vec")}
    return own | {package: _version(package) for package in _PACKAGES}


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def machine() -> dict[str, Any]:
    """Return the kind of machine, without its name: system, architecture, processor model, processors, memory."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "processor": model,
        "processors": os.cpu_count(),
        "memory_byte": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }


@dataclass(frozen=True, slots=True)
class Provenance:
    """The content of provenance.json, written once at the start as `running` and again at the end."""

    run_id: str
    """Name of the scenario and hash of its identity."""
    scenario: Mapping[str, Any]
    """The whole scenario, defaults included, as plain values."""
    seed: int
    policy: str
    started: str
    """Wall clock at the start, ISO 8601."""
    status: Literal["running", "partial", "complete"] = "running"
    digest: str = ""
    """Digest of the trace (`TraceWriter.digest`); empty while the run goes on and without a trace."""
    digests: Mapping[str, str] = field(default_factory=dict)
    facts: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    versions: Mapping[str, str] = field(default_factory=versions)
    machine: Mapping[str, Any] = field(default_factory=machine)
    files: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of each file that shapes traffic, sites or arrivals, by its name in the map folder: net, routes, what
    they include, recording, sites, arrivals; "" of one that is named and not there. Empty in older runs."""
    identity: str = ""
    """The text whose hash is in the run id: what of the scenario differs from the defaults; empty in older runs."""


def new_provenance(scenario: Scenario, started: str, files: Mapping[str, str] | None = None) -> Provenance:
    """Return the provenance of a run of a scenario at its start.

    Args:
        scenario: the scenario.
        started: wall clock at the start, ISO 8601.
        files: SHA-256 of the files that the scenario names.
    """
    text = identity(scenario)
    return Provenance(
        run_id=run_id(scenario.name, text),
        scenario=as_json(scenario),
        seed=scenario.seed,
        policy=scenario.policy.name,
        started=started,
        files=dict(files or {}),
        identity=text,
    )


def content_differs(before: Any, now: Any) -> str:
    """Return the names of files that differ between two runs' `Provenance.files`; "" if none does.

    Where one of the two tells nothing, as runs of older versions do, nothing is known to differ.

    >>> content_differs({"a": "1", "b": "2"}, {"a": "1", "b": "3"})
    'b'
    """
    if not (before and now and isinstance(before, Mapping) and isinstance(now, Mapping)):
        return ""
    names = dict.fromkeys((*before, *now))
    return ", ".join(str(name) for name in names if before.get(name) != now.get(name))


def write_provenance(folder: Path, provenance: Provenance) -> None:
    """Write provenance.json into a run folder, whole or not at all.

    Raises:
        OSError: the disk refuses; an older provenance.json is kept.
    """
    text = json.dumps(asdict(provenance), indent=1, ensure_ascii=False)
    write_durably(folder / PROVENANCE, lambda sink: sink.write(text.encode()))
    sync_folder(folder)


def read_provenance(folder: Path) -> Provenance:
    """Return the provenance of a run folder.

    Raises:
        InputError: there is none, or it is broken.
    """
    path = folder / PROVENANCE
    try:
        return Provenance(**json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give the folder that `cosim run --out` wrote") from error
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: broken ({' '.join(str(error).split())}); run the scenario again") from error
