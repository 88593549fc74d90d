"""The facts of the zones: one frozen dataclass for each kind."""

from dataclasses import dataclass
from typing import Annotated

from cosim.trace.facts.column import Column, Text, Time


@dataclass(frozen=True, slots=True)
class ZoneDeployed:
    """A zone of the run, stated once at the start."""

    time_s: Time
    zone: Annotated[int, Column("<i4", "", "zone number, in order of the scenario")]
    name: Text
    x_m: Annotated[float, Column("<f8", "m", "centre")]
    y_m: Annotated[float, Column("<f8", "m", "centre")]
    radius_m: Annotated[float, Column("<f8", "m")]


@dataclass(frozen=True, slots=True)
class ZoneCounted:
    """The vehicles of a zone, stated when their report has come or is given up."""

    time_s: Time
    zone: Annotated[int, Column("<i4", "", "zone number, as in ZoneDeployed")]
    counted_s: Annotated[float, Column("<f8", "s", "when the vehicles were counted")]
    vehicles: Annotated[int, Column("<i4", "", "inside the zone then")]
    arrived: Annotated[int, Column("<i1", "", "1: the report came; 0: it was given up, or the run ended first")]


FACTS = (ZoneDeployed, ZoneCounted)
