"""The least cost of an epoch's decisions: targets, transmit powers and bandwidth together (paper S1 eq 18).

For a given assignment of targets the rest of P1 (eq 19) has a closed form. A cell is shared as rate_i = alone_i(p_i)
s_i / max(1, sum s), so its tasks cost sum_i c_i / s_i with c_i = (w1 + (1 - w1) p_i) D_i / alone_i(p_i). Each c_i has
its own best power, whatever the others do; and the best shares are s_i ~ sqrt(c_i), which gives (sum_i sqrt(c_i))^2.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from cosim_agents.registry import make_policy

from cosim.cost import host_numbers, option_terms
from cosim.decision import Action, Observation, Policy
from cosim.errors import RunError
from cosim.kernel.rng import stream
from cosim.objective import weighted_cost
from cosim.types import FloatArray, IntArray

POWERS: Final = np.linspace(0.02, 1.0, 50)
"""Parts of the highest power that are tried."""
MOST_ASSIGNMENTS: Final = 20_000_000
"""3^15: more tasks than that in one slot of S1 come once in 10^6 slots."""


@dataclass(frozen=True, slots=True)
class _Prices:
    """The cost of each option by itself, (T, M) each."""

    power_w: FloatArray  # the best one
    root: FloatArray  # sqrt(c), 0 without radio
    fixed: FloatArray  # all but the radio and the tasks in front; inf where infeasible
    service_s: FloatArray
    cell: IntArray  # from 0, the last for no cell
    host: IntArray  # from 0


class JointOptimum:
    """A policy that tries all combinations of options, each with its best powers and shares.

    It minimises the estimate of `cosim.cost.cost_terms`. What is realised differs where transfers end and leave their
    band to others, and where later epochs queue behind this one's tasks: a transfer whose share is below 1 cannot use
    all the band that others leave, so that with unequal shares more may be realised than with equal ones.

    Args:
        max_assignments: most combinations that it tries in one epoch.
        shares: choose bandwidth shares too; otherwise tasks share a cell equally, which costs n_cell sum_i c_i.
    """

    def __init__(self, max_assignments: int, shares: bool = True) -> None:
        self._max_assignments = max_assignments
        self._shares = shares

    def decide(self, observation: Observation) -> Action:
        """Return target and power of each task, and its share.

        Raises:
            RunError: there are more combinations than `max_assignments`.
        """
        prices = _prices(observation)
        option = self._assignment(observation, prices)
        rows = np.arange(len(observation))
        power_w = prices.power_w[rows, option]
        if not self._shares:
            return Action(option, power_w=power_w)
        root, cell = prices.root[rows, option], prices.cell[rows, option]
        largest = np.zeros(int(prices.cell.max()) + 1)
        np.maximum.at(largest, cell, root)
        # The largest share of a cell is 1, not their sum: the last transfers can then use the band that others leave.
        share = np.where(root > 0.0, root / np.maximum(largest[cell], 1e-300), 1.0)
        return Action(option, share=share, power_w=power_w)

    def _assignment(self, observation: Observation, prices: _Prices) -> IntArray:
        """Return the options of the cheapest assignment, found by extending every partial one by every option.

        A partial assignment decides the first tasks; all of them are kept side by side, one in each column of the
        arrays.
        """
        tasks, options = observation.tier.shape
        possible = observation.feasible.any(axis=1)
        if options ** int(possible.sum()) > self._max_assignments:
            raise RunError(
                f"joint optimum: {tasks} tasks at {observation.time_s:g} s have more than {self._max_assignments} "
                "assignments; use fewer vehicles or lower decisions.candidates"
            )
        second_cost = weighted_cost(observation.latency_weight, 1.0, 0.0)  # of a task that waits
        cost, code = np.zeros(1), np.zeros(1, np.int64)
        own = prices.root if self._shares else np.square(prices.root)
        sums = np.zeros((int(prices.cell.max()) + 1, 1))  # of sqrt(c), or of c, in each cell
        users = np.zeros(sums.shape)
        backlog_s = np.zeros((int(prices.host.max()) + 1, 1))
        for row in np.flatnonzero(possible).tolist():
            parts = []
            for option in np.flatnonzero(observation.feasible[row]).tolist():
                cell, host = prices.cell[row, option], prices.host[row, option]
                behind_s = backlog_s[host] / observation.cores[row, option]
                grown, more, queued = sums.copy(), users.copy(), backlog_s.copy()
                grown[cell] += own[row, option]
                more[cell] += 1.0
                queued[host] += prices.service_s[row, option]
                here = cost + prices.fixed[row, option] + second_cost * behind_s
                parts.append((here, code * options + option, grown, more, queued))
            cost, code, sums, users, backlog_s = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
        air = np.square(sums) if self._shares else users * sums
        best = int(code[int(np.argmin(cost + air.sum(axis=0)))])
        chosen = np.zeros(tasks, np.int64)
        for row in np.flatnonzero(possible)[::-1].tolist():
            best, chosen[row] = divmod(best, options)
        return chosen


def _prices(observation: Observation) -> _Prices:
    radio = observation.cell >= 0
    shape = observation.tier.shape
    levels_w = POWERS * observation.max_power_w
    sent = option_terms(observation, power_w=levels_w[:, None, None])
    price = weighted_cost(observation.latency_weight, sent.airtime_s, sent.radio_j)
    root = np.where(radio, np.sqrt(price.min(axis=0)), 0.0)
    power_w = np.where(radio, levels_w[price.argmin(axis=0)], observation.power_w[:, None])
    rest = option_terms(observation, uplink_bps=np.where(radio, np.inf, observation.uplink_bps))
    fixed = np.where(observation.feasible, rest.cost, np.inf)
    cells = np.unique(observation.cell[radio])
    cell = np.where(radio, np.searchsorted(cells, observation.cell), len(cells))
    host = np.unique(host_numbers(observation), return_inverse=True)[1].reshape(shape)
    return _Prices(power_w, root, fixed, rest.service_s, cell, host)


def optimum_of_targets(seed: int) -> Policy:
    """Return the policy `optimal` of the registry, which tries as many assignments as S1 needs."""
    return make_policy("optimal", {"max_assignments": MOST_ASSIGNMENTS}, stream(seed, "policy"))


def optimum_with_power(_seed: int) -> Policy:
    """Return the policy with the best targets and powers; tasks share a cell equally."""
    return JointOptimum(MOST_ASSIGNMENTS, shares=False)


def joint_optimum(_seed: int) -> Policy:
    """Return the policy with the best targets, powers and shares."""
    return JointOptimum(MOST_ASSIGNMENTS)
