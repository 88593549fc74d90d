"""Locks: folders that one process at a time writes into, and drafts that become a file or a folder at once.

The locks are the kernel's (flock), on a file of their own: nothing is left of them when the process is gone, in
whatever way. `<folder>/.lock` is held by a living writer; without a holder the file is a leftover and means nothing.
"""

import errno
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from cosim.errors import InputError

LOCK: Final = ".lock"
DRAFTS: Final = ".building-"
"""Beginning of the names of hidden folders in which something is made; dead ones are removed by the next command."""
SCRATCH: Final = ".tmp"
"""End of the names of hidden files that are being written."""
_TRIES: Final = 100
_FRESH_S: Final = 60.0
_MOST_LETTERS: Final = 50  # four bytes each at most: a file's name may have 255


class FolderLock:
    """The lock of a folder, until it is released or the process ends.

    Attributes:
        folder: the folder.
        made: whether the lock's file was not there before.
        sure: whether the file system has locks; without them `made` is all that is known of others.
    """

    __slots__ = ("_handle", "folder", "made", "sure")

    def __init__(self, folder: Path, handle: int, *, made: bool, sure: bool) -> None:
        self.folder = folder
        self.made = made
        self.sure = sure
        self._handle: int | None = handle

    def share(self) -> bool:
        """Let others share it from now on; return whether it still holds."""
        return self._handle is not None and _flock(self._handle, fcntl.LOCK_SH) is not False

    def release(self, *, remove: bool) -> None:
        """Let go; a second call does nothing.

        Args:
            remove: remove the lock's file too, unless others share it.
        """
        if self._handle is None:
            return
        if remove and _flock(self._handle, fcntl.LOCK_EX) is not False:
            with suppress(OSError):
                if _is_at(self._handle, self.folder / LOCK):
                    (self.folder / LOCK).unlink()
        os.close(self._handle)
        self._handle = None

    def __del__(self) -> None:
        self.release(remove=False)


def take_lock(folder: Path, *, shared: bool = False) -> FolderLock | None:
    """Lock a folder that exists; return None if another has locked it.

    Args:
        folder: the folder.
        shared: share it with others who do.

    Raises:
        OSError: the folder is not there or cannot be written.
    """
    path = folder / LOCK
    for _ in range(_TRIES):
        opened = _open(path)
        if opened is None:
            continue
        handle, made = opened
        locked = _flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        if locked is not False and _is_at(handle, path):
            return FolderLock(folder, handle, made=made, sure=locked is True)
        os.close(handle)
        if locked is False:
            return None
    return None


def make_folders(folder: Path) -> list[Path]:
    """Make a folder, and those above it, as far as they are missing; return those that this call made, innermost first.

    Raises:
        OSError: one cannot be made, or is a file.
    """
    above: list[Path] = []
    try:
        folder.mkdir()
    except FileNotFoundError:
        above = make_folders(folder.parent)
        try:
            folder.mkdir(exist_ok=True)  # another may have been quicker
        except OSError:
            remove_empty(above)
            raise
    except FileExistsError:
        if not folder.is_dir():
            raise
        return []
    return [folder, *above]


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders, as far as nothing is in them."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def is_leftover(name: str) -> bool:
    """Return whether a file or folder of this name is only what a writer holds, or what is left of a killed one.

    >>> is_leftover(".lock"), is_leftover(".report.html.tmp"), is_leftover("thesis.tmp")
    (True, True, False)
    """
    return name == LOCK or name.startswith(DRAFTS) or (name.startswith(".") and name.endswith(SCRATCH))


