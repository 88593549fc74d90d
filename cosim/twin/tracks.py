"""The last state of each vehicle as it came to the twin, in columns that the forecasters share."""

import numpy as np

from cosim.types import AnyArray, BoolArray, FloatArray, IntArray

_FIRST = 256
NO_ROW = -1


class Tracks:
    """Rows of vehicles; a row is used again when its vehicle is forgotten.

    Columns have one entry for each row, used or not: `time_s` of the state, `xy_m` (rows, 2), `speed_mps`,
    `heading_deg`, and `gap_s` between the last two states, NaN after the first.
    """

    def __init__(self) -> None:
        self.number: IntArray = np.full(_FIRST, NO_ROW, dtype=np.int64)
        self.time_s: FloatArray = np.zeros(_FIRST)
        self.xy_m: FloatArray = np.zeros((_FIRST, 2))
        self.speed_mps: FloatArray = np.zeros(_FIRST)
        self.heading_deg: FloatArray = np.zeros(_FIRST)
        self.gap_s: FloatArray = np.full(_FIRST, np.nan)
        self._row: IntArray = np.full(_FIRST, NO_ROW, dtype=np.int64)  # by number
        self._free: list[int] = list(range(_FIRST - 1, -1, -1))

    @property
    def capacity(self) -> int:
        """Rows there are."""
        return len(self.number)

    @property
    def used(self) -> IntArray:
        """Rows with a vehicle."""
        return np.flatnonzero(self.number >= 0)

    def find(self, numbers: IntArray) -> IntArray:
        """(V,) row of each vehicle, NO_ROW for an unknown one."""
        inside = np.minimum(numbers, len(self._row) - 1)
        rows: IntArray = np.where(numbers < len(self._row), self._row[inside], NO_ROW)
        return rows

    def take(self, numbers: IntArray) -> tuple[IntArray, BoolArray]:
        """(V,) row of each vehicle, new ones get one, and whether the vehicle is new."""
        if len(numbers) and (most := int(numbers.max())) >= len(self._row):
            self._row = grown(self._row, max(most + 1, 2 * len(self._row)), NO_ROW)
        rows = self._row[numbers]
        new = rows == NO_ROW
        count = int(new.sum())
        if count:
            while len(self._free) < count:
                self._widen()
            rows[new] = [self._free.pop() for _ in range(count)]
            self._row[numbers[new]] = rows[new]
            self.number[rows[new]] = numbers[new]
            self.gap_s[rows[new]] = np.nan
        return rows, new

    def write(
        self,
        rows: IntArray,
        new: BoolArray,
        time_s: FloatArray,
        xy_m: FloatArray,
        speed_mps: FloatArray,
        heading_deg: FloatArray,
    ) -> None:
        """Puts new states into rows."""
        self.gap_s[rows] = np.where(new, np.nan, time_s - self.time_s[rows])
        self.time_s[rows], self.xy_m[rows] = time_s, xy_m
        self.speed_mps[rows], self.heading_deg[rows] = speed_mps, heading_deg

    def release(self, numbers: IntArray) -> None:
        """Gives the rows of vehicles back; unknown ones are ignored."""
        rows = self.find(numbers)
        rows = np.sort(rows[rows >= 0])
        self._row[self.number[rows]] = NO_ROW
        self.number[rows] = NO_ROW
        self._free += rows[::-1].tolist()

    def _widen(self) -> None:
        old, new = self.capacity, 2 * self.capacity
        self.number = grown(self.number, new, NO_ROW)
        self.time_s, self.xy_m = grown(self.time_s, new), grown(self.xy_m, new)
        self.speed_mps, self.heading_deg = grown(self.speed_mps, new), grown(self.heading_deg, new)
        self.gap_s = grown(self.gap_s, new)
        self._free = list(range(new - 1, old - 1, -1)) + self._free


def grown(column: AnyArray, size: int, empty: float = 0.0) -> AnyArray:
    """The column with `size` entries, new ones `empty`."""
    if len(column) >= size:
        return column
    wider = np.full((size, *column.shape[1:]), empty, dtype=column.dtype)
    wider[: len(column)] = column
    return wider
