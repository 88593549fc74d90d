"""The manifest of a run: the list of its committed parts. A file that it does not name was never committed."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from cosim.errors import InputError
from cosim.trace.facts.run import SCHEMA_VERSION
from cosim.trace.store.durable import sync_folder, write_durably
from cosim.trace.store.schemas import DIGESTED, NO_ROWS

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One committed Parquet file."""

    kind: str
    file: str
    """Path inside the run folder."""
    rows: int
    first_seq: int
    last_seq: int


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

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that have parts."""
        return tuple(dict.fromkeys(part.kind for part in self.parts))

    def digest_of(self, kind: str) -> str:
        """Return the SHA-256 of the rows of a kind, which may have none."""
        return self.digests.get(kind, NO_ROWS)

    def write(self, folder: Path) -> None:
        """Replace the manifest of a run folder, durably and at once.

        Raises:
            OSError: the disk refuses; the old manifest is kept.
        """
        text = json.dumps(asdict(self), indent=1)
        write_durably(folder / MANIFEST, lambda sink: sink.write(text.encode()))
        sync_folder(folder)


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a run folder.

    Raises:
        InputError: no run folder, a broken manifest, or one of another schema.
    """
    path = folder / MANIFEST
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        manifest = Manifest(**{**data, "parts": tuple(_stored_file(part) for part in data["parts"])})
        _see_types(manifest)
    except OSError as error:
        raise InputError(
            f"{folder}: not a run folder ({MANIFEST}: {error.strerror}); give the folder that `cosim run --out` wrote"
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: broken ({' '.join(str(error).split())}); run the scenario again") from error
    if manifest.schema_version not in DIGESTED:
        raise InputError(
            f"{path}: schema_version={manifest.schema_version}, this program reads {min(DIGESTED)} to "
            f"{SCHEMA_VERSION}; read it with the version named in provenance.json"
        )
    return manifest


def _see_types(manifest: Manifest) -> None:
    digests, parts = manifest.digests, manifest.parts
    sound = {
        "schema_version": type(manifest.schema_version) is int,
        "state": manifest.state in ("running", "partial", "complete"),
        "complete_to_s": type(manifest.complete_to_s) in (int, float),
        "digests": isinstance(digests, Mapping) and all(isinstance(digest, str) for digest in digests.values()),
        "files": isinstance(manifest.files, Mapping) and all(isinstance(one, str) for one in manifest.files.values()),
        "file": all(isinstance(part.file, str) for part in parts),
        **{name: all(type(getattr(part, name)) is int for part in parts) for name in ("rows", "first_seq", "last_seq")},
    }
    wrong = ", ".join(name for name, fits in sound.items() if not fits)
    if wrong:
        raise ValueError(f"wrong type or value: {wrong}")


def _stored_file(part: Mapping[str, Any]) -> StoredFile:
    if not str(part["kind"]).isidentifier():  # it becomes the name of a view and of a file
        raise ValueError(f"kind {part['kind']!r} is no name")
    return StoredFile(**part)
