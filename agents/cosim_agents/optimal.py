"""The exact minimum of an epoch's analytic cost by trying every assignment: a reference for small cases."""

import math
from collections.abc import Sequence

import numpy as np

from cosim.cost import analytic_cost
from cosim.decision import Action, Observation
from cosim.errors import RunError
from cosim.types import IntArray

_PAIRS_AT_ONCE = 4_000_000


class Optimal:
    """A policy that tries all combinations of feasible options and powers, and takes the cheapest, the first of equals.

    Args:
        max_assignments: most combinations that it tries in one epoch.
        power_levels: transmit powers to try, as fractions of the highest, for a scenario whose knobs include `power`;
            None: the default power alone.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, max_assignments: int = 100_000, power_levels: Sequence[float] | None = None) -> None:
        if isinstance(max_assignments, bool) or not isinstance(max_assignments, int) or max_assignments < 1:
            raise ValueError(f"max_assignments={max_assignments!r} is not a positive whole number; give one")
        if power_levels is not None and not (
            len(power_levels) and all(isinstance(level, int | float) and 0.0 < level <= 1.0 for level in power_levels)
        ):
            raise ValueError(f"power_levels={power_levels!r} must be numbers in (0, 1]; give for example [0.1, 0.4, 1]")
        self._max_assignments = max_assignments
        self._power_levels = power_levels

    def decide(self, observation: Observation) -> Action:
        """Return the assignment with the least `cosim.cost.analytic_cost`.

        Raises:
            RunError: there are more combinations than `max_assignments`.
        """
        levels_w = np.array([1.0] if self._power_levels is None else self._power_levels) * observation.max_power_w
        options = [np.flatnonzero(row) if row.any() else np.zeros(1, dtype=np.int64) for row in observation.feasible]
        # A task's choices are its options, each at every power; one that stays in its vehicle has no power to choose.
        choices = [
            [(option, level) for option in row.tolist() for level in range(len(levels_w)) if option or not level]
            for row in options
        ]
        count = math.prod(len(row) for row in choices)
        if count > self._max_assignments:
            raise RunError(
                f"policy optimal: {len(choices)} tasks at {observation.time_s:g} s have more than "
                f"max_assignments={self._max_assignments} assignments; use fewer vehicles or lower decisions.candidates"
            )
        tables = [np.array(row, dtype=np.int64) for row in choices]  # (choices, 2) each
        best, least = _chosen(tables, 0, 1)[0], math.inf
        step = max(1, _PAIRS_AT_ONCE // max(1, len(choices)) ** 2)
        for start in range(0, count, step):
            chosen = _chosen(tables, start, min(start + step, count))
            power_w = None if self._power_levels is None else levels_w[chosen[:, :, 1]]
            cost = analytic_cost(observation, chosen[:, :, 0], power_w)
            cheapest = int(np.argmin(cost))
            if cost[cheapest] < least:
                best, least = chosen[cheapest], float(cost[cheapest])
        return Action(best[:, 0], power_w=None if self._power_levels is None else levels_w[best[:, 1]])


def _chosen(tables: Sequence[IntArray], start: int, stop: int) -> IntArray:  # (A, T, 2)
    """Return combinations start to stop in lexicographic order: digits of a number, one base for each row's choices."""
    index = np.arange(start, stop)
    chosen = np.zeros((len(index), len(tables), 2), dtype=np.int64)
    for row in range(len(tables) - 1, -1, -1):
        index, digit = np.divmod(index, len(tables[row]))
        chosen[:, row] = tables[row][digit]
    return chosen
