"""The manifest of a run: the list of its committed parts. A file that it does not name was never committed."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from cosim.errors import InputError, one_line
from cosim.scenario.document import shown
from cosim.trace.facts.run import SCHEMA_VERSION
from cosim.trace.store.durable import sync_folder, write_durably
from cosim.trace.store.schemas import DIGESTED, NO_ROWS
from cosim.trace.store.sealed import Seal, read_sealed, sealed_text, type_problems

MANIFEST = "manifest.json"
_MAX_ROWS: Final = 2**27
"""Bound of the rows of a part, far above what a writer keeps in memory: a check must not fail for want of it."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One committed Parquet file."""

    kind: str
    file: str
    """Path inside the run folder."""
    rows: int
    first_seq: int
    last_seq: int
    sha256: str = ""
    """SHA-256 of its bytes; empty in older runs."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The state of a run and the parts that it has committed so far."""

    schema_version: int
    state: Literal["running", "partial", "complete"]
    """`running` while the run goes on, and for ever if it was killed."""
    complete_to_s: float
    """Simulated time before which all facts are in the parts."""
    digests: Mapping[str, str]
    """SHA-256 of the rows of each kind that has some; in schema 2 also of kinds without rows."""
    parts: tuple[StoredFile, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the bytes of the other files that belong to the run, by their paths inside the run folder."""
    origin: str = ""
    """SHA-256 of what provenance.json has said since the start; empty in older runs, and before there is one."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that have parts."""
        return tuple(dict.fromkeys(part.kind for part in self.parts))

    def digest_of(self, kind: str) -> str:
        """Return the SHA-256 of the rows of a kind, which may have none."""
        return self.digests.get(kind, NO_ROWS)

    def write(self, folder: Path) -> None:
        """Replace the manifest of a run folder, durably and at once, with the hash of its values.

        Raises:
            OSError: the disk refuses; the old manifest is kept.
        """
        text = sealed_text(asdict(self))
        write_durably(folder / MANIFEST, lambda sink: sink.write(text.encode()))
        sync_folder(folder)


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a run folder.

    Raises:
        InputError: no run folder, a broken or changed manifest, or one of another schema.
    """
    manifest, seal = stored_manifest(folder)
    if seal is Seal.BROKEN:
        raise InputError(
            f"{folder / MANIFEST}: was changed: its values do not fit its sha256; take it from an untouched copy or "
            f"run the scenario again (`cosim trace verify {folder}` says more)"
        )
    return manifest


def stored_manifest(folder: Path) -> tuple[Manifest, Seal]:
    """Return the manifest of a run folder as it stands, and whether its values are those that were written.

    Raises:
        InputError: no run folder, a broken manifest, or one of another schema.
    """
    path = folder / MANIFEST
    try:
        stored = read_sealed(path)
        _see_schema(path, stored.values.get("schema_version"))
        problem = next(_problems(stored.values), None)  # those that follow may rest on what the first denies
        if problem is not None:
            raise ValueError(problem)
    except OSError as error:
        raise InputError(
            f"{folder}: not a run folder ({MANIFEST}: {error.strerror}); give the folder that `cosim run --out` wrote"
        ) from error
    except ValueError as error:
        raise InputError(f"{path}: broken ({one_line(error)}); run the scenario again") from error
    parts = tuple(StoredFile(**part) for part in stored.values["parts"])
    manifest = Manifest(**{**stored.values, "parts": parts})
    later = manifest.origin or manifest.files or any(part.sha256 for part in parts)
    return manifest, Seal.BROKEN if stored.seal is Seal.NONE and later else stored.seal


def _see_schema(path: Path, version: Any) -> None:
    if type(version) is int and version not in DIGESTED:
        raise InputError(
            f"{path}: schema_version={shown(version)}, this program reads {min(DIGESTED)} to {SCHEMA_VERSION}; "
            "read it with the version named in provenance.json"
        )


def _problems(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what keeps the values of a file from being a manifest."""
    yield from type_problems(Manifest, values)
    if values["complete_to_s"] < 0:
        yield f"complete_to_s is {values['complete_to_s']}, expected is a time of at least 0 s"
    parts = values["parts"]
    if not isinstance(parts, list):
        yield f"parts is {shown(parts)}, expected is a list"
        return
    for number, part in enumerate(parts):
        yield from (f"parts[{number}]: {problem}" for problem in _part_problems(part))
    files = [part["file"] for part in parts]
    if len(set(files)) < len(files):
        twice = next(file for file in files if files.count(file) > 1)
        yield f"parts: {shown(twice)} is named twice"
    outside = next((name for name in values.get("files", ()) if not _is_inside(name)), None)
    if outside is not None:
        yield f"files: {shown(outside)} is no path inside the run folder"


def _part_problems(part: Any) -> Iterator[str]:
    yield from type_problems(StoredFile, part)
    kind, file, rows, first, last = (part[name] for name in ("kind", "file", "rows", "first_seq", "last_seq"))
    if not kind.isidentifier():  # it becomes the name of a view and of a file
        yield f"kind {shown(kind)} is no name"
    name = file.removeprefix(f"{kind}/")
    if name == file or not _is_inside(name) or "/" in name:
        yield f"file {shown(file)} is no file in the folder of its kind {shown(kind)}"
    if not (first >= 0 and 1 <= rows <= min(_MAX_ROWS, last - first + 1)):
        yield f"{rows} rows do not fit into first_seq={first} to last_seq={last}"


def _is_inside(path: str) -> bool:
    return path.isprintable() and not path.startswith("/") and not {"", ".", ".."} & set(path.split("/"))
