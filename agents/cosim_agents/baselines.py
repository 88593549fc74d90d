"""Rules that decide without learning: the yardsticks of every comparison."""

import numpy as np

from cosim.decision import Action, Observation
from cosim.types import BoolArray, IntArray, Tier


class Local:
    """Every task stays in its vehicle."""

    def decide(self, observation: Observation) -> Action:
        """Column 0 for all."""
        return Action(np.zeros(len(observation), dtype=np.int64))


class Random:
    """Each feasible option is equally likely."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def decide(self, observation: Observation) -> Action:
        """The feasible option with the largest of independent uniform draws."""
        draws = self._rng.random(observation.feasible.shape)
        return Action(np.argmax(np.where(observation.feasible, draws, -1.0), axis=1))


class Nearest:
    """The edge host at the site with the strongest signal, or the vehicle itself where there is none."""

    def decide(self, observation: Observation) -> Action:
        """The first feasible edge column, else column 0."""
        return Action(_first(observation.feasible & (observation.tier == Tier.EDGE)))


class GreedyLatency:
    """The option with the smallest estimated latency.

    Each task takes the estimate as it is: tasks decided together do not see each other, so that an idle host can
    draw many of them at once.
    """

    def decide(self, observation: Observation) -> Action:
        """The column with the smallest `expected_s`; the first of equals, column 0 if none is feasible."""
        expected_s = observation.expected_s
        return Action(np.where(np.isnan(expected_s), np.inf, expected_s).argmin(axis=1))


class RoundRobin:
    """Hosts in turn: each task goes to the feasible edge or cloud host that follows the last one in site order."""

    def __init__(self) -> None:
        self._last = -1

    def decide(self, observation: Observation) -> Action:
        """In row order; column 0 where no host is feasible."""
        remote = observation.feasible & ((observation.tier == Tier.EDGE) | (observation.tier == Tier.CLOUD))
        options = np.zeros(len(observation), dtype=np.int64)
        for row, (targets, usable) in enumerate(zip(observation.target.tolist(), remote.tolist(), strict=True)):
            hosts = [(target <= self._last, target, column) for column, target in enumerate(targets) if usable[column]]
            if hosts:
                _, self._last, options[row] = min(hosts)
        return Action(options)


def _first(wanted: BoolArray) -> IntArray:
    """First True column of each row, 0 where there is none."""
    first: IntArray = np.argmax(wanted, axis=1)
    return first
