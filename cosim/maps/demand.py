"""Random traffic demand of a map: rates, vehicle classes, hours of the day, and a wanted number of vehicles at once."""

import tempfile
from dataclasses import dataclass, replace
from math import ceil, sqrt
from pathlib import Path
from typing import Literal

import numpy as np

from cosim.errors import InputError
from cosim.maps.occupancy import BAND, HELD_S, best_held, held, occupancy_curve, settled
from cosim.mobility.demand import random_routes
from cosim.roads.net import RoadNet, read_net
from cosim.roads.parts import connected_parts
from cosim.roads.xmlscan import scan_xml

DENSITY_PER_LANE_KM = 5.0
"""Vehicles at once on a km of lane that demand aims at unless a rate or number is asked for."""
LEAST_AT_ONCE = 20
"""Least number at once that it aims at."""
_SAMPLED = 200
"""Most vehicles at once of the first, thin traffic, which tells how long a trip takes."""
_SAMPLED_TRIP_S = 200.0
_AIMS = 3
_SHORTEST_S, _LONGEST_S = 900.0, 1800.0
"""Time for which such traffic is watched, four trips if these lie between."""
_BOUND = 1.25
_FILLED_S = 600.0
_ROUNDS = 8
_TRIED_S = 2100.0
"""Twenty-five minutes to fill and ten to hold."""
_FIRST_TRIP_S = 500.0
"""Assumed mean trip for the first rate, long so that the rate is low: a jam takes long to compute."""
_NO_EDGES = "no valid edges"
_FRINGE = {"fringe": "5", "uniform": "1"}
_MIX = """<additional><vTypeDistribution id="mix">
    <vType id="passenger" vClass="passenger" probability="{cars:.6f}"/>
    <vType id="truck" vClass="truck" probability="{trucks:.6f}"/>
    <vType id="bus" vClass="bus" probability="{buses:.6f}"/>
</vTypeDistribution></additional>
"""


@dataclass(frozen=True, slots=True)
class Demand:
    """The random traffic that is asked for."""

    vehicles_per_hour: float | None = None
    concurrent: int | None = None
    pattern: Literal["fringe", "uniform"] = "fringe"
    profile: tuple[tuple[int, float], ...] = ()  # hour of the day from which on, factor of the rate
    trucks: float = 0.0  # shares of the vehicles
    buses: float = 0.0
    seed: int = 1
    end_s: float | None = None  # last departure


@dataclass(frozen=True, slots=True)
class MadeDemand:
    """Traffic that was made: its rate, and the number of vehicles that it brings on the road."""

    vehicles_per_hour: float
    end_s: float
    begin_s: float  # the map is full from then on
    at_once: float  # mean number of vehicles over ten minutes from begin_s on
    notes: tuple[str, ...]


def parse_profile(text: str) -> tuple[tuple[int, float], ...]:
    """Return the points of a daily profile such as `0:0.3,7:1,9:0.6`: from an hour on, the factor of the rate.

    Raises:
        InputError: the text is not such a list.

    >>> parse_profile("7:1,0:0.3")
    ((0, 0.3), (7, 1.0))
    """
    points: list[tuple[int, float]] = []
    for part in filter(None, text.split(",")):
        hour, colon, factor = part.partition(":")
        try:
            point = int(hour), float(factor)
        except ValueError:
            point = -1, 0.0
        if not colon or not 0 <= point[0] < 24 or not 0.0 < point[1] <= 100.0:
            raise InputError(f"--profile={text}: {part!r} is not HOUR:FACTOR; write hours 0..23 and factors above 0")
        points.append(point)
    if len({hour for hour, _ in points}) < len(points):
        raise InputError(f"--profile={text}: an hour is given twice; give each once")
    return tuple(sorted(points))


