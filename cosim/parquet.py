"""Parquet files by paths that are taken literally."""

from pathlib import Path
from typing import Any, Literal

import pyarrow as pa


def open_literally(path: Path, mode: Literal["rb", "wb"] = "rb") -> Any:
    """Return the file of this very path, for the readers and writers of pyarrow.

    A path that they are given themselves may be an address (`file:run`), and a folder in it the value of a column
    (`seed=1`).

    Raises:
        OSError: it cannot be opened.
    """
    return pa.OSFile(str(path), mode)
