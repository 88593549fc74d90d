"""Columns by vehicle number that grow together, and the last state of each vehicle as received by the twin."""

import numpy as np
from numpy.typing import ArrayLike

from cosim.types import AnyArray, BoolArray, FloatArray, IntArray

_FIRST = 256
NO_ROW = -1


class ColumnStore:
    """Named arrays with a row for each vehicle number, or for each row of `Tracks`, that grow together.

    A column is an attribute and is written in place, as in `store.time_s[numbers] = now_s`; `reach` replaces it by a
    longer one, so no reference to a column may be kept. A subclass can annotate its columns with their types.

        >>> store = ColumnStore(2, speed_mps=np.nan)
        >>> store.speed_mps[1] = 13.9
        >>> store.reach(3)
        >>> store.speed_mps.tolist()
        [nan, 13.9, nan, nan]

    Args:
        rows: number of rows at the beginning.
        empty: value of each column in a row that was never written: a number, or an array for a column of more axes.
    """

    def __init__(self, rows: int = 1024, **empty: ArrayLike) -> None:
        self._empty = {name: np.asarray(value) for name, value in empty.items()}
        self._rows = 0
        self.reach(rows)

    def __len__(self) -> int:
        """Number of rows, used or not."""
        return self._rows

    def __getattr__(self, name: str) -> AnyArray:
        """Declare columns for type checkers; Python calls this only for attributes that do not exist."""
        raise AttributeError(f"no column {name}")

    def reach(self, rows: int) -> None:
        """Grow to at least `rows` rows, new ones empty; at least doubled if there are too few."""
        if rows <= self._rows:
            return
        rows = max(rows, 2 * self._rows)
        for name, value in self._empty.items():
            wider = np.full((rows, *value.shape), value)
            if self._rows:
                wider[: self._rows] = getattr(self, name)
            setattr(self, name, wider)
        self._rows = rows


class Tracks(ColumnStore):
    """Last states of vehicles in rows; a row is used again when its vehicle is dropped."""

    number: IntArray
    """Vehicle number; NO_ROW in a row without a vehicle."""
    time_s: FloatArray
    """Time at which the state was true."""
    xy_m: FloatArray  # (rows, 2)
    speed_mps: FloatArray
    heading_deg: FloatArray
    gap_s: FloatArray
    """Time between the last two states, NaN after the first."""

    def __init__(self) -> None:
        super().__init__(
            _FIRST, number=NO_ROW, time_s=0.0, xy_m=np.zeros(2), speed_mps=0.0, heading_deg=0.0, gap_s=np.nan
        )
        self._by_number = ColumnStore(_FIRST, row=NO_ROW)
        self._free: list[int] = list(range(_FIRST - 1, -1, -1))

    @property
    def used(self) -> IntArray:
        """Rows with a vehicle, ascending."""
        return np.flatnonzero(self.number >= 0)

    def find(self, numbers: IntArray) -> IntArray:
        """Return the row (V,) of each vehicle, NO_ROW for an unknown one."""
        known = self._by_number.row
        rows: IntArray = np.where(numbers < len(known), known[np.minimum(numbers, len(known) - 1)], NO_ROW)
        return rows

    def take(self, numbers: IntArray) -> tuple[IntArray, BoolArray]:
        """Return the row (V,) of each vehicle, where new ones get one, and whether the vehicle is new."""
        if len(numbers):
            self._by_number.reach(int(numbers.max()) + 1)
        rows: IntArray = self._by_number.row[numbers]
        new = rows == NO_ROW
        count = int(new.sum())
        if count:
            while len(self._free) < count:
                self._widen()
            rows[new] = [self._free.pop() for _ in range(count)]
            self._by_number.row[numbers[new]] = rows[new]
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
        """Write new states into rows.

        Args:
            rows: (V,) rows.
            new: (V,) whether the vehicle is new.
            time_s: (V,) times of the states.
            xy_m: (V, 2) positions.
            speed_mps: (V,) speeds.
            heading_deg: (V,) headings, clockwise from north.
        """
        self.gap_s[rows] = np.where(new, np.nan, time_s - self.time_s[rows])
        self.time_s[rows], self.xy_m[rows] = time_s, xy_m
        self.speed_mps[rows], self.heading_deg[rows] = speed_mps, heading_deg

    def release(self, numbers: IntArray) -> None:
        """Free the rows of vehicles; unknown ones are ignored."""
        rows = self.find(numbers)
        rows = np.sort(rows[rows >= 0])
        self._by_number.row[self.number[rows]] = NO_ROW
        self.number[rows] = NO_ROW
        self._free += rows[::-1].tolist()

    def _widen(self) -> None:
        old = len(self)
        self.reach(2 * old)
        self._free = list(range(len(self) - 1, old - 1, -1)) + self._free


def grown(column: AnyArray, size: int, empty: float = 0.0) -> AnyArray:
    """Return a column with at least `size` entries; the column itself if it is long enough.

    Args:
        column: any array.
        size: least length of its first axis.
        empty: value of new entries.
    """
    if len(column) >= size:
        return column
    wider = np.full((size, *column.shape[1:]), empty, dtype=column.dtype)
    wider[: len(column)] = column
    return wider
