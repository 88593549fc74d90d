"""The user's cache folder, for files that can be computed again."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path


def cache_folder() -> Path:
    """Return $COSIM_CACHE, else $XDG_CACHE_HOME/cosim, else ~/.cache/cosim."""
    if own := os.environ.get("COSIM_CACHE"):
        return Path(own)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "cosim"
    return Path.home() / ".cache" / "cosim"


def content_key(files: Iterable[Path], words: Iterable[str]) -> str:
    """Return a hash of the content of files, in order, and of words; paths do not count."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    for word in words:
        digest.update(b"\0" + word.encode())
    return digest.hexdigest()[:32]


def cached(target: Path, build: Callable[[Path], None]) -> Path:
    """Return `target`, built first if it does not exist.

    `build` is given a path in a temporary folder, which is then renamed: two processes may build at once, and an
    interruption leaves nothing behind under the target's name.
    """
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".building-") as folder:
            draft = Path(folder) / target.name
            build(draft)
            draft.replace(target)
    return target
