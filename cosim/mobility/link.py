"""What the two ways to a running SUMO have in common."""

from typing import IO, Protocol, TypeAlias

from cosim.mobility.programs import complaint
from cosim.types import FloatArray

Motion: TypeAlias = tuple[FloatArray, FloatArray, FloatArray]
"""Position (N, 2) in m, speed (N,) in m/s, heading (N,) in degrees."""


class Link(Protocol):
    """A running SUMO."""

    def present(self) -> tuple[str, ...]:
        """Ids of the vehicles on the map now."""
        ...

    def step(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """One step on; gives the ids that departed or ended a teleport, and the ids that arrived."""
        ...

    def type_of(self, vehicle_id: str) -> str:
        """SUMO's vType id."""
        ...

    def motion(self, vehicle_ids: list[str]) -> Motion:
        """Raw motion of the vehicles; SUMO's huge negative number for one that is being teleported."""
        ...

    def close(self) -> None:
        """End SUMO; may be called twice."""
        ...


class SumoError(Exception):
    """SUMO is gone or broken; the message is its own complaint."""


def told(printed: IO[bytes]) -> str:
    """SUMO's complaint in what it printed so far; empty if there is none."""
    printed.seek(0)
    return complaint(printed.read().decode(errors="replace"))
