"""The user's cache: what can be computed again, kept under a key with a hash of its content, and gone without."""

import hashlib
import logging
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Final

from cosim.locks import DRAFTS, take_lock

logger = logging.getLogger(__name__)

_SEAL: Final = ".sha256"
"""Name of the file beside an entry's content that holds its hash."""
_PATIENCE_S: Final = 10.0


def cache_folder() -> Path:
    """Return $COSIM_CACHE, else $XDG_CACHE_HOME/cosim, else ~/.cache/cosim.

    Raises:
        RuntimeError: none of these is set, and the user has no home folder.
    """
    if own := os.environ.get("COSIM_CACHE"):
        return Path(own).absolute()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared).absolute() / "cosim"
    return Path.home() / ".cache" / "cosim"


def content_key(words: Iterable[str]) -> str:
    """Return a hash of words, in their order."""
    digest = hashlib.sha256()
    for word in words:
        digest.update(f"{len(word)}:{word},".encode())
    return digest.hexdigest()[:32]


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def cached(kind: str, key: str | None, build: Callable[[Path], None]) -> Path:
    """Return a folder with what `build` makes, out of the user's cache if it is there and whole.

    An entry is used only if it is this user's and its content has the hash that was kept with it; one that is damaged
    is built again and replaced. Where the cache cannot be written or is not the user's, the folder is a temporary one
    that lasts as long as this process, and one line of the log says so. Entries appear whole or not at all, also if
    two processes build one at once.

    Args:
        kind: folder of the cache.
        key: all that shapes the content, by `content_key`; None: nothing may be kept.
        build: fills an empty folder.
    """
    home = None if key is None else _usable_folder()
    if home is not None and key is not None and _is_whole(home / kind / key, key):
        return home / kind / key
    own = _own_folder(os.getpid())
    if key is not None and _is_whole(own / kind / key, key):
        return own / kind / key
    draft = Path(tempfile.mkdtemp(prefix=DRAFTS, dir=own))
    try:
        build(draft)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    if key is None:
        return draft
    _seal(draft, key)
    if home is not None and _publish(draft, home, home / kind / key, key):
        shutil.rmtree(draft, ignore_errors=True)
        return home / kind / key
    entry = own / kind / key
    entry.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(entry, ignore_errors=True)
    return draft.rename(entry)


def cache_problem(folder: Path) -> str:
    """Return why a folder cannot be the cache; "" if it can. It is made if it is not there."""
    if "," in str(folder):
        return "SUMO parts its lists of files at commas"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        owner = folder.stat().st_uid
        if owner != os.geteuid():
            return f"it belongs to another user, number {owner}"
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return str(error.strerror or error).lower()


def _usable_folder() -> Path | None:
    try:
        folder = cache_folder()
    except RuntimeError as error:  # no home folder
        _go_without("of the user", " ".join(str(error).split()).rstrip("."))
        return None
    problem = cache_problem(folder)
    if problem:
        _go_without(str(folder), problem)
    return None if problem else folder


@cache
def _go_without(folder: str, reason: str) -> None:
    """Say once what is the matter."""
    logger.warning(
        "the cache %s cannot be used (%s); this run goes on without it: what it would hold is computed each time; "
        "set COSIM_CACHE to a folder of your own",
        folder,
        reason,
    )


@cache
def _own_folder(process: int) -> Path:
    """Return a temporary folder of this process, which goes with it."""
    folder = tempfile.mkdtemp(prefix=f"cosim-{process}-")
    Finalize(None, shutil.rmtree, args=(folder,), kwargs={"ignore_errors": True}, exitpriority=1)
    return Path(folder)


def _hashes(entry: Path) -> str:
    """Return one line for each file of an entry: hash and path; the seal is left out.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds something that is no plain file of this user.
    """
    lines = []
    for path in sorted(entry.rglob("*")):
        about = path.lstat()
        if about.st_uid != os.geteuid() or not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):
            raise ValueError(f"{path} is no file of this user's")
        if stat.S_ISREG(about.st_mode) and path != entry / _SEAL:
            lines.append(f"{file_hash(path)}  {path.relative_to(entry)}\n")
    return "".join(lines)


def _seal(entry: Path, key: str) -> None:
    (entry / _SEAL).write_text(f"{key}\n{_hashes(entry)}", encoding="utf-8")


def _is_whole(entry: Path, key: str) -> bool:
    """Return whether an entry is there, this user's, of this key, and as it was when it was made."""
    try:
        about = entry.lstat()
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid():
            return False
        return (entry / _SEAL).read_bytes() == f"{key}\n{_hashes(entry)}".encode()
    except (OSError, ValueError):
        return False


def _publish(draft: Path, home: Path, entry: Path, key: str) -> bool:
    """Copy a sealed draft into the cache; return False if it cannot be written.

    Whoever holds the lock is alone in replacing entries, so that a whole one is never taken away from a process that
    has just checked it, and drafts that it finds are left over from processes that were killed.
    """
    try:
        with _locked(home) as alone:
            if not alone:
                return False
            if _is_whole(entry, key):
                return True
            for left in home.glob(f"{DRAFTS}*"):
                shutil.rmtree(left, ignore_errors=True)
            entry.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=DRAFTS, dir=home, ignore_cleanup_errors=True) as folder:
                copy = shutil.copytree(draft, Path(folder) / "new")
                if entry.exists() or entry.is_symlink():
                    logger.info("the cache's %s is damaged and built again", entry)
                    entry.rename(Path(folder) / "old")
                copy.rename(entry)
        return True
    except OSError as error:
        _go_without(str(home), str(error.strerror or error).lower())
        return False


@contextmanager
def _locked(home: Path) -> Iterator[bool]:
    """Hold the cache's lock for a moment; yield False if another process keeps it."""
    until_s = time.monotonic() + _PATIENCE_S
    while (lock := take_lock(home)) is None and time.monotonic() < until_s:
        time.sleep(0.02)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            lock.release(remove=False)
