"""Files that are either whole or not there: written beside their place, synced to the disk, then renamed."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def write_durably(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file whole or not at all: fill a temporary file by `write`, sync it, and rename it to `path`.

    A kill leaves the old file or the new one.

    Raises:
        OSError: the disk is full or refuses; `path` is as it was before.
    """
    scratch = path.with_name(f".{path.name}.tmp")
    try:
        with scratch.open("wb") as sink:
            write(sink)
            sink.flush()
            os.fsync(sink.fileno())
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that the names in it are durable: without it a power cut may undo a rename."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
