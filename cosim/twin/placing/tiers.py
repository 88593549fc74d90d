"""Load balancing between hosts of several tiers (RSU, edge, cloud): S2 section V and figure 10.

The paper draws T_mn and T_nm, what host m hands to host n and the reverse, and gives no rule for them. Here full hosts
hand on what is above a target, by the least delay over all pairs. Left out: vehicles as hosts, which have no wire.
"""

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from scipy.optimize import LinearConstraint, milp
from scipy.sparse import csr_array, vstack

from cosim.errors import RunError
from cosim.types import NOWHERE, FloatArray, IntArray

_ROUNDING = 1e-9


class HostTier(IntEnum):
    """How far a host is from the vehicles, lowest first."""

    RSU = 0
    EDGE = 1
    CLOUD = 2


@dataclass(frozen=True, slots=True)
class Exchange:
    """The load that hosts hand to each other, in the unit of the loads."""

    handed: FloatArray
    """(H, H) T_mn from row m to column n; of T_mn and T_nm at most one is above 0."""
    left: FloatArray
    """(H,) excess of a full host that no host can take."""


def climb_s(delay_s: FloatArray, tier: IntArray, step_s: float) -> FloatArray:
    """Return the delay between hosts, (H, H), plus `step_s` for each tier that load climbs; the way down costs no more.

    Args:
        delay_s: (H, H) delays.
        tier: (H,) `HostTier`.
        step_s: penalty for each tier upwards.
    """
    steps = np.maximum(tier[None, :] - tier[:, None], 0)
    climbed: FloatArray = delay_s + step_s * steps
    return climbed


def balance(load: FloatArray, capacity: FloatArray, delay_s: FloatArray, high: float, target: float) -> Exchange:
    """Return how much load each host hands to which other.

    A host above `high` of its capacity hands on what is above `target` of it; a host below `target` takes load up to
    that. Between `target` and `high` nothing happens, so that load does not swing to and fro. As much as possible is
    handed on, by the least sum of amount times delay (a transport problem, solved as a linear program).

        >>> idle = np.zeros((2, 2))
        >>> balance(np.array([10.0, 0.0]), np.array([10.0, 10.0]), idle, high=0.9, target=0.7).handed.round(6).tolist()
        [[0.0, 3.0], [0.0, 0.0]]

    Args:
        load: (H,) now, in any one unit: twins, or cycles per second.
        capacity: (H,) in the same unit; 0 for a host that may carry nothing, and hands on all that it has.
        delay_s: (H, H), see `climb_s`; inf forbids a pair.
        high: share of the capacity.
        target: share of the capacity, at most `high`.

    Raises:
        ValueError: `target` is above `high`.
        RunError: the solver gave up.
    """
    if target > high:
        raise ValueError(f"target={target:g} is above high={high:g}")
    handed = np.zeros((len(load), len(load)))
    excess = np.where(load > high * capacity, load - target * capacity, 0.0)
    spare = np.maximum(target * capacity - load, 0.0)
    givers, takers = np.flatnonzero(excess > 0.0), np.flatnonzero(spare > 0.0)
    rows, columns = np.nonzero(np.isfinite(delay_s[np.ix_(givers, takers)]))
    if len(rows):
        scale = float(excess.sum())
        delays_s = delay_s[givers[rows], takers[columns]]
        amounts = _transport(rows, columns, delays_s, excess[givers] / scale, spare[takers] / scale) * scale
        handed[givers[rows], takers[columns]] = amounts
    left = excess - handed.sum(axis=1)
    return Exchange(handed, np.where(left > _ROUNDING * excess, left, 0.0))


def _transport(rows: IntArray, columns: IntArray, cost: FloatArray, have: FloatArray, take: FloatArray) -> FloatArray:
    """Return the amounts for the pairs (row, column) that move as much as possible, at the least cost.

    Each amount earns a reward that exceeds whatever a detour of all others could cost, so that moving more always wins.
    """
    count, ones = len(rows), np.ones(len(rows))
    scaled = cost / max(float(cost.max()), 1e-300)
    reward = 1.0 + len(have) + len(take)
    pairs = np.arange(count)
    limits = vstack(
        [
            csr_array((ones, (rows, pairs)), shape=(len(have), count)),
            csr_array((ones, (columns, pairs)), shape=(len(take), count)),
        ]
    )
    most = np.concatenate([have, take])
    answer = milp(scaled - reward, constraints=LinearConstraint(limits, -math.inf, most))  # continuous, and at least 0
    if answer.x is None or answer.status != 0:
        raise RunError(f"balancing tiers: the solver stopped with {answer.message!r}; check loads and capacities")
    amounts: FloatArray = np.where(answer.x > _ROUNDING, answer.x, 0.0)
    return amounts


def pick_twins(exchange: Exchange, assignment: IntArray, size: FloatArray, cost_s: FloatArray) -> IntArray:
    """Return the hosts wanted for twins (U,), so that whole twins make up the amounts; for `migrate`.

    For each pair of hosts, largest amount first, those twins go that lose least by it, as long as they fit into the
    amount; so at most the amount is handed on, and what is left waits for the next decision.

    Args:
        exchange: the amounts.
        assignment: (U,) hosts now.
        size: (U,) load of each twin in the unit of the amounts.
        cost_s: (U, H) time of each twin at each host; inf where it cannot stand.
    """
    wanted = assignment.copy()
    givers, takers = np.nonzero(exchange.handed)
    largest_first = np.argsort(-exchange.handed[givers, takers], kind="stable")
    for giver, taker in zip(givers[largest_first].tolist(), takers[largest_first].tolist(), strict=True):
        amount = float(exchange.handed[giver, taker]) * (1.0 + _ROUNDING)
        here = np.flatnonzero((wanted == giver) & (wanted != NOWHERE) & np.isfinite(cost_s[:, taker]))
        loss_s = cost_s[here, taker] - np.minimum(cost_s[here, giver], np.finfo(float).max)
        for user in here[np.argsort(loss_s, kind="stable")].tolist():
            if size[user] <= amount:
                amount -= float(size[user])
                wanted[user] = taker
    return wanted