@contextmanager
def drafting(target: Path, option: str) -> Iterator[Path]:
    """Yield a path at which a file or a folder is to be made; it becomes `target` at the end, or nothing is left of it.

    A file replaces an older one; a folder does not. Of several processes that make one folder at once the first to end
    wins. What a kill leaves is hidden, and removed by the next call for the same parent folder.

    Args:
        target: the file or folder.
        option: option of the command line that names it, for messages.

    Raises:
        InputError: it cannot be written there, or a folder of this name has come meanwhile.
    """
    parent = target.parent
    try:
        made = make_folders(parent)
        _remove_dead(parent)
        lock = _locked_draft(parent)
    except OSError as error:
        reason = str(error.strerror or error).lower()
        raise InputError(f"{target}: cannot be written: {reason}; give another {option}") from error
    done = False
    try:
        draft = lock.folder / target.name
        yield draft
        _put(draft, target, option)
        done = True
    finally:
        shutil.rmtree(lock.folder, ignore_errors=True)
        lock.release(remove=False)
        if not done:
            remove_empty(made)


def open_scratch(path: Path) -> tuple[Path, BinaryIO]:
    """Return a hidden file beside `path`, open and empty, which no other process writes to.

    A leftover of a killed process is used again.

    Raises:
        OSError: the folder cannot be written.
    """
    stem = f".{path.name[:_MOST_LETTERS]}"
    for number in range(_TRIES):
        scratch = path.with_name(f"{stem}{f'.{number}' if number else ''}{SCRATCH}")
        opened = _open(scratch)
        if opened is None:  # another has put it into its place
            continue
        handle, ours = opened
        locked = _flock(handle, fcntl.LOCK_EX)
        if (locked or (locked is None and ours)) and _is_at(handle, scratch):
            os.ftruncate(handle, 0)
            return scratch, os.fdopen(handle, "wb")
        os.close(handle)
    raise OSError(errno.EBUSY, "Too many processes write there", str(path))


def _open(path: Path) -> tuple[int, bool] | None:
    """Open a file for writing; return the handle and whether this call has made it, or None if it has just gone."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), True
    except FileExistsError:
        with suppress(FileNotFoundError):
            return os.open(path, os.O_RDWR | os.O_CLOEXEC), False
    return None


def _flock(handle: int, kind: int) -> bool | None:
    """Take a lock without waiting; return False if another has it, None if the file system has no locks."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_at(handle: int, path: Path) -> bool:
    """Return whether an open file is still the one of that name."""
    try:
        there = path.stat()
    except OSError:
        return False
    ours = os.fstat(handle)
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def _locked_draft(parent: Path) -> FolderLock:
    for _ in range(_TRIES):
        folder = parent / f"{DRAFTS}{secrets.token_hex(4)}"
        try:
            folder.mkdir()
            lock = take_lock(folder)
        except (FileExistsError, FileNotFoundError):  # another's, or taken for a dead one
            if not parent.is_dir():
                raise
            continue
        if lock is not None:
            return lock
    raise OSError(errno.EBUSY, "Too many processes write there", str(parent))


def _remove_dead(parent: Path) -> None:
    """Remove the drafts of processes that are gone."""
    for folder in [path for path in parent.iterdir() if path.name.startswith(DRAFTS)]:
        with suppress(OSError):
            if not (folder / LOCK).exists():  # of a process that is about to lock it, unless it is old
                if time.time() - folder.stat().st_mtime > _FRESH_S:
                    folder.rmdir()
                continue
            lock = take_lock(folder)
            if lock is None:
                continue
            if lock.sure:
                shutil.rmtree(folder, ignore_errors=True)
            lock.release(remove=False)


def _put(draft: Path, target: Path, option: str) -> None:
    taken = InputError(f"{target} exists already; choose another {option} or remove it")
    if draft.is_dir():
        if os.path.lexists(target):
            raise taken
        try:
            draft.rename(target)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise taken from None
            raise
        return
    refuse_special(target)
    draft.replace(target)


def refuse_special(path: Path) -> None:
    """Refuse to replace what is no plain file, such as a device.

    Raises:
        OSError: it is none.
    """
    if path.exists() and not path.is_file():
        code = errno.EISDIR if path.is_dir() else errno.EINVAL
        raise OSError(code, "Is a directory" if path.is_dir() else "Is no plain file", str(path))
