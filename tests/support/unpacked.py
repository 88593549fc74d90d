"""Columns of a page read back as its script reads them."""

import base64
import gzip
from collections.abc import Mapping

import numpy as np

from cosim.types import IntArray


def unpack(directory: Mapping[str, tuple[str, int, int]], text: str) -> dict[str, IntArray]:
    """The columns again, as the page reads them."""
    data = gzip.decompress(base64.b64decode(text))
    return {
        name: np.frombuffer(data, f"<{code}", length, offset).astype(np.int64)
        for name, (code, offset, length) in directory.items()
    }
