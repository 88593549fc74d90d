"""The provenance of a run: what was run, with which versions, on what kind of machine, and what came out."""

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from cosim.errors import InputError, one_line
from cosim.scenario.identity import as_json, identity, run_id
from cosim.scenario.schema import Scenario
from cosim.trace.store.durable import sync_folder, write_durably
from cosim.trace.store.manifest import MANIFEST, Manifest
from cosim.trace.store.sealed import Seal, hash_of, read_sealed, sealed_text, type_problems

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
_IN_IDENTITY = ("run_id", "at_s", "repeated_to_s")
_AT_END = ("status", "digest", "digests", "facts", "wall_s", "cpu_s", "cpu_by_layer_s")
"""Fields that the end of a run changes."""


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
    cpu_by_layer_s: Mapping[str, float] = field(default_factory=dict)
    """CPU time by layer, of a run with a profile; empty of others and in older runs."""
    versions: Mapping[str, str] = field(default_factory=versions)
    machine: Mapping[str, Any] = field(default_factory=machine)
    files: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of each file that shapes traffic, sites or arrivals, by its name in the map folder: net, routes, what
    they include, recording, sites, arrivals; "" of one that is named and not there. Empty in older runs."""
    identity: str = ""
    """The text whose hash is in the run id: what of the scenario differs from the defaults; empty in older runs."""
    folder: str = ""
    """Folder that relative paths of the scenario start from, as seen from the run folder; empty in older runs."""
    policy_file: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the file that the policy is read from, by its path as seen from the run folder; empty for one that is
    known by a name alone."""
    parent: Mapping[str, Any] = field(default_factory=dict)
    """Of a fork, the run whose past it has: `run_id`, `policy`, `digest`; `at_s`, from which on it is a run of its own;
    `repeated_to_s`, up to which decisions are repeated and the policy is not asked. Empty for other runs."""

    @property
    def forked(self) -> dict[str, Any]:
        """What of the parent is part of the identity; empty for a run that is no fork."""
        return {name: self.parent.get(name) for name in _IN_IDENTITY} if self.parent else {}


def new_provenance(
    scenario: Scenario,
    started: str,
    files: Mapping[str, str] | None = None,
    folder: str = "",
    policy_file: Mapping[str, str] | None = None,
    parent: Mapping[str, Any] | None = None,
) -> Provenance:
    """Return the provenance of a run of a scenario at its start.

    Args:
        scenario: the scenario.
        started: wall clock at the start, ISO 8601.
        files: SHA-256 of the files that the scenario names.
        folder: folder that its relative paths start from, as seen from the run folder.
        policy_file: SHA-256 of the file that the policy is read from, by its path, likewise.
        parent: of a fork, as `Provenance.parent`.
    """
    said = Provenance(
        run_id="",
        scenario=as_json(scenario),
        seed=scenario.seed,
        policy=scenario.policy.name,
        started=started,
        files=dict(files or {}),
        folder=folder,
        policy_file=dict(policy_file or {}),
        parent=dict(parent or {}),
    )
    text = identity(scenario, said.forked)
    return replace(said, run_id=run_id(scenario.name, text), identity=text)


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


def origin_of(values: Mapping[str, Any]) -> str:
    """Return the hash of what a provenance has said since the start of its run, by which the run's manifest names it.

    Args:
        values: the values of provenance.json.
    """
    return hash_of({name: value for name, value in values.items() if name not in _AT_END})


def write_provenance(folder: Path, provenance: Provenance) -> None:
    """Write provenance.json into a run folder, whole or not at all, with the hash of its values.

    Raises:
        OSError: the disk refuses; an older provenance.json is kept.
    """
    text = sealed_text(asdict(provenance))
    write_durably(folder / PROVENANCE, lambda sink: sink.write(text.encode()))
    sync_folder(folder)


@dataclass(frozen=True, slots=True)
class StoredProvenance:
    """The values in a provenance.json as they stand, whatever they are."""

    values: Mapping[str, Any]
    seal: Seal
    problems: tuple[str, ...]
    """Fields that are missing or unknown, or that hold values of another type."""

    def unlike(self, manifest: Manifest | None) -> str:
        """Return why it is not what was written, for the run of a manifest if one is given; "" if it is."""
        if self.seal is Seal.BROKEN:
            return "its values were changed: they do not fit its sha256"
        if manifest is None:
            return ""
        if self.seal is Seal.NONE:
            return f"its sha256 is missing, which {MANIFEST} tells of" if manifest.origin else ""
        if not manifest.origin:
            return f"its run is not that of {MANIFEST}, which names no provenance" if manifest.parts else ""
        if manifest.origin != origin_of(self.values):
            return f"its run is not that of {MANIFEST}, which names the provenance of another"
        return ""


def stored_provenance(folder: Path) -> StoredProvenance:
    """Return what provenance.json of a run folder holds, changed or not.

    Raises:
        InputError: there is none, or it is no JSON mapping.
    """
    path = folder / PROVENANCE
    try:
        stored = read_sealed(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give the folder that `cosim run --out` wrote") from error
    except ValueError as error:
        raise InputError(f"{path}: broken ({one_line(error)}); run the scenario again") from error
    return StoredProvenance(stored.values, stored.seal, tuple(type_problems(Provenance, stored.values)))


def read_provenance(folder: Path, manifest: Manifest | None = None) -> Provenance:
    """Return the provenance of a run folder.

    Args:
        folder: the run folder.
        manifest: its manifest, if it is to be that of the same run.

    Raises:
        InputError: there is none, it is broken or was changed, or it is that of another run.
    """
    stored = stored_provenance(folder)
    path = folder / PROVENANCE
    if stored.problems:
        raise InputError(f"{path}: broken ({one_line(stored.problems[0])}); run the scenario again")
    problem = stored.unlike(manifest)
    if problem:
        raise InputError(
            f"{path}: {problem}; take it from an untouched copy or run the scenario again "
            f"(`cosim trace verify {folder}` says more)"
        )
    return Provenance(**stored.values)
