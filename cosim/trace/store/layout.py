"""The layout of each kind of fact in memory and in Parquet, and the checksums that make a changed row visible.

A row in memory is packed little-endian: `seq`, the columns in order, zeros up to a multiple of 8 bytes. A text is
represented in it by the first 8 bytes of its SHA-256. NaN has one bit pattern and zero has no sign, so that equal facts
have equal bytes. What did not happen is NaN or -1 in a packed row and null in Parquet (`cosim.trace.store.nulls`).
"""

import hashlib
import json
import re
import struct
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from math import nan
from typing import Any, cast

import numpy as np
import pyarrow as pa

from cosim.data_text import json_data
from cosim.kernel.rng import keyed_bits
from cosim.subjects import fact_kinds
from cosim.trace.facts.codes import code_names
from cosim.trace.facts.column import Column, columns
from cosim.trace.facts.run import SCHEMA_VERSION
from cosim.trace.store.nulls import stand_in, with_nulls
from cosim.types import NOWHERE, AnyArray

CHECK = "row_check"
"""Name of the column that holds each row's check."""
_CHECK_KEY = 0x7C15_0C05
_STRUCT_CODES = {"<f8": "d", "<f4": "f", "<i8": "q", "<i4": "i", "<i2": "h", "<i1": "b"}
_CODES = {pa.from_numpy_dtype(np.dtype(code)): code for code in _STRUCT_CODES} | {pa.string(): "O"}
_WORD = 8


def kind_name(fact: type[Any]) -> str:
    """Return the name of a kind of fact in folders and SQL: TaskEnded -> task_ended.

    Example:
        >>> from cosim.trace.facts.run import TaskEnded
        >>> kind_name(TaskEnded)
        'task_ended'
    """
    return re.sub(r"(?<!^)(?=[A-Z])", "_", fact.__name__).lower()


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of the rows of one kind of fact, in memory and in Parquet."""

    kind: str
    meaning: str
    columns: Mapping[str, Column]
    texts: tuple[str, ...]
    """Names of the text columns."""
    dtype: np.dtype[Any]
    """Packed row, padded to whole 8-byte words."""
    row: struct.Struct
    """Packs seq and the values of a kind without texts."""
    schema: Any = field(repr=False)
    """Arrow schema: seq, the columns, the check."""
    encoding: Mapping[str, str] = field(repr=False)
    """Parquet encoding by column."""

    def rows(self, buffer: bytearray) -> AnyArray:
        """Return packed rows as a structured array that views them; floats are made canonical in place."""
        rows: AnyArray = np.frombuffer(buffer, dtype=self.dtype)
        _canonical(rows, self.columns)
        return rows

    def image(self, values: Mapping[str, Any], size: int) -> AnyArray:
        """Return a structured array of `size` rows from one sequence per column and for seq; texts become words."""
        rows = np.zeros(size, dtype=self.dtype)
        rows["seq"] = values["seq"]
        for name in self.columns:
            rows[name] = [text_word(text) for text in values[name]] if name in self.texts else values[name]
        _canonical(rows, self.columns)
        return rows

    def table(self, rows: AnyArray, texts: Mapping[str, Sequence[str]]) -> Any:
        """Return rows with their checks as an Arrow table; `texts` holds the texts of which the rows have words."""
        arrays = [
            pa.array(texts[name]) if name in self.texts else with_nulls(rows[name].copy(), column)
            for name, column in self.columns.items()  # copied, because a view would pin the buffer
        ]
        seq, checks = pa.array(rows["seq"].copy()), pa.array(row_checks(rows))
        return pa.Table.from_arrays([seq, *arrays, checks], schema=self.schema)


def _canonical(rows: AnyArray, stored: Mapping[str, Column]) -> None:
    for name, column in stored.items():
        if column.code in ("<f8", "<f4"):
            values = rows[name]
            values += 0.0  # -0.0 + 0.0 is +0.0
            values[np.isnan(values)] = np.nan


def text_word(text: str) -> int:
    """Return the first 8 bytes of a text's SHA-256, as a number."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:_WORD], "little")


