"""The interface of an arrival process: the vehicles on the map in, the arrivals of an interval out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cosim.mobility.source import Entry
from cosim.types import FloatArray, IntArray

SIZES = ("input_bit", "output_bit", "cycles", "deadline_s")
"""Quantities that an arrival may carry itself; the deadline counts from the release."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The vehicles on the map, including those that are being teleported."""

    numbers: IntArray
    """(N,) vehicle numbers, ascending."""
    types: IntArray
    """(N,) index in `type_names`."""
    type_names: Sequence[str]
    """SUMO's vType ids."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """The arrivals of an interval, in order of time."""

    time_s: FloatArray
    """(n,) times of release in [start, end)."""
    vehicle: IntArray
    """(n,) numbers of vehicles on the map."""
    task_class: IntArray | None = None
    """(n,) index in tasks.classes, -1: drawn by weight; None: all drawn."""
    given: Mapping[str, FloatArray] = field(default_factory=dict)
    """Columns of `SIZES`, (n,) each; NaN: drawn from the class."""
    dropped: int = 0
    """Number of arrivals of vehicles that are not on the map."""


class ArrivalProcess(Protocol):
    """A source of arrivals; it must not depend on anything that a policy decides.

    One that can tell may also have `exhausted(now_s)`: whether no arrival comes at or after now_s, whatever vehicles
    enter. Without it, arrivals may always come.
    """

    def enter(self, entries: Iterable[Entry]) -> None:
        """Take in vehicles that have entered the map."""
        ...

    def draw(self, fleet: Fleet, start_s: float, end_s: float) -> Arrived:
        """Return the arrivals in [start_s, end_s); called for one interval after the other, some before they begin.

        Args:
            fleet: vehicles on the map.
            start_s: begin of the interval.
            end_s: its end.
        """
        ...
