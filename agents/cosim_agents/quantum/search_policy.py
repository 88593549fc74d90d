"""A rule that asks a simulated quantum search for each task's best option: Duerr and Hoyer's minimum search."""

import numpy as np

from cosim.decision import Action, Observation
from cosim.types import FloatArray, Tier
from cosim_agents.quantum.grover import search_actions


class GroverSearch:
    """The option with the smallest estimate, as a minimum search by amplitude amplification finds it.

    It differs from `greedy-latency` by the search alone: the same estimates, each task by itself, and now and then a
    minimum that was missed. `oracle_calls` counts how often the oracle was asked since the start.

    Args:
        rng: of the measurements.
        minimise: "latency" (`Observation.expected_s`) or "cost", w1 latency + (1 - w1) energy of paper S1 (eq 18) as
            it is for a task that is alone in its decision.
        repetitions: searches of each task, of which the best counts.
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
        """The column found for each task; column 0 where none is feasible."""
        values = observation.expected_s if self._minimise == "latency" else lone_cost(observation)
        found = search_actions(values, observation.feasible, self._rng, self._repetitions)
        self.oracle_calls += int(found.oracle_calls.sum())
        return Action(found.choice)


def lone_cost(observation: Observation) -> FloatArray:  # (T, M)
    """w1 L + (1 - w1) E of each option at the default power, beside the transfers that are active (S1 eq 12-18).

    E = p bits / rate for the radio, and kappa f^2 cycles where a vehicle computes, in joules.

    Returns:
        (T, M) cost, inf where infeasible.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        airtime_s = np.where(
            observation.tier == Tier.LOCAL, 0.0, observation.input_bit[:, None] / observation.uplink_bps
        )
    own = (observation.tier == Tier.LOCAL) | (observation.tier == Tier.NEIGHBOUR)
    computing_j = np.where(own, observation.kappa * observation.core_hz**2 * observation.work_cycles, 0.0)
    energy_j = observation.power_w[:, None] * airtime_s + computing_j
    weight = observation.latency_weight
    with np.errstate(invalid="ignore"):
        cost = weight * observation.expected_s + (1.0 - weight) * energy_j
    usable: FloatArray = np.where(observation.feasible, cost, np.inf)
    return usable
