"""What every source of traffic gives: a frame of arrays at each tick."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from cosim.types import BoolArray, FloatArray, IntArray


class Entry(NamedTuple):
    """A vehicle that is in a frame for the first time."""

    number: int
    vehicle_id: str
    vehicle_type: str


@dataclass(frozen=True, slots=True)
class MobilityFrame:
    """All vehicles at one tick, in order of entry.

    Positions, speeds and headings are multiples of 0.01 (the precision of SUMO's FCD output), so that libsumo, traci
    and a replay of a recording agree bit for bit. A vehicle that is being teleported stays in the frame with NaN
    positions, speed 0 and heading 0; a parked vehicle stays with its position.
    """

    time_s: float
    numbers: IntArray  # (N,) ascending, never used again for another vehicle
    xy_m: FloatArray  # (N, 2)
    speed_mps: FloatArray  # (N,)
    heading_deg: FloatArray  # (N,) clockwise from north, as in SUMO
    entered: tuple[Entry, ...]
    left: IntArray  # numbers that were in the frame before and are not any more, ascending

    @property
    def on_road(self) -> BoolArray:  # (N,)
        """False for a vehicle that is being teleported."""
        on_road: BoolArray = self.xy_m[:, 0] == self.xy_m[:, 0]
        return on_road


class MobilitySource(Protocol):
    """A stream of frames, one for each tick."""

    step_s: float
    bounds_m: tuple[float, float, float, float]  # min x, min y, max x, max y of the map

    def advance(self, tick: int) -> MobilityFrame:
        """The frame at `tick * step_s` of the run's clock; ticks 0, 1, 2, ... in order.

        Raises:
            RunError: the source broke, for example because SUMO was killed.
        """
        ...

    def close(self) -> None:
        """End the source; may be called twice."""
        ...
