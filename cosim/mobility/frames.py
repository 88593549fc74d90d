"""Frames from the raw data of a source of traffic: numbering, order, precision."""

from collections.abc import Collection, Iterable

import numpy as np

from cosim.mobility.source import Entry, MobilityFrame
from cosim.types import AnyArray, FloatArray, IntArray, read_only

CENTI = 100.0
"""Hundredths in one: positions, speeds and headings are rounded to 0.01, the precision of SUMO's FCD output."""


def quantise(values: FloatArray) -> FloatArray:
    """Return the nearest multiples of 0.01, without a negative zero; NaN stays NaN.

    >>> quantise(np.array([1.234, -0.001])).tolist()
    [1.23, 0.0]
    """
    return from_centi(np.rint(values * CENTI))


def quantise_heading(heading_deg: FloatArray) -> FloatArray:
    """Return the nearest multiples of 0.01 degree in [0, 360)."""
    return from_centi(np.rint(heading_deg * CENTI) % 36000.0)


def from_centi(hundredths: AnyArray) -> FloatArray:
    """Return hundredths as numbers, with equal bits from integers and from whole floats; + 0.0 turns -0.0 to 0.0."""
    values: FloatArray = hundredths / CENTI + 0.0
    return values


class Roster:
    """The vehicles on the map in order of entry; assigns each its number."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.numbers: IntArray = read_only(np.empty(0, dtype=np.int64))
        self._number: dict[str, int] = {}
        self._next = 0

    def __contains__(self, vehicle_id: str) -> bool:
        return vehicle_id in self._number

    def leave(self, vehicle_ids: Collection[str]) -> IntArray:
        """Remove vehicles and return their numbers, ascending; unknown ids are ignored."""
        gone = sorted(self._number.pop(vehicle_id) for vehicle_id in vehicle_ids if vehicle_id in self._number)
        left: IntArray = read_only(np.array(gone, dtype=np.int64))
        if gone:
            keep = ~np.isin(self.numbers, left, assume_unique=True)
            self.numbers = read_only(self.numbers[keep])
            self.ids = [vehicle_id for vehicle_id in self.ids if vehicle_id in self._number]
        return left

    def enter(self, vehicles: Iterable[tuple[str, str]]) -> tuple[Entry, ...]:
        """Add vehicles (id, vType), in order of their ids, and return their entries."""
        entries = tuple(
            Entry(self._next + k, vehicle_id, vehicle_type)
            for k, (vehicle_id, vehicle_type) in enumerate(sorted(vehicles))
        )
        if entries:
            self._next += len(entries)
            self.ids = self.ids + [entry.vehicle_id for entry in entries]
            self._number.update((entry.vehicle_id, entry.number) for entry in entries)
            self.numbers = read_only(np.append(self.numbers, [entry.number for entry in entries]))
        return entries


def build_frame(
    time_s: float,
    numbers: IntArray,
    motion: tuple[FloatArray, FloatArray, FloatArray],
    entered: tuple[Entry, ...],
    left: IntArray,
) -> MobilityFrame:
    """Return a frame from raw motion.

    Args:
        time_s: simulated time.
        numbers: vehicle numbers, (N,), ascending.
        motion: position (N, 2) in m, NaN while teleporting, speed (N,) in m/s and heading (N,) in degrees.
        entered: vehicles that are new in this frame.
        left: numbers of vehicles that have left since the frame before.
    """
    xy_m, speed_mps, heading_deg = motion
    gone = np.isnan(xy_m[:, 0])
    speed_mps, heading_deg = quantise(speed_mps), quantise_heading(heading_deg)
    if gone.any():
        speed_mps[gone] = heading_deg[gone] = 0.0
    xy_m, speed_mps, heading_deg = map(read_only, (quantise(xy_m), speed_mps, heading_deg))
    return MobilityFrame(time_s, numbers, xy_m, speed_mps, heading_deg, entered, left)
