"""Columns of a page read back as its script reads them."""

import base64
import gzip
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from cosim.types import FloatArray, IntArray


def unpack(directory: Mapping[str, tuple[str, int, int]], text: str) -> dict[str, IntArray]:
    """The columns again, as the page reads them."""
    data = gzip.decompress(base64.b64decode(text))
    return {
        name: np.frombuffer(data, f"<{code}", length, offset).astype(np.int64)
        for name, (code, offset, length) in directory.items()
    }


def data_in(page: str) -> dict[str, Any]:
    """The data in a page."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def lines_in(page: str, number: int = 0) -> list[FloatArray]:
    """The lines of the roads of a run in a page, (K, 2) each in m."""
    data = data_in(page)
    stored = data["runs"][number]["roads"]
    found = re.search(rf'id="blob-{stored["blob"]}">(.*?)</script>', page)
    assert found
    columns = unpack(stored["columns"], found[1])
    corners = np.cumsum(np.column_stack([columns["dx"], columns["dy"]]), axis=0) * data["unit_m"]
    return list(np.split(corners, np.cumsum(columns["length"])[:-1])) if len(columns["length"]) else []
