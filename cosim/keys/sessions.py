"""The key bits that a transfer costs: a fresh AES-256 key now and then, a one-time pad, or none (S3 does not say).

A session is the AES key that two parties share. A transfer belongs to the session in which it begins, however long it
lasts; all transfers between the two count against the key's bytes, in both directions.
"""

from math import ceil

from cosim.keys.pool import KeyPool
from cosim.scenario.keys import KeyUse, NoUse, OneTimePadUse, RekeyUse

AES_KEY_BIT = 256


class KeyLifetime:
    """How many bits and how long a key may be used before a new one is needed."""

    def __init__(self, use: KeyUse) -> None:
        self.used = not isinstance(use, NoUse)
        """Whether transfers need keys at all."""
        self._pad = isinstance(use, OneTimePadUse)
        self._lifetime_bit = 8.0 * use.lifetime_byte if isinstance(use, RekeyUse) else 0.0
        self._lifetime_s = use.lifetime_s if isinstance(use, RekeyUse) else 0.0

    def cost_bit(self, size_bit: float) -> int:
        """Return the key bits that a transfer needs where no session covers it.

        A size beyond the lifetime of one key takes several.
        """
        if self._pad:
            return ceil(size_bit)
        return AES_KEY_BIT if size_bit <= self._lifetime_bit else AES_KEY_BIT * ceil(size_bit / self._lifetime_bit)

    def begin(self, pool: "VehiclePool", peer: int, size_bit: float, bit: int, now: float) -> None:
        """Begin the session of a transfer; under AES later transfers may use what is left of its keys.

        Args:
            pool: pool of the vehicle, which keeps its sessions.
            peer: number of the node, or code of the vehicle, at the other end.
            size_bit: data that the transfer carries, in bits.
            bit: key bits that were taken for it.
            now: simulated time.
        """
        if not self._pad:
            pool.agree(peer, now + self._lifetime_s, bit // AES_KEY_BIT * self._lifetime_bit - size_bit)


class VehiclePool(KeyPool):
    """A vehicle's key pool, its home node, with which it shares the key, and its sessions.

    The session with the last peer is kept in fields of the pool itself: thousands of vehicles look it up each second.
    """

    __slots__ = ("ends_s", "home", "left_bit", "others", "peer")

    def __init__(self, home: int, capacity_bit: int, low_water_bit: int, expiry_s: float | None) -> None:
        super().__init__(capacity_bit, low_water_bit, expiry_s)
        self.home = home
        self.peer: int | None = None
        self.ends_s = 0.0
        self.left_bit = 0.0
        """Data bits that the session may still carry."""
        self.others: dict[int, tuple[float, float]] = {}
        """Sessions with other peers: when each ends, and the data bits that it may still carry."""

    def use_session(self, peer: int, size_bit: float, now: float) -> bool:
        """Use the session with a peer for a transfer; False if there is none, it has ended, or has too few bits left.

        Args:
            peer: number of the node, or code of the vehicle, at the other end.
            size_bit: data that the transfer carries, in bits.
            now: simulated time.
        """
        if peer != self.peer:
            if peer not in self.others:
                return False
            self.agree(peer, *self.others[peer])
        if self.ends_s <= now or self.left_bit < size_bit:
            return False
        self.left_bit -= size_bit
        return True

    def agree(self, peer: int, ends_s: float, left_bit: float) -> None:
        """Set the session with a peer, which becomes the last peer.

        Args:
            peer: number of the node, or code of the vehicle, at the other end.
            ends_s: when the session ends.
            left_bit: data bits that it may still carry.
        """
        if self.peer != peer:
            if self.peer is not None:
                self.others[self.peer] = (self.ends_s, self.left_bit)
            self.others.pop(peer, None)
            self.peer = peer
        self.ends_s = ends_s
        self.left_bit = left_bit
