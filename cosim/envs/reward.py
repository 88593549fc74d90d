"""Rewards of decisions, paper S1 eq 22: by formula at once, or by the latency and energy that tasks really took."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from cosim.cost import cost_terms
from cosim.decision import Observation
from cosim.objective import weighted_cost
from cosim.scenario.reward import Reward
from cosim.trace.realised import latencies_s, paid_j
from cosim.trace.store.memory import Ended, columns_of
from cosim.types import BoolArray, FloatArray, IntArray, Status, Tier, read_only


@dataclass(frozen=True, slots=True)
class EpochCost:
    """Sums over the tasks whose cost became known in one step."""

    tasks: int
    offloaded: int
    late: int
    """Tasks with a result after the deadline; by the formula, with a latency beyond it."""
    lost: int
    """Tasks without a result; by the formula, with an infeasible choice."""
    latency_s: float
    energy_j: float
    cost: float
    """Sum of w1 L + (1 - w1) E."""

    def less(self, other: "EpochCost") -> "EpochCost":
        """Return the difference to an earlier sum."""
        if other is NOTHING:
            return self
        return EpochCost(*(getattr(self, field.name) - getattr(other, field.name) for field in fields(self)))


NOTHING = EpochCost(0, 0, 0, 0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class TaskOutcomes:
    """The outcomes of k tasks that a step made known, from which a reward can be computed. Arrays (k,), read only.

    With analytic rewards they are those of S1's formulas for all tasks of the epoch just decided; with realised ones
    those of the tasks that ended since the epoch before, and the simulation's.
    """

    task: IntArray
    """Task numbers."""
    vehicle: IntArray
    """Numbers of their vehicles."""
    tier: IntArray
    """`cosim.types.Tier` of where each was sent: 0 its own vehicle."""
    latency_s: FloatArray
    """Latency from the decision on; for a lost task the time to its deadline or more."""
    energy_j: FloatArray
    """Energy that vehicles pay, of radio and processors."""
    cost: FloatArray
    """w1 L + (1 - w1) E of eq 18."""
    imposed: FloatArray
    """Cost that it imposes on the other tasks of the epoch; 0 with realised rewards, where it is in their own."""
    late: BoolArray
    """Whether the result comes after the deadline."""
    lost: BoolArray
    """Whether there is no result."""
    reward: FloatArray
    """Its own reward by the scenario's `decisions.reward`."""

    def __len__(self) -> int:
        """Number of tasks."""
        return len(self.task)

    def of(self, chosen: BoolArray) -> "TaskOutcomes":
        """Return the outcomes of some of the tasks, where (k,) is true."""
        return TaskOutcomes(*(read_only(getattr(self, name)[chosen]) for name in self.__slots__))


class Credit(NamedTuple):
    """The tasks whose reward became known, with their vehicles and rewards; all (k,)."""

    task: IntArray
    vehicle: IntArray
    reward: FloatArray


class Charge(NamedTuple):
    """The costs of choices by the formula; all (T,), 0 for tasks that are not decided."""

    latency_s: FloatArray
    energy_j: FloatArray
    cost: FloatArray
    imposed: FloatArray
    penalty: FloatArray
    late: BoolArray
    lost: BoolArray

    def reward(self, scale: float) -> float:
        """Return the reward of the team: -scale Phi - penalties."""
        return self.told(scale, 0, 0)[0]

    def told(self, scale: float, tasks: int, offloaded: int) -> tuple[float, EpochCost]:
        """Return the reward of the team and the sums over the tasks.

        Args:
            scale: factor on Phi.
            tasks: number of tasks that are decided.
            offloaded: number of those that are not local.
        """
        latency_s, energy_j, cost, penalty = np.array((*self[:3], self.penalty)).sum(axis=1).tolist()
        late, lost = int(np.count_nonzero(self.late)), int(np.count_nonzero(self.lost))
        return -scale * cost - penalty, EpochCost(tasks, offloaded, late, lost, latency_s, energy_j, cost)


