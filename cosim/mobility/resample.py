"""Tracks at ticks: positions between the fixes of a vehicle, which leaves where they are too far apart."""

from collections import Counter
from typing import Final

import numpy as np

from cosim.mobility.foreign import FcdTable
from cosim.mobility.tracks import Fixes
from cosim.mobility.units import movement_ratio
from cosim.types import BoolArray, FloatArray, IntArray

GAP_S: Final = 60.0
"""Time without a fix after which a vehicle has left; its next fix begins another trip."""
JUMP_MPS: Final = 100.0
"""Speed between two fixes beyond which they are not taken for one drive."""
_AT_REST_M = 1.0
"""Fixes no further apart tell no direction."""
_ON_TICK = 1e-6
_SPEED_UNITS: Final = ((1.0, "m/s"), (1 / 3.6, "km/h"), (0.44704, "mph"), (1852 / 3600, "knots"))
_NEAR: Final = 1.07  # less than half the way from mph to knots


def usual_step_s(fixes: Fixes) -> float:
    """Return the step for an import: 1 s, or the usual time between two fixes where that is less."""
    apart_s = np.diff(fixes.time_s)[np.diff(fixes.vehicle) == 0]
    usual = float(np.round(np.median(apart_s), 3)) if len(apart_s) else 1.0
    return min(1.0, max(usual, 0.001))


def resampled(fixes: Fixes, step_s: float) -> tuple[FcdTable, tuple[tuple[str, str], ...]]:
    """Return rows at the ticks 0, step_s, 2 step_s, ..., and remarks for the report.

    Between two fixes at most 60 s apart, a vehicle moves straight at constant speed; where both tell speed or heading,
    these are interpolated, else they are those of the movement. At a larger gap, or a jump faster than 100 m/s, the
    vehicle leaves at the last tick before it, and enters as another, "id#2", after it.

    Raises:
        ValueError: no vehicle has two fixes near enough, or its speeds are those of no known unit.
    """
    apart_s = np.diff(fixes.time_s)
    moved_m = np.hypot(*np.diff(fixes.xy_m, axis=0).T)
    same: BoolArray = np.diff(fixes.vehicle) == 0
    gap = same & (apart_s > GAP_S)
    jump = same & ~gap & (moved_m > JUMP_MPS * apart_s)
    linked = same & ~gap & ~jump
    if not linked.any():
        least = f", the nearest {apart_s[same].min():g} s" if same.any() else ""
        raise ValueError(f"no two fixes of a vehicle are within {GAP_S:g} s and {JUMP_MPS:g} m/s{least}; record denser")
    speed_mps, unit = _speeds(fixes)
    row, at = _ticks(fixes.time_s, linked, step_s)
    between = np.append(linked, False)[row]
    share = np.where(between, at * step_s - fixes.time_s[row], 0.0) / np.where(between, np.append(apart_s, 1.0)[row], 1)
    share = np.clip(share, 0.0, 1.0)
    after = np.where(between & (share > 0.0), row + 1, row)
    xy_m = fixes.xy_m[row] + (fixes.xy_m[after] - fixes.xy_m[row]) * share[:, None]
    own_mps, own_deg = _movement(fixes, linked, apart_s, moved_m)
    speeds, derived_speeds = _between(speed_mps, row, after, share, own_mps)
    headings, derived_headings = _headings(fixes.heading_deg, row, after, share, own_deg)
    trip, names, lost = _trips(fixes, linked, row)
    table = FcdTable(np.asarray(at * step_s, dtype=np.float64), trip, xy_m[:, 0], xy_m[:, 1], speeds, headings, names)
    off = int((share > _ON_TICK).sum())
    notes = [("fixes", f"{len(fixes.time_s)} of {len(fixes.names)} vehicles")]
    notes += [("interpolated", f"{off} of {len(row)} positions, between fixes at most {GAP_S:g} s apart")]
    counted = (
        (int(gap.sum()), "left", f"x a vehicle, at a gap of more than {GAP_S:g} s; it comes again as another"),
        (
            int(jump.sum()),
            "left",
            f"x a vehicle, at a jump faster than {JUMP_MPS:g} m/s; it comes again as another",
        ),
        (lost, "dropped", "trips between two ticks"),
        (derived_speeds, "derived", f"of {len(row)} speeds, from the movement"),
        (derived_headings, "derived", f"of {len(row)} headings, from the movement"),
    )
    notes += [(label, f"{count} {what}") for count, label, what in counted if count]
    return table, (*notes, *([("speed", unit)] if unit else []))


