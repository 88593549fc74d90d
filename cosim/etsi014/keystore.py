"""Keys that a master SAE has and its slaves have not fetched yet (ETSI GS QKD 014 V1.1.1, clauses 5.2 and 5.3).

Each slave gets a key once; the key is deleted when the last of its slaves has it, or when it has waited too long. The
bytes come from the operating system's generator: the simulated network decides how many there are, not what they are.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from cosim.etsi014.messages import SaeId

BYTE_BIT = 8


@dataclass(slots=True)
class _Waiting:
    master: SaeId
    slaves: set[SaeId]
    key: bytes = field(repr=False)
    until_s: float


class KeyStore:
    """The waiting keys of all pairs.

    Args:
        keep_s: real time for which a key waits for its slaves.
        most: keys that may wait for the slaves of one master, so that memory stays bounded.
        now_s: real time, by default never turned back.
    """

    def __init__(self, keep_s: float, most: int, now_s: Callable[[], float]) -> None:
        self._keep_s = keep_s
        self._most = most
        self._now_s = now_s
        self._waiting: OrderedDict[UUID, _Waiting] = OrderedDict()  # oldest first: all wait equally long
        self._count: dict[SaeId, int] = {}

    def room(self, master: SaeId) -> int:
        """Keys that this master may have made now."""
        self._expire()
        return self._most - self._count.get(master, 0)

    def make(self, master: SaeId, slaves: Sequence[SaeId], size_bit: int) -> tuple[UUID, bytes]:
        """A fresh key of whole bytes that waits for the slaves."""
        name, key = uuid4(), secrets.token_bytes(size_bit // BYTE_BIT)
        self._waiting[name] = _Waiting(master, set(slaves), key, self._now_s() + self._keep_s)
        self._count[master] = self._count.get(master, 0) + 1
        return name, key

    def missing(self, master: SaeId, slave: SaeId, names: Sequence[UUID]) -> list[UUID]:
        """Those of the names under which nothing of this master waits for this slave."""
        self._expire()
        return [name for name in names if not self._is_for(name, master, slave)]

    def deliver(self, slave: SaeId, names: Sequence[UUID]) -> list[bytes]:
        """The keys under names none of which is missing; this slave gets them no second time."""
        keys = []
        for name in names:
            waiting = self._waiting[name]
            keys.append(waiting.key)
            waiting.slaves.remove(slave)
            if not waiting.slaves:
                self._delete(name)
        return keys

    def _is_for(self, name: UUID, master: SaeId, slave: SaeId) -> bool:
        waiting = self._waiting.get(name)
        return waiting is not None and waiting.master == master and slave in waiting.slaves

    def _delete(self, name: UUID) -> None:
        master = self._waiting.pop(name).master
        self._count[master] -= 1

    def _expire(self) -> None:
        now_s = self._now_s()
        while self._waiting:
            name, oldest = next(iter(self._waiting.items()))
            if oldest.until_s > now_s:
                return
            self._delete(name)
