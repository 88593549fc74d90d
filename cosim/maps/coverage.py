"""Coverage: the share of a map's traffic that roadside units reach, and placing them to reach the most of it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from cosim.errors import InputError
from cosim.mobility.source import MobilitySource
from cosim.radio.pathloss import path_loss_model
from cosim.radio.survey import LinkBudget
from cosim.roads.net import read_net
from cosim.roads.siting import places_along_roads
from cosim.scenario.radio import Radio
from cosim.scenario.traffic import RoadSites
from cosim.types import BoolArray, FloatArray, IntArray
from cosim.units import db_to_linear

_CELL_M = 5.0
"""Grid to which positions are rounded; a range is some hundred metres."""
_FARTHEST_M = 20_000
_MOST_PLACES = 600
_PASSES = 10


@dataclass(frozen=True, slots=True)
class Presence:
    """The presence of vehicles: positions, and the vehicle-seconds spent at each."""

    xy_m: FloatArray  # (P, 2) rounded to 5 m
    vehicle_s: FloatArray  # (P,)

    @property
    def total_s(self) -> float:
        """All vehicle-seconds."""
        return float(self.vehicle_s.sum())


def presence(source: MobilitySource, duration_s: float) -> Presence:
    """Return the presence of vehicles over all frames of a source of traffic.

    Raises:
        InputError: no vehicle is on the road in that time.
    """
    places = [np.empty((0, 2))]
    for tick in range(int(duration_s / source.step_s + 1e-9) + 1):  # 0.3 / 0.1 is below 3
        frame = source.advance(tick)
        places.append(np.rint(frame.xy_m[frame.on_road] / _CELL_M))
    cells, counts = np.unique(np.concatenate(places), axis=0, return_counts=True)
    if not len(cells):
        raise InputError(f"no vehicle is on the road in {duration_s:g} s, so there is nothing to cover; begin later")
    return Presence(cells * _CELL_M, np.asarray(counts * source.step_s, dtype=np.float64))


def range_m(radio: Radio) -> float:
    """Return the distance up to which a site covers vehicles (`LinkBudget.least_gain`) in the median, in m.

    The median is that of the likelier of the two line-of-sight states, without shadowing and interference.
    """
    model = path_loss_model(radio.path_loss)
    distance_m = np.arange(1.0, _FARTHEST_M + 1.0)
    loss_db = model.loss_db(distance_m, model.los_probability(distance_m) > 0.5)
    budget = LinkBudget.of(radio)
    heard = db_to_linear(budget.antenna_db - loss_db) >= budget.least_gain
    return float(distance_m[-1] if heard.all() else heard.argmin())


def covered_share(traffic: Presence, sites_m: FloatArray, reach_m: float) -> float:
    """Return the share of the vehicle-seconds that are within reach of a site.

    Args:
        traffic: presence of vehicles.
        sites_m: positions of the sites, (S, 2).
        reach_m: range of a site.

    >>> traffic = Presence(np.array([[0.0, 0.0], [500.0, 0.0]]), np.array([30.0, 10.0]))
    >>> covered_share(traffic, np.array([[100.0, 0.0]]), 200.0)
    0.75
    """
    near = cKDTree(sites_m).query(traffic.xy_m, k=1)[0] <= reach_m
    return float(traffic.vehicle_s[near].sum()) / traffic.total_s


def best_sites(
    traffic: Presence, net: Path | None, count: int, reach_m: float, starts: tuple[FloatArray, ...]
) -> FloatArray:
    """Return positions of `count` sites that cover many vehicle-seconds, (count, 2).

    Choosing the best is NP-hard (maximum coverage). Local search starts from the greedy choice, which covers at least
    1 - 1/e of the best, and from each of `starts`; it moves one site at a time while that gains. The best result is
    returned, which covers at least what every start covers.

    Args:
        traffic: presence of vehicles.
        net: net whose roads give candidates; None: the positions of vehicles do.
        count: number of sites.
        reach_m: range of a site.
        starts: sets of `count` positions to start from, which are candidates too.
    """
    candidates = np.concatenate([_candidates(traffic, net, reach_m), *starts])
    reach = _reached(traffic, candidates, reach_m)
    first = len(candidates) - count * len(starts)
    chosen = [_greedy(reach, traffic.vehicle_s, count)]
    chosen += [np.arange(first + k * count, first + (k + 1) * count) for k in range(len(starts))]
    improved = [_swapped(reach, traffic.vehicle_s, one) for one in chosen]
    gains = [float(traffic.vehicle_s[reach[one].any(axis=0)].sum()) for one in improved]
    return candidates[np.sort(improved[int(np.argmax(gains))])]


def _candidates(traffic: Presence, net: Path | None, reach_m: float) -> FloatArray:
    if net is not None:
        spacing_m = reach_m / 4.0
        while True:
            places = places_along_roads(read_net(net).edges, RoadSites(kind="roads", spacing_m=spacing_m))
            if len(places) <= _MOST_PLACES:
                return np.array(places)
            spacing_m *= 1.3
    cell_m = reach_m / 4.0
    while True:
        cells = np.unique(np.rint(traffic.xy_m / cell_m), axis=0) * cell_m
        if len(cells) <= _MOST_PLACES:
            return np.asarray(traffic.xy_m[cKDTree(traffic.xy_m).query(cells)[1]])
        cell_m *= 1.3


def _reached(traffic: Presence, candidates: FloatArray, reach_m: float) -> BoolArray:  # (C, P)
    reach = np.zeros((len(candidates), len(traffic.vehicle_s)), dtype=np.bool_)
    for row, near in enumerate(cKDTree(traffic.xy_m).query_ball_point(candidates, reach_m)):
        reach[row, near] = True
    return reach


def _greedy(reach: BoolArray, vehicle_s: FloatArray, count: int) -> IntArray:
    """Choose one site after the other, each where it adds the most."""
    left_s = vehicle_s.copy()
    chosen = np.empty(count, dtype=np.int64)
    for k in range(count):
        gains = reach @ left_s
        gains[chosen[:k]] = -1.0
        chosen[k] = int(gains.argmax())
        left_s[reach[chosen[k]]] = 0.0
    return chosen


def _swapped(reach: BoolArray, vehicle_s: FloatArray, start: IntArray) -> IntArray:
    """Move one site at a time to where it adds the most, until no move gains, or ten passes over all sites."""
    chosen = start.copy()
    by = reach[chosen].sum(axis=0)
    for _ in range(_PASSES):
        moved = False
        for k, old in enumerate(chosen):
            others = by - reach[old]
            gains = reach @ np.where(others > 0, 0.0, vehicle_s)
            new = int(gains.argmax())
            if gains[new] > gains[old] + 1e-9:
                chosen[k], by, moved = new, others + reach[new], True
        if not moved:
            break
    return chosen