def _speeds(fixes: Fixes) -> tuple[FloatArray, str]:
    """Return the speeds in m/s, and how their unit is known; all NaN if the movement contradicts every unit."""
    given = fixes.speed_mps
    if not np.isfinite(given).any():
        return given, ""
    told = np.isfinite(given)
    x_m, y_m = fixes.xy_m[told].T
    table = FcdTable(fixes.time_s[told], fixes.vehicle[told], x_m, y_m, given[told], np.zeros(len(x_m)), fixes.names)
    ratio = movement_ratio(table)
    if fixes.speed_unit_given:
        if not 0.5 <= ratio <= 2.0 and np.isfinite(ratio):
            raise ValueError(
                f"vehicles move {ratio:.3g} times as far as their speeds say; correct the unit in the column's name"
            )
        return given, ""
    if not np.isfinite(ratio):
        return given, "taken as m/s: no vehicle moves, so that nothing tells the unit"
    factor, unit = min(_SPEED_UNITS, key=lambda one: abs(np.log(ratio / one[0])))
    if 1 / _NEAR <= ratio / factor <= _NEAR:
        return given * factor, f"in {unit}, by the movement"
    return np.full(len(given), np.nan), f"left out: vehicles move {ratio:.3g} times as far as it says in m/s"


def _ticks(time_s: FloatArray, linked: BoolArray, step_s: float) -> tuple[IntArray, IntArray]:
    """Return the rows (R,) of the fixes at or before each tick of each trip, and the ticks (R,).

    A fix that ends a trip has a tick only if it lies on it.
    """
    first = np.ceil(time_s / step_s - _ON_TICK).astype(np.int64)
    on_tick = np.abs(time_s / step_s - first) <= _ON_TICK
    end = np.where(np.append(linked, False), np.append(first[1:], 0), first + on_tick)
    count = np.maximum(end - first, 0)
    row = np.repeat(np.arange(len(time_s)), count)
    before = np.cumsum(count) - count
    return row, first[row] + np.arange(len(row)) - before[row]


def _movement(
    fixes: Fixes, linked: BoolArray, apart_s: FloatArray, moved_m: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return speed and heading (F,) of the movement from each fix on; at the end of a trip those before it.

    At rest the heading is the last one, before the first movement of a trip that of this.
    """
    last = len(fixes.time_s)
    mps, deg = np.zeros(last), np.full(last, np.nan)
    pairs = np.flatnonzero(linked)
    mps[pairs] = moved_m[pairs] / apart_s[pairs]
    east_m, north_m = np.diff(fixes.xy_m, axis=0).T
    turning = linked & (moved_m >= _AT_REST_M)
    deg[:-1][turning] = np.degrees(np.arctan2(east_m[turning], north_m[turning])) % 360.0
    ends = np.flatnonzero(np.append(~linked, True) & np.append(False, linked))
    mps[ends] = mps[ends - 1]
    trip = np.cumsum(np.concatenate(([0], ~linked)))
    return mps, np.nan_to_num(_filled(_filled(deg, trip, 1), trip, -1))


def _filled(values: FloatArray, trip: IntArray, way: int) -> FloatArray:
    """Return values with NaN replaced by the last value of the same trip, forward (1) or backward (-1)."""
    values, trip = values[::way], trip[::way]
    known = np.maximum.accumulate(np.where(np.isfinite(values), np.arange(len(values)), -1))
    usable = (known >= 0) & (trip[known] == trip)
    return np.where(usable, values[known], values)[::way]


def _between(
    values: FloatArray, row: IntArray, after: IntArray, share: FloatArray, own: FloatArray
) -> tuple[FloatArray, int]:
    """Return values (R,) interpolated where both fixes have one, else those of the movement, and how many these are."""
    mixed = values[row] + (values[after] - values[row]) * share
    derived = ~np.isfinite(mixed)
    return np.where(derived, own[row], mixed), int(derived.sum())


def _headings(
    values: FloatArray, row: IntArray, after: IntArray, share: FloatArray, own: FloatArray
) -> tuple[FloatArray, int]:
    """Return headings (R,) turned the shorter way where both fixes have one, else those of the movement."""
    turn = (values[after] - values[row] + 180.0) % 360.0 - 180.0
    mixed = (values[row] + turn * share) % 360.0
    derived = ~np.isfinite(mixed)
    return np.where(derived, own[row], mixed), int(derived.sum())


def _trips(fixes: Fixes, linked: BoolArray, row: IntArray) -> tuple[IntArray, tuple[tuple[str, str], ...], int]:
    """Return the trip (R,) of each row, id and vType of each trip sorted by id, and the trips that have no tick.

    The first trip of a vehicle has its id, the next ones "id#2", "id#3", as far as no vehicle is called that.
    """
    begins = np.concatenate(([True], ~linked))
    trip = np.cumsum(begins) - 1
    vehicles = fixes.vehicle[begins]
    seen = np.unique(trip[row])
    taken = {name for name, _ in fixes.names}
    ids: list[tuple[str, str]] = []
    trips_of: Counter[int] = Counter()
    for k in seen.tolist():
        vehicle = int(vehicles[k])
        trips_of[vehicle] += 1
        name, kind = fixes.names[vehicle]
        if trips_of[vehicle] > 1:
            name = f"{name}#{trips_of[vehicle]}"
            while name in taken:
                name += "#"
        taken.add(name)
        ids.append((name, kind))
    order = sorted(range(len(ids)), key=ids.__getitem__)
    rank = np.empty(len(ids), dtype=np.int64)
    rank[order] = np.arange(len(ids))
    return rank[np.searchsorted(seen, trip[row])], tuple(ids[k] for k in order), int(begins.sum()) - len(seen)
