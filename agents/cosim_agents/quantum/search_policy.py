"""A policy that finds each task's best option by a simulated quantum search: Duerr and Hoyer's minimum search."""

import numpy as np

from cosim.cost import option_terms
from cosim.decision import Action, Observation
from cosim.types import FloatArray
from cosim_agents.quantum.grover import search_actions


class GroverSearch:
    """A policy that takes the option with the smallest estimate, as found by amplitude amplification.

    It differs from `greedy-latency` by the search alone: the same estimates, each task by itself, and now and then a
    minimum that was missed. `oracle_calls` counts the calls of the oracle since the start.

    Args:
        rng: random stream of the measurements.
        minimise: "latency" (`Observation.expected_s`) or "cost", w1 latency + (1 - w1) energy of paper S1 (eq 18) as
            it is for a task that is alone in its decision.
        repetitions: searches of each task, of which the best counts.

    Raises:
        ValueError: an argument is not one of these.
    """

    def __init__(self, rng: np.random.Generator, minimise: str = "latency", repetitions: int = 1) -> None:
        if minimise not in ("latency", "cost"):
            raise ValueError(f"minimise={minimise!r} is not known; use latency or cost")
        if isinstance(repetitions, bool) or not isinstance(repetitions, int) or repetitions < 1:
            raise ValueError(f"repetitions={repetitions!r} is not a positive whole number; give one")
        self._rng = rng
        self._minimise = minimise
        self._repetitions = repetitions
        self.oracle_calls = 0

    def decide(self, observation: Observation) -> Action:
        """Return the column found for each task; column 0 where none is feasible."""
        values = observation.expected_s if self._minimise == "latency" else lone_cost(observation)
        found = search_actions(values, observation.feasible, self._rng, self._repetitions)
        self.oracle_calls += int(found.oracle_calls.sum())
        return Action(found.choice)


def lone_cost(observation: Observation) -> FloatArray:  # (T, M)
    """Return the cost of each option at the default power, beside the transfers that are active; inf if infeasible."""
    cost = option_terms(observation, uplink_bps=observation.uplink_bps).cost
    usable: FloatArray = np.where(observation.feasible, cost, np.inf)
    return usable
