"""A store of secret key bits that two places share: the two ends of a QKD link, or a vehicle and a node (paper S3).

Bits are whole numbers and each is counted: generated = used + lost + stored, after every operation.
"""

from collections import deque
from math import inf


class KeyPool:
    """A pool of key bits: they age, are taken oldest first, and are lost where there is no room for them.

    Bits are whole numbers; generated = used + lost + stored after every operation.

    >>> pool = KeyPool(capacity_bit=1000, expiry_s=60.0)
    >>> pool.store(1200, now=0.0)
    1000
    >>> pool.take(256, now=1.0)
    True
    >>> pool.can_give(744, now=59.0), pool.can_give(744, now=60.0)
    (True, False)
    >>> pool.generated_bit, pool.used_bit, pool.lost_bit, pool.stored_bit
    (1200, 256, 944, 0)
    """

    __slots__ = (
        "_expiry_s",
        "_lots",
        "capacity_bit",
        "first_s",
        "generated_bit",
        "lost_bit",
        "low_water_bit",
        "stored_bit",
    )

    def __init__(self, capacity_bit: int, low_water_bit: int = 0, expiry_s: float | None = None) -> None:
        """Make an empty pool.

        Args:
            capacity_bit: the most bits that it holds.
            low_water_bit: the level that its owner keeps back, or refills below; the pool itself only carries the mark.
            expiry_s: age at which bits are thrown away; None: never.
        """
        self.capacity_bit = capacity_bit
        self.low_water_bit = low_water_bit
        self._expiry_s = expiry_s
        self._lots: deque[list[float]] = deque()  # [bits left, time of expiry], oldest first; empty if bits do not age
        self.first_s = inf
        """When the oldest bits expire; infinity if none do."""
        self.stored_bit = 0
        self.generated_bit = 0
        self.lost_bit = 0

    @property
    def used_bit(self) -> int:
        """Bits taken so far."""
        return self.generated_bit - self.lost_bit - self.stored_bit

    @property
    def room_bit(self) -> int:
        """Bits that it could still store."""
        return self.capacity_bit - self.stored_bit

    def store(self, bit: int, now: float) -> int:
        """Add fresh bits and return how many were stored; what does not fit is lost."""
        if self.first_s <= now:
            self.expire(now)
        kept = min(bit, self.capacity_bit - self.stored_bit)
        self.generated_bit += bit
        self.lost_bit += bit - kept
        self.stored_bit += kept
        if self._expiry_s is not None and kept:
            expires_s = now + self._expiry_s
            if self._lots and self._lots[-1][1] == expires_s:
                self._lots[-1][0] += kept
            else:
                self._lots.append([kept, expires_s])
                self.first_s = self._lots[0][1]
        return kept

    def discard(self, bit: int) -> None:
        """Count bits that were thrown away before they were stored, as generated and lost."""
        self.generated_bit += bit
        self.lost_bit += bit

    def can_give(self, bit: int, now: float) -> bool:
        """Return whether `bit` bits are stored that have not expired."""
        if self.first_s <= now:
            self.expire(now)
        return self.stored_bit >= bit

    def take(self, bit: int, now: float) -> bool:
        """Take the oldest `bit` bits and return True; take nothing and return False if there are fewer."""
        if self.first_s <= now:
            self.expire(now)
        if self.stored_bit < bit:
            return False
        self.stored_bit -= bit
        if self._lots:
            self._consume(bit)
        return True

    def expire(self, now: float) -> None:
        """Throw away the bits that have expired. Every use does so first; call it before the totals are read."""
        lots = self._lots
        while lots and lots[0][1] <= now:
            self._lose(int(lots.popleft()[0]))
        self.first_s = lots[0][1] if lots else inf

    def drop(self) -> int:
        """Throw away all stored bits, and return how many there were."""
        dropped = self.stored_bit
        self._lose(dropped)
        self._lots.clear()
        self.first_s = inf
        return dropped

    def _lose(self, bit: int) -> None:
        self.stored_bit -= bit
        self.lost_bit += bit

    def _consume(self, bit: int) -> None:
        lots = self._lots
        while bit:
            lot = lots[0]
            if lot[0] > bit:
                lot[0] -= bit
                return
            bit -= int(lot[0])
            lots.popleft()
        self.first_s = lots[0][1] if lots else inf