def charge(
    observation: Observation,
    option: IntArray,
    power_w: FloatArray | None,
    share: FloatArray | None,
    decided: int,
    plan: Reward,
) -> Charge:
    """Return the cost of S1 eq 18 for each decided task of an epoch, on the true state, with eq 22's penalties.

    A choice that cannot work is charged as lost: no energy, and as latency the time to the deadline or the slowest of
    the task's feasible options with an idle band, whichever is more, so that no loss looks better than any option.
    That is an infeasible choice, or a target that is no option any more in the true state (policies that observe a twin
    may name one). A task without any feasible option is charged nothing, as in `analytic_cost`.

    Args:
        observation: the true state, T tasks.
        option: (T,) columns of `observation`; -1 for a target that it does not have.
        power_w: (T,) transmit powers; None: the default.
        share: (T,) bandwidth shares; None: 1.
        decided: number of tasks, from the first, that are decided.
        plan: scale and penalties.
    """
    given = option[:decided]
    if decided < len(option):
        option = np.full(len(option), -1)
        option[:decided] = given
    terms = cost_terms(observation, option, power_w, share)
    latency_s, energy_j, own = terms.latency_s, terms.energy_j, terms.own
    lost = np.isinf(own)
    if given[given.argmin()] < 0:
        lost[:decided] |= (given < 0) & observation.feasible[:decided].any(axis=1)
    left_s = observation.deadline_s - observation.time_s
    if np.count_nonzero(lost):
        latency_s = np.where(lost, np.maximum(left_s, _slowest_s(observation)), latency_s)
        energy_j = np.where(lost, 0.0, energy_j)
        own = np.where(lost, weighted_cost(observation.latency_weight, latency_s, energy_j), own)
    late = (latency_s > left_s) & ~lost
    if decided < len(late):
        late[decided:] = False
    penalty = _penalty(plan, late, lost, energy_j)
    return Charge(latency_s, energy_j, own, terms.imposed, penalty, late, lost)


def settled_rewards(
    ended: Sequence[Ended], latency_weight: float, plan: Reward
) -> tuple[Credit, EpochCost, TaskOutcomes]:
    """Return the rewards of tasks that have ended, -scale (w1 L + (1 - w1) E) - penalties, their costs' sums, and both.

    L is that of `latencies_s`, so that failing soon does not look fast; E is what the vehicles spent, radio and
    processors (S1 eq 15-17). A task that the end of the run cuts off counts like one without a result, but bears no
    penalty. A task that ended before it was decided is left out.

    Args:
        ended: the tasks.
        latency_weight: w1.
        plan: scale and penalties.
    """
    ended = [row for row in ended if row.decided_s == row.decided_s]  # NaN: it was never decided
    told = columns_of(ended)
    status, latency_s, spent_j = told["status"], latencies_s(told), paid_j(told)
    late = status == Status.LATE
    lost = ~late & (status != Status.COMPLETED) & (status != Status.IN_FLIGHT)
    cost = weighted_cost(latency_weight, latency_s, spent_j)
    sums = EpochCost(
        len(ended),
        int((told["tier"] != Tier.LOCAL).sum()),
        int(late.sum()),
        int(lost.sum()),
        float(latency_s.sum()),
        float(spent_j.sum()),
        float(cost.sum()),
    )
    task, vehicle = (np.array([row[place] for row in ended], np.int64) for place in (1, 2))
    reward = -plan.scale * cost - _penalty(plan, late, lost, spent_j)
    tier = told["tier"].astype(np.int64)
    told_of = (task, vehicle, tier, latency_s, spent_j, cost, np.zeros(len(ended)), late, lost, reward)
    return Credit(task, vehicle, reward), sums, TaskOutcomes(*map(read_only, told_of))


def _penalty(plan: Reward, late: BoolArray, lost: BoolArray, energy_j: FloatArray) -> FloatArray:
    """Return the sum of the penalties U of S1 eq 22 for each task, (T,)."""
    penalty = np.zeros(len(late))
    penalty[late], penalty[lost] = plan.late_penalty, plan.loss_penalty
    if plan.energy_limit_j is not None:
        penalty = penalty + plan.energy_penalty * (energy_j > plan.energy_limit_j)
    return penalty


def _slowest_s(observation: Observation) -> FloatArray:
    """Return the latency of each task's slowest feasible option, at least 0, (T,)."""
    alone_s = observation.expected_s
    slowest: FloatArray = np.where(np.isfinite(alone_s), alone_s, 0.0).max(axis=1)
    return slowest
