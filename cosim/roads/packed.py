"""Reads whole files that may be gzipped, whatever their name says, as SUMO does."""

import gzip
import zlib
from pathlib import Path

from cosim.errors import InputError

_MAGIC = b"\x1f\x8b"


def plain_bytes(path: Path) -> bytes:
    """Return a file's content, unpacked if it is gzipped.

    Raises:
        InputError: it cannot be read.
    """
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(_MAGIC) else content
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error}); get it again") from error
