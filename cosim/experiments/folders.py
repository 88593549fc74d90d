"""Folders that commands are told to write into: made, kept from a second command, and what has changed since."""

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
    """See that it is there.

    Args:
        folder: to be made, with those above it.
        option: of the command line that names it.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {str(error.strerror).lower()}; give another {option}") from None


@contextmanager
def hold(folder: Path, what: str, option: str) -> Iterator[None]:
    """Keep other commands out of a folder until the end of this one, or of its last worker, however they end.

    The lock is the kernel's: nothing is left of it when the processes are gone. A file system that knows no locks
    keeps nobody out.

    Args:
        folder: that is there.
        what: this command does, as "training".
        option: of the command line that names the folder.

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
def hold_too(folder: Path) -> Iterator[None]:
    """The share of a worker in what the command that has started it holds: it may outlive the command."""
    with (folder / LOCK).open("a") as file:
        _lock(file, fcntl.LOCK_SH)
        yield


def _lock(file: TextIO, kind: int) -> bool:
    """False if somebody else has it."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except OSError as error:  # others than that: no locks on this file system
        return not isinstance(error, BlockingIOError)
    return True


def changed(before: Any, now: Any) -> str:
    """What is different in two values of JSON, as "duration_s was 6, now 5": the first few; "" if nothing is."""
    found = list(_changes("", before, now))
    told = ", ".join(found[:_MOST_NAMED])
    return f"{told} and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else told


def _changes(path: str, before: Any, now: Any) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys((*before, *now)):
            yield from _changes(f"{path}.{name}" if path else str(name), before.get(name), now.get(name))
    elif before != now:
        yield f"{path} was {shown(before, 40)}, now {shown(now, 40)}"
