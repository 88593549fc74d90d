"""The exact minimiser of an epoch's analytic cost, by trying every assignment: a yardstick for small cases."""

import math

import numpy as np

from cosim.cost import analytic_cost
from cosim.decision import Action, Observation
from cosim.errors import RunError
from cosim.types import IntArray

_PAIRS_AT_ONCE = 4_000_000


class Optimal:
    """Tries all combinations of feasible options and takes the cheapest, the first of equals.

    Args:
        max_assignments: combinations it will try in one epoch.
    """

    def __init__(self, max_assignments: int = 100_000) -> None:
        if isinstance(max_assignments, bool) or not isinstance(max_assignments, int) or max_assignments < 1:
            raise ValueError(f"max_assignments={max_assignments!r} is not a positive whole number; give one")
        self._max_assignments = max_assignments

    def decide(self, observation: Observation) -> Action:
        """The assignment with the least `cosim.cost.analytic_cost`.

        Raises:
            RunError: there are more combinations than `max_assignments`.
        """
        choices = [np.flatnonzero(row) if row.any() else np.zeros(1, dtype=np.int64) for row in observation.feasible]
        count = math.prod(len(row) for row in choices)
        if count > self._max_assignments:
            raise RunError(
                f"policy optimal: {len(choices)} tasks at {observation.time_s:g} s have more than "
                f"max_assignments={self._max_assignments} assignments; use fewer vehicles or lower decisions.candidates"
            )
        best, least = _assignments(choices, 0, 1)[0], math.inf
        step = max(1, _PAIRS_AT_ONCE // max(1, len(choices)) ** 2)
        for start in range(0, count, step):
            options = _assignments(choices, start, min(start + step, count))
            cost = analytic_cost(observation, options)
            cheapest = int(np.argmin(cost))
            if cost[cheapest] < least:
                best, least = options[cheapest], float(cost[cheapest])
        return Action(best)


def _assignments(choices: list[IntArray], start: int, stop: int) -> IntArray:  # (A, T)
    """Combinations start to stop in lexicographic order: digits of a number whose bases are the rows' choices."""
    index = np.arange(start, stop)
    options = np.zeros((len(index), len(choices)), dtype=np.int64)
    for row in range(len(choices) - 1, -1, -1):
        index, digit = np.divmod(index, len(choices[row]))
        options[:, row] = choices[row][digit]
    return options
