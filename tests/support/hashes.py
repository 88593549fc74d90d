"""The hashes in a run folder that a test has edited: computed anew, or taken away as if an older cosim wrote it."""

import hashlib
import json
from pathlib import Path
from typing import Any

from cosim.trace.store.manifest import MANIFEST
from cosim.trace.store.provenance import PROVENANCE, origin_of
from cosim.trace.store.sealed import SEAL, sealed_text


def rehashed(run: Path) -> Path:
    """Give files, manifest and provenance the hashes of what they hold now, as an author would who knows how."""
    manifest = _values(run / MANIFEST)
    for part in manifest["parts"]:
        if (run / part["file"]).is_file():
            part["sha256"] = hashlib.sha256((run / part["file"]).read_bytes()).hexdigest()
    if (run / PROVENANCE).is_file():
        said = _values(run / PROVENANCE)
        (run / PROVENANCE).write_text(sealed_text(said))
        manifest["origin"] = origin_of(said)
    (run / MANIFEST).write_text(sealed_text(manifest))
    return run


def without_hashes(run: Path) -> Path:
    """Make a run folder that of a cosim whose manifest and provenance had no hashes."""
    manifest = _values(run / MANIFEST)
    for name in manifest.pop("files"):
        (run / name).unlink()
    del manifest["origin"]
    for part in manifest["parts"]:
        del part["sha256"]
    (run / MANIFEST).write_text(json.dumps(manifest, indent=1))
    (run / PROVENANCE).write_text(json.dumps(_values(run / PROVENANCE), indent=1, ensure_ascii=False))
    return run


def _values(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    found.pop(SEAL, None)
    return found
