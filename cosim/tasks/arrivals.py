"""What every arrival process sees, the vehicles on the map, and what it gives, the arrivals of an interval."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cosim.mobility.source import Entry
from cosim.types import FloatArray, IntArray

SIZES = ("input_bit", "output_bit", "cycles", "deadline_s")
"""What an arrival may bring along; the deadline counts from the release."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The vehicles on the map, those that are being teleported too."""

    numbers: IntArray  # (N,) ascending
    types: IntArray  # (N,) index in type_names
    type_names: Sequence[str]


@dataclass(frozen=True, slots=True)
class Arrived:
    """The arrivals of an interval, in order of time."""

    time_s: FloatArray  # (n,) in [start, end)
    vehicle: IntArray  # (n,) numbers of vehicles on the map
    task_class: IntArray | None = None  # (n,) index in tasks.classes, -1: drawn by weight; None: all drawn
    given: Mapping[str, FloatArray] = field(default_factory=dict)  # of SIZES, (n,); NaN: drawn from the class
    dropped: int = 0  # arrivals of vehicles that are not on the map


class ArrivalProcess(Protocol):
    """A source of arrivals; it must not look at anything a policy decides."""

    def enter(self, entries: Iterable[Entry]) -> None:
        """Vehicles have come onto the map."""
        ...

    def draw(self, fleet: Fleet, start_s: float, end_s: float) -> Arrived:
        """The arrivals in [start_s, end_s); called for one interval after the other."""
        ...
