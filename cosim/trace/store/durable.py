"""Files that are either whole or not there: written beside their place, synced to the disk, then renamed."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from cosim.locks import open_scratch, refuse_special


def write_durably(path: Path, write: Callable[[BinaryIO], object], *, new: bool = False) -> None:
    """Write a file whole or not at all: fill a hidden file beside it by `write`, sync it, and rename it to `path`.

    A kill leaves the old file or the new one. Of processes that write one file at once each writes its own whole one.

    Args:
        path: the file.
        write: writes the content.
        new: refuse to replace a file that is there.

    Raises:
        OSError: the disk is full or refuses, or `path` exists and is to be new; it is as it was before.
    """
    refuse_special(path)
    scratch, sink = open_scratch(path)
    with sink:  # its lock is held until the hidden file has a place or is gone
        try:
            write(sink)
            sink.flush()
            os.fsync(sink.fileno())
            (_place_new if new else Path.replace)(scratch, path)
        except BaseException:
            with suppress(OSError):
                scratch.unlink(missing_ok=True)
            raise


def _place_new(scratch: Path, path: Path) -> None:
    try:
        os.link(scratch, path)
    except FileExistsError:
        raise
    except OSError:  # no hard links here
        path.touch(exist_ok=False)
        scratch.replace(path)
    else:
        scratch.unlink()


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that the names in it are durable: without it a power cut may undo a rename."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
