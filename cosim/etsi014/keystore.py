"""The store of keys that a master SAE has and its slaves have not fetched yet (ETSI GS QKD 014 V1.1.1, 5.2 and 5.3).

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
    """The keys of all pairs of SAEs that wait to be fetched.

    Args:
        keep_s: real time for which a key waits for its slaves.
        most: number of keys of one master that may wait, so that memory stays bounded.
        now_s: returns real time from a monotonic clock.
    """

    def __init__(self, keep_s: float, most: int, now_s: Callable[[], float]) -> None:
        self._keep_s = keep_s
        self._most = most
        self._now_s = now_s
        self._waiting: OrderedDict[UUID, _Waiting] = OrderedDict()  # oldest first: all wait equally long
        self._count: dict[SaeId, int] = {}

    def room(self, master: SaeId) -> int:
        """Return how many keys may still be made for this master."""
        self._expire()
        return self._most - self._count.get(master, 0)

    def make(self, master: SaeId, slaves: Sequence[SaeId], size_bit: int) -> tuple[UUID, bytes]:
        """Make a fresh key, keep it for the slaves, and return its UUID and its bytes.

        Args:
            master: SAE that gets the key now.
            slaves: SAEs that may fetch it, each once.
            size_bit: size of the key, a multiple of 8.
        """
        name, key = uuid4(), secrets.token_bytes(size_bit // BYTE_BIT)
        self._waiting[name] = _Waiting(master, set(slaves), key, self._now_s() + self._keep_s)
        self._count[master] = self._count.get(master, 0) + 1
        return name, key

    def missing(self, master: SaeId, slave: SaeId, names: Sequence[UUID]) -> list[UUID]:
        """Return the names under which no key waits.

        Args:
            master: SAE that got the keys.
            slave: SAE that fetches them.
            names: their UUIDs.
        """
        self._expire()
        return [name for name in names if not self._is_for(name, master, slave)]

    def deliver(self, slave: SaeId, names: Sequence[UUID]) -> list[bytes]:
        """Return the keys of names none of which is `missing`; the slave cannot fetch them again."""
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
