"""The records of the ledger as canonical bytes: offloads, key generation and key storage (S3).

The paper calls them transactions: new task offloads, computing processes and changes of quantum keys (section I), and
key generation, storage and update (section III-A). The use of keys stands in the offload that used them. A record is
little-endian without padding, its first byte is its kind. The same bytes come from one record at a time (`pack_...`)
and from columns of a trace (`rows`), so that a finished run can be hashed again. Joining, leaving and slashing need no
record: each block binds the stakes that it is voted with.

>>> record = pack_key_fill(vehicle=7, node=2, key_bit=256, time_s=1.5)
>>> kind, values = unpacked(record)
>>> kind.name, values
('KEY_FILL', {'vehicle': 7, 'node': 2, 'key_bit': 256, 'time_s': 1.5})
"""

import struct
from collections.abc import Mapping
from enum import IntEnum

import numpy as np

from cosim.types import AnyArray


class Record(IntEnum):
    """The kind of a record, its first byte; numbers are never reused, new kinds are appended."""

    OFFLOAD = 1
    KEY_BLOCK = 2
    KEY_FILL = 3


LAYOUTS: Mapping[Record, Mapping[str, str]] = {
    Record.OFFLOAD: {
        "task": "i8",
        "vehicle": "i4",
        "site": "i4",
        "status": "u1",
        "released_s": "f8",
        "ended_s": "f8",
        "energy_j": "f8",
        "key_bit": "i8",
    },
    Record.KEY_BLOCK: {"link": "i4", "key_bit": "i8", "qber": "f8", "time_s": "f8"},
    Record.KEY_FILL: {"vehicle": "i4", "node": "i4", "key_bit": "i8", "time_s": "f8"},
}
"""The columns of each kind in order, with NumPy's type codes."""

_LETTERS = {"u1": "B", "i4": "i", "i8": "q", "f8": "d"}


def _layout(kind: Record) -> struct.Struct:
    return struct.Struct("<B" + "".join(_LETTERS[code] for code in LAYOUTS[kind].values()))


_OFFLOAD = _layout(Record.OFFLOAD)
_KEY_BLOCK = _layout(Record.KEY_BLOCK)
_KEY_FILL = _layout(Record.KEY_FILL)


def pack_offload(
    task: int,
    vehicle: int,
    site: int,
    status: int,
    released_s: float,
    ended_s: float,
    energy_j: float,
    key_bit: int,
) -> bytes:
    """Return the record of a task that a site executed.

    Args:
        task: id of the task.
        vehicle: number of its vehicle.
        site: number of the site.
        status: how it ended, a `cosim.types.Status`.
        released_s: when it was released.
        ended_s: when it ended.
        energy_j: energy that the task took at its host.
        key_bit: key bits that its transfers took.
    """
    return _OFFLOAD.pack(Record.OFFLOAD, task, vehicle, site, status, released_s, ended_s, energy_j, key_bit)


def pack_key_block(link: int, key_bit: int, qber: float, time_s: float) -> bytes:
    """Return a record of key generation: a link has distilled a block.

    Args:
        link: number of the link.
        key_bit: secret bits of the block.
        qber: its error rate.
        time_s: when it was distilled.
    """
    return _KEY_BLOCK.pack(Record.KEY_BLOCK, link, key_bit, qber, time_s)


def pack_key_fill(vehicle: int, node: int, key_bit: int, time_s: float) -> bytes:
    """Return a record of key storage: a vehicle has taken key bits into its pool at a node.

    Args:
        vehicle: number of the vehicle.
        node: number of the node.
        key_bit: bits that it took.
        time_s: when it took them.
    """
    return _KEY_FILL.pack(Record.KEY_FILL, vehicle, node, key_bit, time_s)


def rows(kind: Record, columns: Mapping[str, AnyArray]) -> list[bytes]:
    """Return the records of one kind from columns of equal length, byte for byte as `pack_...` makes them.

    Raises:
        ValueError: a whole number does not fit its column, where truncation would silently change the record.
    """
    layout = LAYOUTS[kind]
    dtype = np.dtype([("kind", "u1"), *((name, f"<{code}") for name, code in layout.items())])
    table = np.empty(len(columns[next(iter(layout))]), dtype)
    table["kind"] = kind
    for name, code in layout.items():
        table[name] = columns[name]
        if code != "f8" and not np.array_equal(table[name], columns[name]):
            raise ValueError(f"{kind.name.lower()}.{name}: a value does not fit {code}")
    packed, size = table.tobytes(), dtype.itemsize
    return [packed[start : start + size] for start in range(0, len(packed), size)]


def unpacked(record: bytes) -> tuple[Record, dict[str, int | float]]:
    """Return the kind and the named values of a record.

    Raises:
        ValueError: the bytes are no record of a known kind.
    """
    kind = Record(record[0] if record else 0)
    layout = _layout(kind)
    if len(record) != layout.size:
        raise ValueError(f"{kind.name.lower()} record of {len(record)} bytes, not {layout.size}")
    return kind, dict(zip(LAYOUTS[kind], layout.unpack(record)[1:], strict=True))