def make_demand(net: Path, routes: Path, wish: Demand) -> MadeDemand:
    """Write random, validated, routed traffic for a net, and return its figures.

    Args:
        net: net of the map.
        routes: file to write, *.rou.xml.gz.
        wish: the traffic that is asked for; without a rate or number, about 5 vehicles at once on each km of lane, and
            at least 20.

    Raises:
        InputError: its fields contradict each other or are out of range, or the net carries no trip.
    """
    _check(wish)
    wish = replace(wish, end_s=wish.end_s or (86400.0 if wish.profile else 3600.0))
    roads = read_net(net)
    ground = _Ground(net, routes, len(connected_parts(roads)) > 1)
    if wish.concurrent is not None:
        return _hold(ground, wish, wish.concurrent)
    if wish.vehicles_per_hour is None:
        return _aim(ground, wish, roads)
    made_per_h, missing = _made(ground, wish, wish.vehicles_per_hour)
    begin_s, at_once, notes = _filled(ground, wish)
    return MadeDemand(made_per_h, wish.end_s or 0.0, begin_s, at_once, (*notes, *missing))


def _filled(ground: "_Ground", wish: Demand) -> tuple[float, float, tuple[str, ...]]:
    """Return from when on the map is full, the mean number of vehicles in the ten minutes after it, and notes.

    With a profile the map counts as full ten minutes into its busiest hour, and the number, NaN, is not measured.
    """
    if wish.profile:
        busiest = max(wish.profile, key=lambda point: point[1])[0]
        return busiest * 3600.0 + _FILLED_S, float("nan"), (f"busiest from hour {busiest} on",)
    curve = occupancy_curve(ground.net, ground.routes, min(wish.end_s or 3600.0, 1800.0))
    if not len(curve.running) or curve.running.max() == 0:
        raise InputError(
            f"{ground.net.name}: no vehicle of the demand departs within 1800 s; raise --vehicles-per-hour"
        )
    begin_s = float(curve.time_s[np.argmax(curve.running >= 0.9 * curve.running.max())])
    return begin_s, float(curve.running[curve.time_s >= begin_s][:600].mean()), ()


def _check(wish: Demand) -> None:
    if wish.concurrent is not None and (wish.vehicles_per_hour is not None or wish.profile):
        raise InputError("--concurrent finds the rate itself; leave --vehicles-per-hour and --profile out")
    for name, value in (("--concurrent", wish.concurrent), ("--vehicles-per-hour", wish.vehicles_per_hour)):
        if value is not None and not 1 <= value <= 1_000_000:
            raise InputError(f"{name}={value:g} is outside 1..1000000; choose another")
    if wish.concurrent is not None and (wish.end_s or 3600.0) < 1800.0:
        raise InputError(f"--concurrent needs time to fill and ten minutes to hold, --end={wish.end_s:g}; use 1800 s")
    if not (wish.trucks >= 0 and wish.buses >= 0 and wish.trucks + wish.buses <= 1):
        raise InputError(f"--trucks={wish.trucks:g} --buses={wish.buses:g} are not shares of 1; lower them")
    if wish.end_s is not None and not HELD_S <= wish.end_s <= 864_000:
        raise InputError(f"--end={wish.end_s:g} is outside 600..864000 s; choose another")


