"""Baseline policies, which decide by a rule without learning; every comparison measures against them."""

import numpy as np

from cosim.decision import Action, Observation
from cosim.types import BoolArray, IntArray, Tier


class Local:
    """A policy that leaves every task in its vehicle."""

    def decide(self, observation: Observation) -> Action:
        """Return column 0 for all tasks."""
        return Action(np.zeros(len(observation), dtype=np.int64))


class Random:
    """A policy that draws one of the feasible options, each equally likely.

    Args:
        rng: random stream.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def decide(self, observation: Observation) -> Action:
        """Return the feasible option with the largest of independent uniform draws; column 0 if none is feasible."""
        draws = self._rng.random(observation.feasible.shape)
        return Action(np.argmax(np.where(observation.feasible, draws, -1.0), axis=1))


class Nearest:
    """A policy that takes the edge host at the site with the strongest signal, or the vehicle where there is none."""

    def decide(self, observation: Observation) -> Action:
        """Return the first feasible edge column of each task, else column 0."""
        return Action(_first(observation.feasible & (observation.tier == Tier.EDGE)))


class GreedyLatency:
    """A policy that takes the option with the smallest estimated latency.

    Each task takes the estimate as it is: tasks that are decided together ignore each other, so that an idle host can
    attract many of them at once.
    """

    def decide(self, observation: Observation) -> Action:
        """Return the column with the smallest `expected_s`; the first of equals, column 0 if none is feasible."""
        expected_s = observation.expected_s
        return Action(np.where(np.isnan(expected_s), np.inf, expected_s).argmin(axis=1))


class RoundRobin:
    """A policy that takes hosts in turn: each task goes to the feasible edge or cloud host after the last one taken."""

    def __init__(self) -> None:
        self._last = -1

    def decide(self, observation: Observation) -> Action:
        """Return the next host, in the order of their numbers, for each task; column 0 where no host is feasible."""
        remote = observation.feasible & ((observation.tier == Tier.EDGE) | (observation.tier == Tier.CLOUD))
        options = np.zeros(len(observation), dtype=np.int64)
        for row, (targets, usable) in enumerate(zip(observation.target.tolist(), remote.tolist(), strict=True)):
            hosts = [(target <= self._last, target, column) for column, target in enumerate(targets) if usable[column]]
            if hosts:
                _, self._last, options[row] = min(hosts)
        return Action(options)


def _first(wanted: BoolArray) -> IntArray:
    """Return the first True column of each row, 0 where there is none."""
    first: IntArray = np.argmax(wanted, axis=1)
    return first
