"""A run in memory that leaves no trace: what a policy cost, as paper S1 counts it (eq 12-18), epoch by epoch."""

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
    """Sums over the tasks that were decided before the run's last instant, whatever became of them.

    L runs from the decision to the task's end: S1 eq 12-14 do not count the wait for the slot, while `cost_mean` of a
    trace counts from the release. E is what vehicles spent (eq 15-17): radio and their own processors. A task without a
    result counts until its deadline or its end, whichever is later, so that losing tasks soon does not look fast. An
    epoch at the very end of the run, which leaves its tasks no time, is left out.
    """

    epochs: int
    """Decision epochs with at least one task."""
    tasks: int
    offloaded: int
    """To an edge host, the cloud or a neighbour."""
    cost: float
    """Sum of w1 L + (1 - w1) E."""
    latency_s: float
    """Sum of L."""
    energy_j: float
    """Sum of E."""
    undecided: int
    """Tasks that ended before they were decided, and those decided at the very end; in no other sum."""

    @property
    def cost_per_epoch(self) -> float:
        """S1 eq 18: the sum over the tasks of an epoch, on average over epochs with tasks."""
        return _ratio(self.cost, self.epochs)

    @property
    def latency_mean_s(self) -> float:
        """Mean L."""
        return _ratio(self.latency_s, self.tasks)

    @property
    def energy_mean_j(self) -> float:
        """Mean E."""
        return _ratio(self.energy_j, self.tasks)

    @property
    def offloaded_ratio(self) -> float:
        """Share of the decided tasks that left their vehicle."""
        return _ratio(self.offloaded, self.tasks)


def rollout(loaded: Loaded, policy: Policy, seed: int | None = None) -> Totals:
    """Run a scenario under a policy in this process, without a run folder.

    Args:
        loaded: the scenario; its own policy is not asked.
        policy: decides; it must fit the scenario's options.
        seed: instead of the scenario's.

    Raises:
        InputError: the scenario names something that is not there.
        RunError: the traffic source broke.
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
    """Sums over `TaskEnded` rows, of a roll-out or of a stored trace.

    Args:
        ended: the columns NEEDED, (N,) each.
        latency_weight: w1.
        end_s: of the run.
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
