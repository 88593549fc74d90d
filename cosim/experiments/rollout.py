"""A run in memory, without a trace: the cost of a policy as paper S1 counts it (eq 12-18), epoch by epoch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from cosim.decision import Policy
from cosim.objective import weighted_cost
from cosim.scenario.load import Loaded
from cosim.simulation import Simulation
from cosim.trace.realised import PAID, latencies_s, paid_j
from cosim.trace.store.memory import InMemoryTaskEnds, columns_of
from cosim.trace.store.writer import NullWriter
from cosim.types import FloatArray, Tier

NEEDED: Final = ("time_s", "status", "tier", "deadline_s", "decided_s", *PAID)
"""Columns of `TaskEnded` that `outcome_totals` sums up."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the tasks that were decided before the run's last instant, whatever their outcome.

    L runs from the decision to the task's end: S1 eq 12-14 do not count the wait for the slot, while `cost_mean` of a
    trace counts from the release. E is what vehicles spent (eq 15-17): radio and their own processors. A task without a
    result counts until its deadline or its end, whichever is later, so that losing tasks soon does not look fast. An
    epoch at the very end of the run, which leaves its tasks no time, is left out.
    """

    epochs: int
    """Number of decision epochs with at least one task."""
    tasks: int
    offloaded: int
    """Number of tasks sent to an edge host, the cloud or a neighbour."""
    cost: float
    """Sum of w1 L + (1 - w1) E."""
    latency_s: float
    """Sum of L."""
    energy_j: float
    """Sum of E."""
    undecided: int
    """Number of tasks that ended before they were decided, or were decided at the very end; in no other sum."""

    @property
    def cost_per_epoch(self) -> float:
        """S1 eq 18: the cost of the tasks of an epoch, on average over epochs with tasks."""
        return _ratio(self.cost, self.epochs)

    @property
    def latency_mean_s(self) -> float:
        """Mean of L over the tasks."""
        return _ratio(self.latency_s, self.tasks)

    @property
    def energy_mean_j(self) -> float:
        """Mean of E over the tasks."""
        return _ratio(self.energy_j, self.tasks)

    @property
    def offloaded_ratio(self) -> float:
        """Share of the decided tasks that left their vehicle."""
        return _ratio(self.offloaded, self.tasks)


def rollout(loaded: Loaded, policy: Policy, seed: int | None = None) -> Totals:
    """Run a scenario under a policy in this process, without a run folder.

    Args:
        loaded: the scenario; its own policy is not used.
        policy: the policy; it must fit the options of the scenario.
        seed: replaces the seed of the scenario.

    Raises:
        InputError: the scenario names something that does not exist.
        RunError: the traffic source broke.

    Example:
        >>> import cosim
        >>> class Fastest:
        ...     def decide(self, observation):
        ...         return cosim.Action(option=observation.expected_s.argmin(axis=1))
        >>> totals = rollout(cosim.load("per_task", ["duration_s=1", "statistics.warmup_s=0"]), Fastest())
        >>> totals.tasks > totals.offloaded > 0
        True
    """
    scenario = loaded.scenario if seed is None else loaded.scenario.model_copy(update={"seed": seed})
    ended = InMemoryTaskEnds(NullWriter())
    simulation = Simulation(scenario, ended, loaded.folder)
    try:
        simulation.run(policy)
    finally:
        simulation.close()
    return outcome_totals(columns_of(ended.take()), scenario.decisions.latency_weight, scenario.duration_s)


def outcome_totals(ended: Mapping[str, FloatArray], latency_weight: float, end_s: float) -> Totals:
    """Return the sums over `TaskEnded` rows, of a roll-out or of a stored trace.

    Args:
        ended: the columns NEEDED, (N,) each.
        latency_weight: w1 of the cost.
        end_s: end of the run.
    """
    decided = ended["decided_s"] < end_s  # NaN: never decided
    kept = {name: values[decided] for name, values in ended.items()}
    latency_s = float(np.sum(latencies_s(kept)))
    energy_j = paid_j({name: float(np.sum(kept[name])) for name in PAID})
    return Totals(
        epochs=len(np.unique(kept["decided_s"])),
        tasks=int(decided.sum()),
        offloaded=int((kept["tier"] > Tier.LOCAL).sum()),
        cost=weighted_cost(latency_weight, latency_s, energy_j),
        latency_s=latency_s,
        energy_j=energy_j,
        undecided=int((~decided).sum()),
    )


def _ratio(total: float, count: int) -> float:
    return total / count if count else float("nan")
