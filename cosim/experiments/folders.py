"""Output folders of commands: made, locked against a second command, and compared with what an earlier one left."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from cosim.errors import InputError
from cosim.locks import make_folders, take_lock
from cosim.scenario.document import shown

_MOST_NAMED: Final = 3


def make_folder(folder: Path, option: str) -> list[Path]:
    """Make a folder, with those above it, if it does not exist; return those that were made, innermost first.

    Args:
        folder: the folder.
        option: option of the command line that names it, for messages.

    Raises:
        InputError: it cannot be made.
    """
    try:
        return make_folders(folder)
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
        lock = take_lock(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {str(error.strerror).lower()}; give another {option}") from None
    if lock is None or not lock.share():  # at first alone, then with its workers
        raise InputError(f"{folder}: another {what} writes here; wait for it or give another {option}")
    try:
        yield
    finally:
        lock.release(remove=True)


@contextmanager
def share_lock(folder: Path) -> Iterator[None]:
    """Share, as a worker, the lock of the command that has started it, which the worker may outlive."""
    lock = take_lock(folder, shared=True)
    try:
        yield
    finally:
        if lock is not None:
            lock.release(remove=False)


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
