"""The facts of the digital twin: synchronisation, age and error of its state, and the hosts of the twins."""

from dataclasses import dataclass
from math import nan
from typing import Annotated, Any

from cosim.trace.facts.column import Column, SiteNumber, Time, Vehicle
from cosim.types import NOWHERE


@dataclass(frozen=True, slots=True)
class TwinUplinked:
    """The synchronisation messages of one cell and tick have arrived at its site, as one transfer."""

    time_s: Time
    site: SiteNumber
    began_s: Annotated[float, Column("<f8", "s", "when they were sent; the state that they tell is of that time")]
    vehicles: Annotated[int, Column("<i4", "", "messages in it")]
    lost: Annotated[int, Column("<i4", "", "of them were lost on the air")]
    bit: Annotated[float, Column("<f8", "bit", "all messages together")]


@dataclass(frozen=True, slots=True)
class TwinSynced:
    """The twin of a vehicle received a newer state."""

    time_s: Time
    vehicle: Vehicle
    generated_s: Annotated[float, Column("<f8", "s", "time of that state; time_s less this is the age now")]
    node: Annotated[int, Column("<i4", "", "site or cloud on which the twin lives")]


@dataclass(frozen=True, slots=True)
class TwinSampled:
    """Age and error of all twins of vehicles on the map; counts and integrals are running totals."""

    time_s: Time
    twins: Annotated[int, Column("<i4", "", "of vehicles on the map now")]
    mean_age_s: Annotated[float, Column("<f8", "s", "null without twins", absent=nan)]
    max_age_s: Annotated[float, Column("<f8", "s", "null without twins", absent=nan)]
    twin_s: Annotated[float, Column("<f8", "s", "integral of the number of twins over time")]
    age_s2: Annotated[float, Column("<f8", "s^2", "integral of the sum of their ages; over twin_s it is the mean age")]
    sent: Annotated[int, Column("<i8", "", "messages")]
    received: Annotated[int, Column("<i8", "", "messages that brought a newer state")]
    lost: Annotated[int, Column("<i8", "", "messages lost on the air, or held up until a newer one had come")]
    sent_bit: Annotated[float, Column("<f8", "bit", "of all messages")]
    mirror_error_m: Annotated[
        float, Column("<f8", "m", "mean distance between last synchronised and true place", absent=nan)
    ]
    mean_error_m: Annotated[float, Column("<f8", "m", "mean distance between forecast and true place", absent=nan)]
    p95_error_m: Annotated[float, Column("<f8", "m", "95 % of the forecasts are nearer", absent=nan)]
    inside_ratio: Annotated[
        float,
        Column("<f8", "", "share of the true places inside the disc that the forecast said to hold 90 %", absent=nan),
    ]
    demand_error_per_s: Annotated[
        float, Column("<f8", "1/s", "largest |delta_lambda| of S1 eq 9 over the sites", absent=nan)
    ]
    demand_bound_per_s: Annotated[
        float, Column("<f8", "1/s", "epsilon_lambda of S1 eq 9 that was held to bound it", absent=nan)
    ]


@dataclass(frozen=True, slots=True)
class TwinMoved:
    """The twin of a vehicle is on another host from now on."""

    time_s: Time
    vehicle: Vehicle
    from_node: Annotated[int, Column("<i4", "", "null: it is new", absent=NOWHERE)]
    to_node: Annotated[int, Column("<i4", "", "site or cloud; null: no host has room or is in reach", absent=NOWHERE)]
    began_s: Annotated[float, Column("<f8", "s", "when its state set out; for a new one its data")]
    still_s: Annotated[float, Column("<f8", "s", "from when it stood still; updates since then were lost to it")]
    bit: Annotated[float, Column("<f8", "bit", "state that was sent, for a new one data; 0 if no host has room")]


@dataclass(frozen=True, slots=True)
class TwinHostSampled:
    """The twins of a host; those that are being moved count at both ends."""

    time_s: Time
    node: Annotated[int, Column("<i4", "", "site or cloud")]
    twins: Annotated[int, Column("<i4", "", "on this host")]
    capacity: Annotated[int, Column("<i4", "", "most twins")]


FACTS: tuple[type[Any], ...] = (
    TwinUplinked,
    TwinSynced,
    TwinSampled,
    TwinMoved,
    TwinHostSampled,
)
"""The kinds of facts of the digital twin, in the order of storage."""
