"""Contention for cells: the rank of a task among the tasks of its epoch that want the same cell.

Tasks that are decided together share bands and queues, and one pass through a neural network decides each of them by
its own row. Unless the row holds its place in a common order, equal tasks must choose alike and fill one cell. It is
the order in which a planner would fill a band: by the saving in S1's cost (eq 18) of offloading to the first edge
option, for each second of airtime that it takes. Left out: what other cells' tasks would do if they were turned away.
"""

from typing import Final, NamedTuple

import numpy as np

from cosim.decision import Observation
from cosim.types import AnyArray, FloatArray, IntArray

_MOST: Final = np.finfo(float).max
LONG_S: Final = 1e3
"""Bound of a transfer's airtime, for links that carry next to nothing."""


class Contention(NamedTuple):
    """The demand of other tasks of the epoch for each option's cell, (T, M); 0 for options without a cell."""

    contenders: AnyArray
    """Number of other tasks of this epoch whose strongest cell this is."""
    keener: AnyArray
    """Number of those that come before this task in the order."""
    airtime_s: FloatArray
    """Airtime that those before it need in the cell, each as if it were alone."""


def contention(observation: Observation, cost: FloatArray, airtime_s: FloatArray) -> Contention:
    """Return each task's contention for the cell of each of its options.

    Args:
        observation: T tasks with M options.
        cost: (T, M) eq 18 of each option without the other tasks.
        airtime_s: (T, M) time that its bits need on each uplink without the other tasks.
    """
    cell = observation.cell
    count, options = cell.shape
    if options < 2:
        nothing = np.zeros(cell.shape)
        return Contention(nothing, nothing, nothing)
    first = cell[:, 1]
    here = (first >= 0).nonzero()[0]
    order = np.empty(count, np.int64)
    order[(-_saved(cost, airtime_s[:, 1])).argsort(kind="stable")] = np.arange(count)
    # One sort serves all cells: a key is the cell, then the rank, so that a cell's tasks stand together in order.
    key = cell * (count + 1)
    place = key[here, 1] + order[here]
    filled = place.argsort()
    places = place[filled]
    used_s = np.zeros(len(here) + 1)
    np.minimum(airtime_s[here, 1], LONG_S)[filled].cumsum(out=used_s[1:])
    begin = places.searchsorted(key)
    mine = places.searchsorted(key + order[:, None])
    end = places.searchsorted(key + (count + 1))
    known = cell >= 0
    return Contention(
        (end - begin - (cell == first[:, None])) * known,
        (mine - begin) * known,
        (used_s.take(mine) - used_s.take(begin)) * known,
    )


def own_before(vehicle: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return how many tasks of its vehicle precede each task in this epoch, and how many its vehicle has; both (T,)."""
    by_vehicle = vehicle.argsort(kind="stable")
    ordered = vehicle[by_vehicle]
    place = np.arange(len(vehicle))
    first = ordered.searchsorted(ordered)
    before, own = np.empty(len(vehicle)), np.empty(len(vehicle))
    before[by_vehicle] = place - first
    own[by_vehicle] = ordered.searchsorted(ordered, side="right") - first
    return before, own


def _saved(cost: FloatArray, airtime_s: FloatArray) -> FloatArray:
    """Return the saved cost for each second of airtime, (T,); minus infinity where it is undefined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        saved = (cost[:, 0] - cost[:, 1]) / airtime_s
    bounded: FloatArray = np.where(np.isnan(saved), -np.inf, np.minimum(np.maximum(saved, -_MOST), _MOST))
    return bounded
