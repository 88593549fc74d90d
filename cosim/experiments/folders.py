"""Output folders of commands: made, locked against a second command, and compared with what an earlier one left."""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

from cosim.errors import InputError
from cosim.scenario.document import shown

LOCK: Final = ".lock"
_MOST_NAMED: Final = 3


def make_folder(folder: Path, option: str) -> None:
    """Make a folder, with those above it, if it does not exist.

    Args:
        folder: the folder.
        option: option of the command line that names it, for messages.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {str(error.strerror).lower()}; give another {option}") from None


@contextmanager
def lock_folder(folder: Path, what: str, option: str) -> Iterator[None]:
    """Lock a folder against other commands until this one and its last worker have ended, in whatever way.

    The lock is the kernel's: nothing is left of it when the processes are gone. A file system without locks lets every
    command in.

    Args:
        folder: a folder that exists.
        what: what this command does, as "training", for messages.
        option: option of the command line that names the folder, for messages.

    Raises:
        InputError: another command holds it.
    """
    try:
        file = (folder / LOCK).open("a")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {str(error.strerror).lower()}; give another {option}") from None
    with file:
        if not (_lock(file, fcntl.LOCK_EX) and _lock(file, fcntl.LOCK_SH)):  # at first alone, then with its workers
            raise InputError(f"{folder}: another {what} writes here; wait for it or give another {option}")
        yield


@contextmanager
def share_lock(folder: Path) -> Iterator[None]:
    """Share, as a worker, the lock of the command that has started it, which the worker may outlive."""
    with (folder / LOCK).open("a") as file:
        _lock(file, fcntl.LOCK_SH)
        yield


def _lock(file: TextIO, kind: int) -> bool:
    """Take a lock without waiting; return False if another process has it."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except OSError as error:  # others than that: no locks on this file system
        return not isinstance(error, BlockingIOError)
    return True


def changed(before: Any, now: Any) -> str:
    """Return the first differences of two JSON values, as "duration_s was 6, now 5"; "" if they are equal.

    Example:
        >>> changed({"duration_s": 6}, {"duration_s": 5})
        'duration_s was 6, now 5'
    """
    found = list(_changes("", before, now))
    told = ", ".join(found[:_MOST_NAMED])
    return f"{told} and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else told


def _changes(path: str, before: Any, now: Any) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys((*before, *now)):
            yield from _changes(f"{path}.{name}" if path else str(name), before.get(name), now.get(name))
    elif before != now:
        yield f"{path} was {shown(before, 40)}, now {shown(now, 40)}"
