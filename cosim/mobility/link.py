"""The interface to a running SUMO, common to libsumo and traci."""

from typing import IO, Protocol, TypeAlias

from cosim.mobility.programs import first_error
from cosim.types import FloatArray

Motion: TypeAlias = tuple[FloatArray, FloatArray, FloatArray]
"""Position (N, 2) in m, speed (N,) in m/s, heading (N,) in degrees."""


class Link(Protocol):
    """A running SUMO."""

    def present(self) -> tuple[str, ...]:
        """Return the ids of the vehicles on the map now."""
        ...

    def step(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Advance one step; return the ids that departed or ended a teleport, and the ids that arrived."""
        ...

    def advance_to(self, time_s: float) -> None:
        """Advance over all steps before a time, without reading anything."""
        ...

    def time_s(self) -> float:
        """Return the time that SUMO's clock shows."""
        ...

    def type_of(self, vehicle_id: str) -> str:
        """Return the vehicle's vType id."""
        ...

    def motion(self, vehicle_ids: list[str]) -> Motion:
        """Return the raw motion of vehicles; for one that is being teleported SUMO gives a huge negative number."""
        ...

    def close(self) -> None:
        """End SUMO; may be called twice."""
        ...


class SumoError(Exception):
    """A failure of SUMO; the message is SUMO's own."""


def printed_error(printed: IO[bytes]) -> str:
    """Return SUMO's error message in what it has printed so far; empty if there is none."""
    printed.seek(0)
    return first_error(printed.read().decode(errors="replace"))
