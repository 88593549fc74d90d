"""Contention for cells: where a task stands among the tasks of its epoch, before anybody has chosen.

Tasks that are decided together share bands and queues, and one pass through a network decides each of them by its own
row. Unless the row tells its place in a common order, equal tasks must choose alike and fill one cell. It is the order
in which a planner would fill a band: by what offloading to the first edge option saves of S1's cost (eq 18), for each
second of airtime that it takes. Left out: what other cells' tasks would do if they were turned away.
"""

from typing import Final, NamedTuple

import numpy as np

from cosim.decision import Observation
from cosim.types import FloatArray, IntArray

LONG_S: Final = 1e3
"""Airtime of a link that carries next to nothing counts as this much."""


class Contention(NamedTuple):
    """What other tasks of the epoch want of each option's cell, (T, M); 0 for options without a cell."""

    contenders: FloatArray
    """Other tasks of this epoch that hear this cell best."""
    keener: FloatArray
    """How many of them come before this task in the order."""
    airtime_s: FloatArray
    """What those before it need of the cell's airtime, each alone."""


def contention(observation: Observation, cost: FloatArray, airtime_s: FloatArray) -> Contention:
    """Return where each task stands in the cell of each of its options.

    Args:
        observation: T tasks with M options.
        cost: (T, M) eq 18 of each option without the others.
        airtime_s: (T, M) time its bits need on each uplink without the others.
    """
    cell = observation.cell
    count, options = cell.shape
    if options < 2:
        nothing = np.zeros(cell.shape)
        return Contention(nothing, nothing, nothing)
    first = cell[:, 1]
    here = np.flatnonzero(first >= 0)
    order = np.empty(count, np.int64)
    order[np.argsort(-_saved(cost, airtime_s[:, 1]), kind="stable")] = np.arange(count)
    place = first[here] * (count + 1) + order[here]
    filled = np.argsort(place)
    places = place[filled]
    used_s = np.concatenate([[0.0], np.cumsum(np.minimum(airtime_s[here, 1], LONG_S)[filled])])
    begin = np.searchsorted(places, cell * (count + 1))
    mine = np.searchsorted(places, cell * (count + 1) + order[:, None])
    end = np.searchsorted(places, (cell + 1) * (count + 1))
    known = cell >= 0
    return Contention(
        np.where(known, end - begin - (cell == first[:, None]), 0.0),
        np.where(known, mine - begin, 0.0),
        np.where(known, used_s[mine] - used_s[begin], 0.0),
    )


def own_before(vehicle: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return how many tasks of its vehicle stand before each task in this epoch, and how many there are; (T,) each."""
    _, group, size = np.unique(vehicle, return_inverse=True, return_counts=True)
    by_vehicle = np.argsort(group, kind="stable")
    before = np.empty(len(vehicle))
    before[by_vehicle] = np.arange(len(vehicle)) - np.repeat(np.cumsum(size) - size, size)
    return before, size[group].astype(float)


def _saved(cost: FloatArray, airtime_s: FloatArray) -> FloatArray:
    """Return the saved cost for each second of airtime, (T,); least where nothing is known."""
    with np.errstate(divide="ignore", invalid="ignore"):
        saved: FloatArray = np.nan_to_num((cost[:, 0] - cost[:, 1]) / airtime_s, nan=-np.inf)
    return saved
