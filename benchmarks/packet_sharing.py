"""What a packet scheduler does beyond sharing: files over one LTE uplink, event by event, with its details one by one.

A reference for `packet_level.py`, apart from cosim's code. Details, all of ns-3's round-robin scheduler:

* reports: the base station knows a buffer by one of 64 levels (TS 36.321 Table 6.1.3.1-1) and grants the level's upper
  end. 128,200 bytes, 1 Mbit with headers, are reported as 150,000: blocks of 21,800 bytes are granted and not used. A
  user's last report counts. A padding report (TS 36.321 5.4.5) would end that after some 8 ms; ns-3 sends none.
* blocks: each of n users gets floor(100 / n) resource blocks, at least 3, with the transport block of TS 36.213 Table
  7.1.7.2.1-1 and its headers.
* turns: a user has one share and sends its files one after the other.
"""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from math import ceil, inf
from typing import Final

import numpy as np

from cosim.types import FloatArray
from cosim.validation.packets import Sent

DETAILS: Final = {
    "sharing": (),
    "+ reports": ("reports",),
    "+ blocks": ("reports", "blocks"),
    "+ turns": ("reports", "blocks", "turns"),
}
LEVELS_BYTE: Final = (
    0, 10, 12, 14, 17, 19, 22, 26, 31, 36, 42, 49, 57, 67, 78, 91, 107, 125, 146, 171, 200, 234, 274, 321, 376, 440,
    515, 603, 706, 826, 967, 1132, 1326, 1552, 1817, 2127, 2490, 2915, 3413, 3995, 4677, 5476, 6411, 7505, 8787, 10287,
    12043, 14099, 16507, 19325, 22624, 26487, 31009, 36304, 42502, 49759, 58255, 68201, 79846, 93479, 109439, 128125,
    150000,
)  # fmt: skip
"""Upper ends of the levels, TS 36.321 Table 6.1.3.1-1; a larger buffer is reported as more than the last."""
BLOCK_BIT: Final = {
    100.0: {
        3: 1384, 4: 1864, 5: 2344, 6: 2792, 7: 3240, 8: 3752, 9: 4136, 10: 4584, 11: 5160, 12: 5544, 14: 6456,
        16: 7480, 20: 9144, 25: 11448, 33: 15264, 50: 22920, 100: 46888,
    },
    300.0: {
        3: 256, 4: 392, 5: 504, 6: 600, 7: 712, 8: 808, 9: 936, 10: 1032, 11: 1128, 12: 1224, 14: 1480, 16: 1672,
        20: 2088, 25: 2600, 33: 3496, 50: 5160, 100: 10296,
    },
}  # fmt: skip
"""Bits of a transport block by distance in m and resource blocks: CQI 12 at 100 m, I_TBS 20; CQI 4 at 300 m, I_TBS 6;
TS 36.213 Table 7.1.7.2.1-1."""
_OFFSET_S: Final = 0.0109
"""From "has data" to the first bit and from the last to the host, in ns-3."""
_PACKET_BYTE, _HEADER_BYTE, _BLOCK_HEADER_BYTE = 1250, 32, 3
_BLOCKS, _LEAST_BLOCKS = 100, 3


def mean_excess() -> float:
    """Return how much larger a level is than a buffer, as a share, on average evenly over the buffer's logarithm."""
    ratios = np.divide(LEVELS_BYTE[2:], LEVELS_BYTE[1:-1])
    return float((ratios - 1.0).sum() / np.log(ratios).sum()) - 1.0


def load_s(distance_m: float, files: Sequence[Sent], details: Collection[str]) -> FloatArray:
    """Return the times of files in s, (n,).

    Args:
        distance_m: 100 or 300.
        files: the files, ascending in time.
        details: of `DETAILS`.
    """
    cell = _Cell(distance_m, files, details)
    cell.run()
    return np.array(cell.spent_s)


class _Cell:
    """One uplink; amounts in bytes with headers."""

    def __init__(self, distance_m: float, files: Sequence[Sent], details: Collection[str]) -> None:
        self._block_bit = BLOCK_BIT[distance_m]
        self._files = files
        self._reports, self._blocks, self._turns = (name in details for name in ("reports", "blocks", "turns"))
        self._left: dict[int, list[list[float]]] = {}
        """Files of each user on their way: number and bytes."""
        self._more: dict[int, float] = {}
        """Bytes that each user's last report promised beyond its buffer."""
        self._spare: dict[int, float] = {}
        """Bytes still granted to users whose buffer is empty."""
        self.spent_s = [np.nan] * len(files)

    def run(self) -> None:
        """Send all files."""
        now_s, coming = 0.0, 0
        while coming < len(self._files) or self._left:
            rate = self._byte_per_s()
            due_s = self._files[coming].time_s + _OFFSET_S if coming < len(self._files) else inf
            first = min((*(one[1] for one in self._sending()), *self._spare.values()), default=inf)
            step_s = min(due_s - now_s, first / rate if first < inf else inf)
            for one in self._sending():
                one[1] -= step_s * rate
            for user in self._spare:
                self._spare[user] -= step_s * rate
            now_s += step_s
            if now_s >= due_s:
                self._begin(coming)
                coming += 1
            else:
                self._end(now_s)

    def _sending(self) -> list[list[float]]:
        return [one for mine in self._left.values() for one in (mine[:1] if self._turns else mine)]

    def _byte_per_s(self) -> float:
        """Return the rate of each that sends or has spare grants: a transport block each millisecond."""
        users = max(1, len(self._sending()) + len(self._spare))
        blocks = max(_BLOCKS // users, _LEAST_BLOCKS) if self._blocks else _BLOCKS
        served = min(users, _BLOCKS // blocks)
        return (self._block_bit[blocks] / 8.0 - _BLOCK_HEADER_BYTE) * 1e3 * served / users

    def _begin(self, number: int) -> None:
        file = self._files[number]
        self._spare.pop(file.user, None)
        mine = self._left.setdefault(file.user, [])
        mine.append([number, file.bit / 8.0 * (1.0 + _HEADER_BYTE / _PACKET_BYTE)])
        buffer_byte = sum(one[1] for one in mine) % LEVELS_BYTE[-1]  # a fuller one is granted the largest level first
        self._more[file.user] = LEVELS_BYTE[bisect_left(LEVELS_BYTE, ceil(buffer_byte))] - buffer_byte

    def _end(self, now_s: float) -> None:
        for user, mine in list(self._left.items()):
            for number, _ in [one for one in mine if one[1] <= 1e-6]:
                self.spent_s[int(number)] = now_s - self._files[int(number)].time_s
            self._left[user] = rest = [one for one in mine if one[1] > 1e-6]
            if not rest:
                del self._left[user]
                if self._reports:
                    self._spare[user] = self._more[user]
        self._spare = {user: byte for user, byte in self._spare.items() if byte > 1e-6}