def _aim(ground: "_Ground", wish: Demand, roads: RoadNet) -> MadeDemand:
    """Write traffic with about 5 vehicles at once on each km of lane, at least 20.

    Thin traffic tells how long a trip takes; by Little's law that gives the rate for the number, which is corrected at
    most twice. Where the roads take fewer vehicles than depart, the rate is lowered to what they take.
    """
    wanted = max(LEAST_AT_ONCE, round(DENSITY_PER_LANE_KM * roads.lane_m / 1000.0))
    even = replace(wish, profile=(), end_s=min(wish.end_s or 3600.0, 3600.0) if wish.profile else wish.end_s)
    even_end_s = even.end_s or 3600.0

    def measured(rate_per_s: float, watched_s: float) -> tuple[float, float]:
        _write(ground, even, rate_per_s * 3600.0)
        bound = round(_BOUND * wanted)
        return settled(occupancy_curve(ground.net, ground.routes, min(even_end_s, watched_s), bound))

    low = min(wanted, _SAMPLED) / _SAMPLED_TRIP_S
    trip_s = max(1.0, measured(low, _LONGEST_S)[1] / low)
    watched_s = min(max(_SHORTEST_S, 4.0 * trip_s), _LONGEST_S)
    rate_per_s, high = wanted / trip_s, float("inf")
    tried: list[tuple[float, tuple[float, float]]] = []
    for _ in range(_AIMS):
        tried.append((rate_per_s, measured(rate_per_s, watched_s)))
        at_once = max(1.0, tried[-1][1][1])
        if abs(at_once - wanted) <= BAND * wanted:
            break
        if at_once > wanted:
            high = rate_per_s
        elif at_once < 0.6 * rate_per_s * trip_s:  # fewer find room than depart
            high, rate_per_s = rate_per_s, at_once / trip_s
            low = min(low, rate_per_s)
            continue
        else:
            low = max(low, rate_per_s)
        little = rate_per_s * wanted / at_once
        # Where the number leaps between two rates the roads jam, and Little's law does not hold.
        rate_per_s = little if low < little < high and at_once < _BOUND * wanted * 0.98 else sqrt(low * high)
    off = min(abs(at_once - wanted) for _, (_, at_once) in tried)
    near = [one for one in tried if abs(one[1][1] - wanted) <= off + 0.1 * wanted]
    rate_per_s, (begin_s, at_once) = min(near)
    aimed = f"aims at {wanted} vehicles at once, {DENSITY_PER_LANE_KM:g} a lane-km and at least {LEAST_AT_ONCE}"
    notes: tuple[str, ...] = (f"{aimed}; --concurrent or --vehicles-per-hour change it",)
    if at_once < (1.0 - BAND) * wanted:
        notes = (*notes, f"the roads carry about {at_once:.0f}; at more departures they jam or let none in")
    made_per_h, missing = _made(ground, wish, rate_per_s * 3600.0)
    if wish.profile:
        begin_s, at_once, busiest = _filled(ground, wish)
        notes = (*notes, *busiest)
    return MadeDemand(made_per_h, wish.end_s or 0.0, begin_s, at_once, (*notes, *missing))


def _hold(ground: "_Ground", wish: Demand, wanted: int) -> MadeDemand:
    """Find the rate at which about `wanted` vehicles drive at once for ten minutes, and write its traffic.

    Little's law gives the first rates, from the mean time a vehicle spends; once one rate was too high, bisection
    does. On a jammed net the number grows through the wanted one without coming to rest: then the rate that held the
    largest number steadily is taken, and a note says how large.
    """
    end_s = wish.end_s or 3600.0
    trial = replace(wish, end_s=min(end_s, _TRIED_S))
    rate_per_s, low, high = wanted / _FIRST_TRIP_S, 0.0, float("inf")
    tried: list[tuple[float, tuple[float, float]]] = []
    for count in range(1, _ROUNDS + 1):
        _write(ground, trial, rate_per_s * 3600.0)
        most = round(_BOUND * wanted)
        curve = occupancy_curve(ground.net, ground.routes, min(end_s, _TRIED_S), most)
        found = held(curve, wanted)
        if found is not None:
            _write(ground, wish, rate_per_s * 3600.0)
            note = f"{found[1]:.0f} vehicles at once were held for ten minutes, found in {count} rounds"
            return MadeDemand(rate_per_s * 3600.0, end_s, found[0], found[1], (note,))
        tried.append((rate_per_s, best_held(curve, most)))
        if curve.running.max() > (1.0 + BAND) * wanted:
            high = rate_per_s
        else:
            low = rate_per_s
        # By Little's law vehicles at once grow with the rate, as long as trips take as long: until a rate was too high.
        little = rate_per_s * wanted / max(1.0, float(curve.running[-300:].mean()))
        within = low < little < high and high == float("inf")
        rate_per_s = min(little, 4.0 * rate_per_s) if within else (low + min(high, 4.0 * low or high)) / 2.0
    # Every rate so far jams the net: lower it until some number of vehicles is held.
    while not any(at_once for _, (_, at_once) in tried) and len(tried) < 2 * _ROUNDS:
        rate_per_s = 0.7 * min(rate for rate, _ in tried)
        _write(ground, trial, rate_per_s * 3600.0)
        curve = occupancy_curve(ground.net, ground.routes, min(end_s, _TRIED_S), round(_BOUND * wanted))
        tried.append((rate_per_s, best_held(curve, _BOUND * wanted)))
    rate_per_s, (begin_s, at_once) = max(tried, key=lambda one: one[1][1])
    _write(ground, wish, rate_per_s * 3600.0)
    note = f"the net cannot hold {wanted} vehicles at once for ten minutes, it jams; it carries about {at_once:.0f}"
    return MadeDemand(rate_per_s * 3600.0, end_s, begin_s, at_once, (note,))


