"""Columns of integers as a short text that the page can decode: differences, small types, gzip, base64."""

import base64
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from cosim.errors import RunError
from cosim.types import AnyArray, IntArray

_TYPES: Final = ("i1", "i2", "i4")
_ALIGNMENT: Final = 4


@dataclass(frozen=True, slots=True)
class Packed:
    """Columns one after the other, each of the smallest signed type that holds it, little-endian, 4-byte aligned."""

    directory: Mapping[str, tuple[str, int, int]]
    """Type, first byte and number of values, by column."""
    text: str
    """The bytes, compressed by gzip without a time stamp, in base64."""


def pack_columns(columns: Mapping[str, AnyArray]) -> Packed:
    """Pack columns of integers.

    Raises:
        RunError: a number does not fit into 32 bits.

    Example:
        >>> pack_columns({"task": np.array([3, 4, 7])}).directory
        {'task': ('i1', 0, 3)}
    """
    directory, parts, offset = {}, [], 0
    for name, values in columns.items():
        code = _smallest(name, values)
        data = values.astype(f"<{code}").tobytes()
        directory[name] = (code, offset, len(values))
        parts.append(data + bytes(-len(data) % _ALIGNMENT))
        offset += len(parts[-1])
    return Packed(directory, base64.b64encode(gzip.compress(b"".join(parts), 9, mtime=0)).decode())


def differences(values: AnyArray, starts: AnyArray) -> IntArray:
    """Return each value less the one before it; those at `starts` (a mask) stay as they are."""
    whole = np.asarray(values, dtype=np.int64)
    before = np.concatenate([np.zeros(1, np.int64), whole])[: len(whole)]
    return np.where(starts, whole, whole - before)


def _smallest(name: str, values: AnyArray) -> str:
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    for code in _TYPES:
        limits = np.iinfo(code)
        if limits.min <= low and high <= limits.max:
            return code
    raise RunError(f"report: column {name} reaches from {low} to {high}, more than 32 bits hold; report a shorter run")