def row_checks(rows: AnyArray) -> AnyArray:  # (N,) uint32
    """Return the check of each row: an odd-weighted sum of its 8-byte words modulo 2^64, mixed, the upper 32 bits.

    A change within one word always changes the sum, so it stays unseen with probability 2^-32. This guards against
    accident, not against an author who computes the check anew.
    """
    words = rows.view(np.uint64).reshape(len(rows), rows.dtype.itemsize // _WORD)
    weights = keyed_bits(_CHECK_KEY, np.arange(words.shape[1])) | np.uint64(1)
    sums = np.einsum("ij,j->i", words, weights)
    checks: AnyArray = (keyed_bits(_CHECK_KEY, sums) >> np.uint64(32)).astype(np.uint32)
    return checks


def digest_bytes(rows: AnyArray) -> memoryview:
    """Return the bytes of rows that enter a kind's digest: all but seq, which depends on what other kinds recorded."""
    return np.ascontiguousarray(rows.view(np.uint8).reshape(len(rows), rows.dtype.itemsize)[:, _WORD:]).data


def layout(fact: type[Any]) -> Layout:
    """Return the layout of a kind of fact, which is made once in a process."""
    return _layout_of(cast("Hashable", fact))


@cache
def _layout_of(fact: Any) -> Layout:
    return _laid_out(kind_name(fact), " ".join(str(fact.__doc__).split()), columns(fact))


def known_layouts(schema_version: int = SCHEMA_VERSION) -> dict[str, Layout]:
    """Return the layouts of the kinds of facts that this installation knows, by name, in the order of storage.

    Those of an older schema lack the columns that came later.
    """
    known = {stored.kind: stored for stored in map(layout, fact_kinds())}
    return {kind: _as_of(stored, schema_version) for kind, stored in known.items()}


def _as_of(stored: Layout, schema_version: int) -> Layout:
    kept = {name: column for name, column in stored.columns.items() if column.since <= schema_version}
    return stored if len(kept) == len(stored.columns) else _laid_out(stored.kind, stored.meaning, kept)


def stored_layout(kind: str, schema: Any) -> Layout:
    """Return the layout of a kind that is known only by the Arrow schema of one of its files.

    Raises:
        ValueError: the schema is not that of a kind of fact.
    """
    odd = [column for column in schema if column.type not in _CODES]
    if schema.names[:1] != ["seq"] or [column.name for column in odd] != [CHECK] or schema.names[-1] != CHECK:
        raise ValueError("has other columns than any kind")
    stored = {
        column.name: Column(
            _CODES[column.type],
            _metadata_text(column, "unit"),
            _metadata_text(column, "meaning"),
            _stored_codes(column),
            _stored_absent(column),
        )
        for column in list(schema)[1:-1]
    }
    made = _laid_out(kind, _metadata_text(schema, "meaning"), stored)
    if made.schema.types != schema.types:
        raise ValueError("has other columns than any kind")
    return made


def _metadata_text(described: Any, name: str) -> str:
    """Return an entry in the metadata of a schema or a column, "" if there is none."""
    told: bytes = (described.metadata or {}).get(name.encode(), b"")
    return told.decode(errors="replace")


def _laid_out(kind: str, meaning: str, stored: Mapping[str, Column]) -> Layout:
    codes = {"seq": "<i8", **{name: "<u8" if c.code == "O" else c.code for name, c in stored.items()}}
    width = sum(np.dtype(code).itemsize for code in codes.values())
    padding = -width % _WORD
    starts = np.cumsum([0, *(np.dtype(code).itemsize for code in codes.values())])[:-1]
    dtype = np.dtype(
        {
            "names": list(codes),
            "formats": list(codes.values()),
            "offsets": starts.tolist(),
            "itemsize": width + padding,
        }
    )
    packing = "".join(_STRUCT_CODES.get(code, "Q") for code in codes.values())
    return Layout(
        kind=kind,
        meaning=meaning,
        columns=stored,
        texts=tuple(name for name, column in stored.items() if column.code == "O"),
        dtype=dtype,
        row=struct.Struct(f"<{packing}{padding}x"),
        schema=_arrow_schema(kind, meaning, stored),
        encoding={name: _encoding(column) for name, column in stored.items()}
        | {"seq": "DELTA_BINARY_PACKED", CHECK: "PLAIN"},
    )


def _arrow_schema(kind: str, meaning: str, stored: Mapping[str, Column]) -> Any:
    described = {
        "seq": Column("<i8", "", "place in the order of recording, gapless over all kinds"),
        **stored,
        CHECK: Column("<u4", "", "check of the row, see cosim.trace.store.layout.row_checks"),
    }
    arrow_fields = [
        pa.field(
            name,
            pa.string() if column.code == "O" else pa.from_numpy_dtype(np.dtype(column.code)),
            nullable=stand_in(column) is not None,
            metadata=_described(column),
        )
        for name, column in described.items()
    ]
    described_kind = {"kind": kind, "meaning": meaning, "schema_version": str(SCHEMA_VERSION)}
    return pa.schema(arrow_fields, metadata=described_kind)


def _described(column: Column) -> dict[str, str]:
    """Return the metadata of a column: unit, meaning, the names of its codes as JSON, and what stands for a null."""
    said = {"unit": column.unit, "meaning": column.meaning}
    if column.codes is not None:
        said["codes"] = json.dumps(code_names(column.codes))
    return said if column.absent is None else {**said, "absent": repr(column.absent)}


def _stored_absent(column: Any) -> float | None:
    """Return what stands for a null of a stored column, by its metadata.

    Raises:
        ValueError: the entry is not the number that stands for it in a column of its type.
    """
    told = _metadata_text(column, "absent")
    expected = repr(nan) if pa.types.is_floating(column.type) else repr(NOWHERE)
    if told not in ("", expected) or (told and column.type == pa.string()):
        raise ValueError(f"has {told} for what did not happen in {column.name}, which is no such number")
    return (nan if told == repr(nan) else NOWHERE) if told else None


def _stored_codes(column: Any) -> type[IntEnum] | None:
    """Return the table of codes in the metadata of a stored column.

    Raises:
        ValueError: the entry is not a table of codes.
    """
    kept = json_data(_metadata_text(column, "codes") or "{}")
    if not kept:
        return None
    make: Callable[[str, dict[str, int]], type[IntEnum]] = IntEnum  # type: ignore[assignment]  # the functional form
    try:
        return make(column.name, {name: int(code) for code, name in kept.items()})
    except (AttributeError, TypeError) as error:
        raise ValueError(f"has codes of {column.name} that are no table: {error}") from error


def _encoding(column: Column) -> str:
    if column.code == "O":
        return "PLAIN"
    return "BYTE_STREAM_SPLIT" if np.dtype(column.code).kind == "f" else "DELTA_BINARY_PACKED"
