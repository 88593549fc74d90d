"""Random traffic demand of a map: rates, vehicle classes, hours of the day, and a wanted number of vehicles at once."""

import tempfile
from dataclasses import dataclass, replace
from math import ceil, sqrt
from pathlib import Path
from typing import Literal

import numpy as np

from cosim.errors import InputError
from cosim.maps.occupancy import OccupancyCurve, occupancy_curve
from cosim.mobility.demand import random_routes
from cosim.roads.net import read_net

DENSITY_PER_H_KM = 12.0
"""Default departures an hour and km of road: a quiet city."""
HELD_S = 600.0
"""Time for which a wanted number of vehicles at once has to hold."""
_BAND = 0.15
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
        wish: the traffic that is asked for; without a rate or number, 12 departures an hour and km of road.

    Raises:
        InputError: its fields contradict each other or are out of range, or the net carries no trip.
    """
    _check(wish)
    wish = replace(wish, end_s=wish.end_s or (86400.0 if wish.profile else 3600.0))
    if wish.concurrent is not None:
        return _hold(net, routes, wish, wish.concurrent)
    rate_per_h = wish.vehicles_per_hour or max(60.0, DENSITY_PER_H_KM * read_net(net).length_m / 1000.0)
    _write(net, routes, wish, rate_per_h)
    begin_s, at_once, notes = filled_from(net, (routes,), (), wish)
    return MadeDemand(rate_per_h, wish.end_s or 0.0, begin_s, at_once, notes)


def filled_from(
    net: Path, routes: tuple[Path, ...], additional: tuple[Path, ...], wish: Demand
) -> tuple[float, float, tuple[str, ...]]:
    """Return from when on the map is full, the mean number of vehicles in the ten minutes after it, and notes.

    With a profile the map counts as full ten minutes into its busiest hour, and the number, NaN, is not measured.

    Args:
        net: net of the map.
        routes: files of its demand.
        additional: its additional files.
        wish: the traffic that was asked for.

    Raises:
        InputError: no vehicle departs within 1800 s.
    """
    if wish.profile:
        busiest = max(wish.profile, key=lambda point: point[1])[0]
        return busiest * 3600.0 + _FILLED_S, float("nan"), (f"busiest from hour {busiest} on",)
    curve = occupancy_curve(net, routes, additional, 0.0, min(wish.end_s or 3600.0, 1800.0), None)
    if not len(curve.running) or curve.running.max() == 0:
        raise InputError(f"{net.name}: no vehicle of the demand departs within 1800 s; raise --vehicles-per-hour")
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


def _hold(net: Path, routes: Path, wish: Demand, wanted: int) -> MadeDemand:
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
        _write(net, routes, trial, rate_per_s * 3600.0)
        most = round(_BOUND * wanted)
        curve = occupancy_curve(net, (routes,), (), 0.0, min(end_s, _TRIED_S), most)
        found = held(curve, wanted)
        if found is not None:
            _write(net, routes, wish, rate_per_s * 3600.0)
            note = f"{found[1]:.0f} vehicles at once were held for ten minutes, found in {count} rounds"
            return MadeDemand(rate_per_s * 3600.0, end_s, found[0], found[1], (note,))
        tried.append((rate_per_s, best_held(curve, most)))
        if curve.running.max() > (1.0 + _BAND) * wanted:
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
        _write(net, routes, trial, rate_per_s * 3600.0)
        curve = occupancy_curve(net, (routes,), (), 0.0, min(end_s, _TRIED_S), round(_BOUND * wanted))
        tried.append((rate_per_s, best_held(curve, _BOUND * wanted)))
    rate_per_s, (begin_s, at_once) = max(tried, key=lambda one: one[1][1])
    _write(net, routes, wish, rate_per_s * 3600.0)
    note = f"the net cannot hold {wanted} vehicles at once for ten minutes, it jams; it carries about {at_once:.0f}"
    return MadeDemand(rate_per_s * 3600.0, end_s, begin_s, at_once, (note,))


def held(curve: OccupancyCurve, wanted: float) -> tuple[float, float] | None:
    """Return begin and mean of the ten minutes nearest to a wanted number that stay in its band; None without any."""
    band = _band(wanted)
    windows = [one for one in _windows(curve) if abs(one[1] - wanted) <= _BAND * wanted]
    fits = [one for one in windows if one[2] >= (1 - band) * wanted and one[3] <= (1 + band) * wanted]
    best = min(fits, key=lambda one: (round(abs(one[1] - wanted) / wanted, 2), one[0]), default=None)
    return None if best is None else (best[0], best[1])


def _band(wanted: float) -> float:
    """Return the tolerated deviation: 15 %, or below 400 vehicles three standard deviations of a Poisson number."""
    return max(_BAND, 3.0 / sqrt(max(wanted, 1.0)))


def best_held(curve: OccupancyCurve, most: float) -> tuple[float, float]:
    """Return begin and mean of the ten minutes with the most vehicles that stay in the band around their mean.

    Ten minutes that come near `most`, the bound at which SUMO inserts no more vehicles, do not count: there the bound
    holds the number, not the net.
    """
    free = [one for one in _windows(curve) if one[3] < 0.98 * most]
    steady = [one for one in free if abs(one[2] - one[1]) <= _band(one[1]) * one[1] >= one[3] - one[1]]
    best = max(steady, key=lambda one: one[1], default=(0.0, 0.0))
    return best[0], best[1]


def _windows(curve: OccupancyCurve) -> list[tuple[float, float, float, float]]:
    """Return begin, mean, least and most of windows of ten minutes, one every 10 s."""
    starts = range(0, max(0, len(curve.running) - int(HELD_S)), 10)
    parts = [(k, curve.running[k : k + int(HELD_S)]) for k in starts]
    return [(float(curve.time_s[k]), float(part.mean()), float(part.min()), float(part.max())) for k, part in parts]


def _write(net: Path, routes: Path, wish: Demand, rate_per_h: float) -> None:
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
        try:
            random_routes(net, routes, [*options, "--length"])
        except InputError as error:
            if _NO_EDGES not in str(error):
                raise
            random_routes(net, routes, options)  # weights by length are 0 on a net whose edges all end at its rim


def _factor(profile: tuple[tuple[int, float], ...], hour: int) -> float:
    """Return the factor of an hour; before the first point that of the last, as a day follows the other."""
    return next((factor for begin, factor in reversed(profile) if begin <= hour), profile[-1][1])
