"""Turns what a source of traffic says about its vehicles into frames: numbering, order, precision."""

from collections.abc import Collection, Iterable

import numpy as np

from cosim.mobility.source import Entry, MobilityFrame
from cosim.types import AnyArray, FloatArray, IntArray

CENTI = 100.0
"""Hundredths in one: positions, speeds and headings are kept to 0.01, the precision of SUMO's FCD output."""


def quantise(values: FloatArray) -> FloatArray:
    """Nearest multiples of 0.01, without a negative zero; NaN stays NaN."""
    return from_centi(np.rint(values * CENTI))


def quantise_heading(heading_deg: FloatArray) -> FloatArray:
    """Nearest multiples of 0.01 degree in [0, 360)."""
    return from_centi(np.rint(heading_deg * CENTI) % 36000.0)


def from_centi(hundredths: AnyArray) -> FloatArray:
    """Hundredths as numbers, the same bits from integers and from whole floats; + 0.0 makes -0.0 a plain zero."""
    values: FloatArray = hundredths / CENTI + 0.0
    return values


class Roster:
    """The vehicles on the map in order of entry; gives each its number."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.numbers: IntArray = np.empty(0, dtype=np.int64)
        self._number: dict[str, int] = {}
        self._next = 0

    def __contains__(self, vehicle_id: str) -> bool:
        return vehicle_id in self._number

    def leave(self, vehicle_ids: Collection[str]) -> IntArray:
        """Takes vehicles off and gives their numbers, ascending; unknown ids are ignored."""
        gone = sorted(self._number.pop(vehicle_id) for vehicle_id in vehicle_ids if vehicle_id in self._number)
        left = np.array(gone, dtype=np.int64)
        if gone:
            keep = ~np.isin(self.numbers, left, assume_unique=True)
            self.numbers = self.numbers[keep]
            self.ids = [vehicle_id for vehicle_id in self.ids if vehicle_id in self._number]
        return left

    def enter(self, vehicles: Iterable[tuple[str, str]]) -> tuple[Entry, ...]:
        """Puts vehicles (id, type) on, in order of their ids."""
        entries = tuple(
            Entry(self._next + k, vehicle_id, vehicle_type)
            for k, (vehicle_id, vehicle_type) in enumerate(sorted(vehicles))
        )
        if entries:
            self._next += len(entries)
            self.ids = self.ids + [entry.vehicle_id for entry in entries]
            self._number.update((entry.vehicle_id, entry.number) for entry in entries)
            self.numbers = np.append(self.numbers, [entry.number for entry in entries])
        return entries


def build_frame(
    time_s: float,
    numbers: IntArray,
    motion: tuple[FloatArray, FloatArray, FloatArray],
    entered: tuple[Entry, ...],
    left: IntArray,
) -> MobilityFrame:
    """A frame from raw position (N, 2) in m, speed (N,) in m/s and heading (N,) in degrees; NaN while teleporting."""
    xy_m, speed_mps, heading_deg = motion
    gone = np.isnan(xy_m[:, 0])
    speed_mps, heading_deg = quantise(speed_mps), quantise_heading(heading_deg)
    if gone.any():
        speed_mps[gone] = heading_deg[gone] = 0.0
    return MobilityFrame(time_s, numbers, quantise(xy_m), speed_mps, heading_deg, entered, left)
