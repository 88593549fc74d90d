"""Canonical bytes of records: fixed layout, and the same from columns as from single values."""

import struct

import numpy as np
import pytest

from cosim.ledger.records import (
    LAYOUTS,
    Record,
    pack_key_block,
    pack_key_fill,
    pack_offload,
    rows,
    unpacked,
)

PACKERS = {
    Record.OFFLOAD: pack_offload,
    Record.KEY_BLOCK: pack_key_block,
    Record.KEY_FILL: pack_key_fill,
}


def _drawn(kind, count):
    generator = np.random.default_rng(kind)
    columns = {}
    for name, code in LAYOUTS[kind].items():
        if code == "f8":
            columns[name] = generator.normal(size=count)
        else:
            bounds = np.iinfo(code)
            columns[name] = generator.integers(bounds.min, bounds.max, count, dtype=code, endpoint=True)
    return columns


@pytest.mark.parametrize("kind", list(Record))
def test_rows_equal_packers(kind):
    """Records from columns are byte for byte those packed one at a time, over the whole range of each column."""
    columns = _drawn(kind, 300)
    one_at_a_time = [
        PACKERS[kind](*values) for values in zip(*(each.tolist() for each in columns.values()), strict=True)
    ]
    assert rows(kind, columns) == one_at_a_time
    assert all(len(record) <= 80 and record[0] == kind for record in one_at_a_time)


@pytest.mark.parametrize("kind", list(Record))
def test_records_read_back(kind):
    """What was packed is read back by name, and the empty column gives no records."""
    columns = _drawn(kind, 3)
    for number, record in enumerate(rows(kind, columns)):
        assert unpacked(record) == (kind, {name: values[number] for name, values in columns.items()})
    assert rows(kind, {name: values[:0] for name, values in columns.items()}) == []


def test_bytes_are_fixed():
    """The layout is little-endian, without padding, kind first."""
    assert (
        pack_key_fill(2, 3, 256, 0.5).hex() == "03" + "02000000" + "03000000" + "0001000000000000" + "000000000000e03f"
    )
    assert [len(rows(kind, _drawn(kind, 1))[0]) for kind in Record] == [50, 29, 25]


def test_value_that_does_not_fit():
    """A number beyond its column is refused in both forms and never cut."""
    columns = {"vehicle": np.array([2**40]), "node": np.array([1]), "key_bit": np.array([1]), "time_s": np.array([0.0])}
    with pytest.raises(ValueError, match=r"key_fill\.vehicle"):
        rows(Record.KEY_FILL, columns)
    with pytest.raises(struct.error):
        pack_key_fill(2**40, 1, 1, 0.0)


@pytest.mark.parametrize("wrong", [b"", b"\x00", b"\x03\x00", b"\xff" * 25])
def test_no_record(wrong):
    """Bytes of no known kind or of a wrong length are not read as a record."""
    with pytest.raises(ValueError, match=r"[Rr]ecord"):
        unpacked(wrong)
