"""How many key bits a transfer costs: a fresh AES-256 key now and then, a one-time pad, or none (S3 does not say).

A session is the AES key that two parties share. A transfer belongs to the session in which it begins, however long it
lasts; all transfers between the two count against the key's bytes, in both directions.
"""

from math import ceil
from typing import TypeAlias

from cosim.scenario.keys import KeyUse, NoUse, OneTimePadUse, RekeyUse

AES_KEY_BIT = 256
Sessions: TypeAlias = dict[int, list[float]]
"""A vehicle's sessions by peer: when each ends, and the bits that it may still carry."""


class Lifetimes:
    """How long keys last."""

    def __init__(self, use: KeyUse) -> None:
        self.used = not isinstance(use, NoUse)
        """Whether transfers take keys at all."""
        self._pad = isinstance(use, OneTimePadUse)
        self._lifetime_bit = 8.0 * use.lifetime_byte if isinstance(use, RekeyUse) else 0.0
        self._lifetime_s = use.lifetime_s if isinstance(use, RekeyUse) else 0.0

    def cost_bit(self, size_bit: float) -> int:
        """Key bits for a transfer that no key covers; a size beyond the life of one key takes several."""
        if size_bit <= self._lifetime_bit:
            return AES_KEY_BIT
        return ceil(size_bit) if self._pad else AES_KEY_BIT * ceil(size_bit / self._lifetime_bit)

    def begin(self, sessions: Sessions, peer: int, size_bit: float, bit: int, now: float) -> None:
        """A transfer has got its `bit` key bits; under AES the rest of the key's life is for those that follow."""
        if not self._pad:
            sessions[peer] = [now + self._lifetime_s, bit // AES_KEY_BIT * self._lifetime_bit - size_bit]


def carried(sessions: Sessions, peer: int, size_bit: float, now: float) -> bool:
    """Send under the present key; False if there is none, or if it has lasted or would carry too much."""
    key = sessions.get(peer)
    if key is None or key[0] <= now or key[1] < size_bit:
        return False
    key[1] -= size_bit
    return True
