"""A recording of traffic in memory: positions and motion at each tick in hundredths, and the frames made from them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.mobility.frames import CENTI, from_centi
from cosim.mobility.source import Entry, MobilityFrame
from cosim.roads.net import Bounds
from cosim.types import AnyArray, FloatArray, IntArray, read_only

Centi = NDArray[np.int32]
ABSENT = np.iinfo(np.int32).min
"""Stands for NaN, as the position of a vehicle that is being teleported."""


@dataclass(frozen=True, slots=True)
class RecordedRows:
    """One row for each vehicle and tick."""

    tick: IntArray
    """(rows,) numbers of ticks."""
    vehicle: IntArray
    """(rows,) index in `names`."""
    centi: Centi
    """(rows, 4) x and y in cm, speed in cm/s, heading in hundredths of a degree."""
    names: tuple[tuple[str, str], ...]
    """Id and vType of each vehicle."""

    def chosen(self, which: AnyArray) -> "RecordedRows":
        """Return the rows of a mask, or in another order."""
        return RecordedRows(self.tick[which], self.vehicle[which], self.centi[which], self.names)


@dataclass(frozen=True, slots=True)
class Recording:
    """Rows sorted by tick, then vehicle; vehicles are numbered in order of entry."""

    ticks: int
    """Number of frames, with the empty ones."""
    rows: RecordedRows
    first_row: IntArray
    """(ticks + 1,) first row of each tick."""
    entry_tick: IntArray
    """(vehicles,) first tick of each vehicle, ascending."""
    leaving: IntArray
    """(vehicles,) vehicles by last tick, then number."""
    leaving_tick: IntArray
    """(vehicles,) their last ticks, ascending."""
    bounds_m: Bounds

    def frame(self, tick: int, step_s: float) -> MobilityFrame:
        """Return the frame that was recorded at `tick`."""
        rows = slice(self.first_row[tick], self.first_row[tick + 1])
        centi = self.rows.centi[rows]
        values = from_centi(centi)
        xy_m = values[:, :2].copy()
        xy_m[centi[:, 0] == ABSENT] = np.nan
        first, end = np.searchsorted(self.entry_tick, [tick, tick + 1])
        gone, going = np.searchsorted(self.leaving_tick, [tick - 1, tick])
        return MobilityFrame(
            time_s=tick * step_s,
            numbers=read_only(self.rows.vehicle[rows]),
            xy_m=read_only(xy_m),
            speed_mps=read_only(values[:, 2].copy()),
            heading_deg=read_only(values[:, 3].copy()),
            entered=tuple(Entry(number, *self.rows.names[number]) for number in range(first, end)),
            left=read_only(self.leaving[gone:going]),
        )


def sorted_recording(rows: RecordedRows, ticks: int, bounds_m: Bounds) -> Recording:
    """Return rows as a recording.

    Vehicles are numbered by their first tick, then by their id, as a live source does. A vehicle that has no row at a
    tick between its first and its last is being teleported.

    Args:
        rows: rows in any order.
        ticks: number of frames, with the empty ones.
        bounds_m: of the map.
    """
    codes, vehicle = np.unique(rows.vehicle, return_inverse=True)
    first = np.full(len(codes), np.iinfo(np.int64).max)
    last = np.full(len(codes), -1)
    np.minimum.at(first, vehicle, rows.tick)
    np.maximum.at(last, vehicle, rows.tick)
    ids = np.array([rows.names[code][0] for code in codes], dtype=np.str_)
    order = np.lexsort((codes, ids, first))
    number = np.empty(len(codes), dtype=np.int64)
    number[order] = np.arange(len(codes))
    first, last = first[order], last[order]
    names = tuple(rows.names[code] for code in codes[order])
    full = _with_gaps(RecordedRows(rows.tick, number[vehicle], rows.centi, names), first, last)
    full = full.chosen(np.lexsort((full.vehicle, full.tick)))
    leaving = np.lexsort((np.arange(len(last)), last))
    first_row = np.searchsorted(full.tick, np.arange(ticks + 1))
    return Recording(ticks, full, first_row, first, leaving, last[leaving], bounds_m)


def _with_gaps(rows: RecordedRows, first: IntArray, last: IntArray) -> RecordedRows:
    """Return the rows, with an absent row at each tick that a vehicle lacks between its first and last."""
    lengths = last - first + 1
    total = int(lengths.sum())
    if total == len(rows.tick):
        return rows
    before = np.cumsum(lengths) - lengths
    seen = np.zeros(total, dtype=np.bool_)
    seen[before[rows.vehicle] + rows.tick - first[rows.vehicle]] = True
    missing = np.flatnonzero(~seen)
    vehicle = np.searchsorted(before, missing, side="right") - 1
    absent = np.tile(np.array([ABSENT, ABSENT, 0, 0], dtype=np.int32), (len(missing), 1))
    tick = missing - before[vehicle] + first[vehicle]
    return RecordedRows(
        np.concatenate((rows.tick, tick)),
        np.concatenate((rows.vehicle, vehicle)),
        np.concatenate((rows.centi, absent)),
        rows.names,
    )


def to_centi(values: FloatArray) -> Centi:
    """Return hundredths as integers; NaN becomes ABSENT."""
    whole = np.rint(values * CENTI)
    return np.where(np.isnan(whole), ABSENT, whole).astype(np.int32)
