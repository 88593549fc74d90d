"""Reads files that may be gzipped, whatever their name says, as SUMO does."""

import gzip
import io
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from cosim.errors import InputError

_MAGIC = b"\x1f\x8b"


def open_packed(path: Path) -> BinaryIO:
    """Open a file for reading its bytes, unpacked if it is gzipped.

    Raises:
        OSError: the file cannot be opened.
    """
    raw = path.open("rb")
    packed = raw.peek(2).startswith(_MAGIC)
    return cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if packed else cast("BinaryIO", io.BufferedReader(raw))


def plain_bytes(path: Path) -> bytes:
    """Return a file's content, unpacked if it is gzipped.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with open_packed(path) as stream:
            return stream.read()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error}); get it again") from error
