"""The interface of a source of traffic: a frame of arrays at each tick."""

from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Final, NamedTuple, Protocol

from cosim.types import BoolArray, FloatArray, IntArray, read_only

_ARRAYS: Final = ("numbers", "xy_m", "speed_mps", "heading_deg", "left")
_arrays = attrgetter(*_ARRAYS)


class Entry(NamedTuple):
    """A vehicle that is in a frame for the first time."""

    number: int
    """Vehicle number, never used again in the run."""
    vehicle_id: str
    """Id in the source, SUMO's for example."""
    vehicle_type: str
    """Id of SUMO's vType."""


@dataclass(frozen=True, slots=True)
class MobilityFrame:
    """All vehicles at one tick, in order of entry.

    Positions, speeds and headings are multiples of 0.01 (the precision of SUMO's FCD output), so that libsumo, traci
    and a replay of a recording agree bit for bit. A vehicle that is being teleported stays in the frame with NaN
    positions, speed 0 and heading 0; a parked vehicle stays with its position.
    """

    time_s: float
    """Simulated time."""
    numbers: IntArray
    """(N,) vehicle numbers, ascending."""
    xy_m: FloatArray
    """(N, 2) positions."""
    speed_mps: FloatArray
    """(N,) speeds."""
    heading_deg: FloatArray
    """(N,) headings, clockwise from north as in SUMO."""
    entered: tuple[Entry, ...]
    """Vehicles that were not in the frame before."""
    left: IntArray
    """Numbers of vehicles that were in the frame before and are not any more, ascending."""
    coming_m: FloatArray | None = None
    """(K, N, 2) positions at the K coming ticks, at which the same vehicles will be there; None: not known."""

    def read_only(self) -> "MobilityFrame":
        """Return the frame if nobody can write its arrays, else one with copies: a source may write its own again."""
        coming_m = self.coming_m
        if not any(array.flags.writeable for array in (*_arrays(self), coming_m) if array is not None):
            return self
        copies = {name: read_only(getattr(self, name).copy()) for name in _ARRAYS}
        return replace(self, **copies, coming_m=None if coming_m is None else read_only(coming_m.copy()))

    @property
    def on_road(self) -> BoolArray:  # (N,)
        """(N,) whether each vehicle is on the road; False while it is being teleported."""
        on_road: BoolArray = self.xy_m[:, 0] == self.xy_m[:, 0]
        return read_only(on_road)


class MobilitySource(Protocol):
    """A stream of frames, one for each tick."""

    step_s: float
    """Time between two ticks."""
    bounds_m: tuple[float, float, float, float]
    """Smallest x, smallest y, largest x, largest y of the map."""

    def advance(self, tick: int) -> MobilityFrame:
        """Return the frame at `tick * step_s` of the run's clock; called for ticks 0, 1, 2, ... in order.

        Raises:
            RunError: the source failed, for example because SUMO was killed.
        """
        ...

    def close(self) -> None:
        """Close the source; may be called twice."""
        ...