@dataclass(frozen=True, slots=True)
class _Ground:
    """The net, the file for its routes, and whether trips may begin on roads that lead out of it, and end on those in.

    Without them a part of a net that is one road would have no traffic at all.
    """

    net: Path
    routes: Path
    everywhere: bool


def _made(ground: _Ground, wish: Demand, rate_per_h: float) -> tuple[float, tuple[str, ...]]:
    """Write traffic, and return the departures an hour that it has, and a note if these are fewer than asked for.

    With a profile the rate is that of factor 1.
    """
    departures = _write(ground, wish, rate_per_h)
    if wish.profile:
        return rate_per_h, ()
    made_per_h = departures * 3600.0 / (wish.end_s or 3600.0)
    if made_per_h > 0.95 * rate_per_h:
        return made_per_h, ()
    return made_per_h, (f"of {rate_per_h:.0f} trips an hour, {made_per_h:.0f} found a way",)


def _write(ground: _Ground, wish: Demand, rate_per_h: float) -> int:
    """Write traffic, and return its number of vehicles.

    Weights by length are 0 on a net whose edges all end at its rim; trips that may begin and end everywhere come last,
    because they enter at the wrong side of the map.
    """
    end_s = wish.end_s or 3600.0
    options = ["--seed", str(wish.seed), "--random-depart", "--random-departpos", "--remove-loops"]
    options += ["--edge-permission", "passenger", "--fringe-factor", _FRINGE[wish.pattern], "--lanes"]
    hours = ceil(end_s / 3600.0) if wish.profile else 0
    if wish.profile:
        periods = [3600.0 / (rate_per_h * _factor(wish.profile, hour % 24)) for hour in range(hours)]
        options += ["--end", str(hours * 3600), "--period", *(f"{period:.6f}" for period in periods)]
    else:
        options += ["--end", f"{end_s:g}", "--period", f"{3600.0 / rate_per_h:.6f}"]
    with tempfile.TemporaryDirectory() as folder:
        mix = Path(folder) / "mix.add.xml"
        cars = 1.0 - wish.trucks - wish.buses
        mix.write_text(_MIX.format(cars=cars, trucks=wish.trucks, buses=wish.buses), encoding="utf-8")
        attributes = 'type="mix" departLane="best" departSpeed="max"'
        options += ["--additional-files", str(mix), "--trip-attributes", attributes]
        anywhere = [["--length", "--allow-fringe"], ["--allow-fringe"]]
        for more in anywhere if ground.everywhere else [["--length"], [], *anywhere]:
            try:
                random_routes(ground.net, ground.routes, [*options, *more])
            except InputError as error:
                if _NO_EDGES not in str(error):
                    raise
                continue
            if departures := _count(ground.routes):
                return departures
    raise InputError(f"{ground.net.name}: no trip finds a way on its roads; take a map with roads for cars")


def _count(routes: Path) -> int:
    found: list[str] = []

    def on_element(name: str, _: dict[str, str]) -> None:
        if name == "vehicle":
            found.append(name)

    scan_xml(routes, on_element, "make the demand again")
    return len(found)


def _factor(profile: tuple[tuple[int, float], ...], hour: int) -> float:
    """Return the factor of an hour; before the first point that of the last, as a day follows the other."""
    return next((factor for begin, factor in reversed(profile) if begin <= hour), profile[-1][1])
