"""Rewards of decisions, paper S1 eq 22: from the formula at once, or from what the tasks' lives took and spent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, ParamSpec

import numpy as np

from cosim.cost import cost_terms
from cosim.decision import Observation
from cosim.scenario.reward import Reward
from cosim.trace.schema import TaskEnded
from cosim.trace.writer import FactWriter
from cosim.types import BoolArray, FloatArray, IntArray, Status, Tier

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class EpochCost:
    """Sums over the tasks whose cost became known in one step."""

    tasks: int
    offloaded: int
    late: int
    """Results after the deadline, or by the formula latencies beyond it."""
    lost: int
    """Without a result; with the formula: infeasible choices."""
    latency_s: float
    energy_j: float
    cost: float
    """Sum of w1 L + (1 - w1) E."""

    def less(self, other: "EpochCost") -> "EpochCost":
        """What came since another sum."""
        if other is NOTHING:
            return self
        return EpochCost(*(getattr(self, field.name) - getattr(other, field.name) for field in fields(self)))


NOTHING = EpochCost(0, 0, 0, 0, 0.0, 0.0, 0.0)


class Credit(NamedTuple):
    """Tasks whose reward is known, (k,) each."""

    task: IntArray
    vehicle: IntArray
    reward: FloatArray


class Charge(NamedTuple):
    """What the choices of some tasks cost by the formula; (T,) arrays, 0 for tasks that are not decided."""

    latency_s: FloatArray
    energy_j: FloatArray
    cost: FloatArray
    imposed: FloatArray
    penalty: FloatArray
    late: BoolArray
    lost: BoolArray

    def reward(self, scale: float) -> float:
        """Of the team: -scale Phi - penalties."""
        return -scale * float(self.cost.sum()) - float(self.penalty.sum())

    def sums(self, tasks: int, offloaded: int) -> EpochCost:
        """Over the tasks."""
        latency_s, energy_j, cost = np.array(self[:3]).sum(axis=1).tolist()
        late, lost = int(np.count_nonzero(self.late)), int(np.count_nonzero(self.lost))
        return EpochCost(tasks, offloaded, late, lost, latency_s, energy_j, cost)


def charge(
    observation: Observation,
    option: IntArray,
    power_w: FloatArray | None,
    share: FloatArray | None,
    decided: int,
    plan: Reward,
) -> Charge:
    """The cost of S1 eq 18 for each of the first tasks of an epoch, on the true state, with eq 22's penalties.

    A choice that cannot work is charged as lost: no energy, and as latency the time to the deadline or the slowest of
    the task's feasible options with an idle band, whichever is more, so that no loss looks better than any option.
    That is an infeasible choice, or a target that is no option any more in the true state (policies that see a twin
    may name one). A task without any feasible option is charged nothing, as in `analytic_cost`.

    Args:
        observation: the true state, T tasks.
        option: (T,) its columns; -1 for a target that has none.
        power_w: (T,) or the default.
        share: (T,) or 1.
        decided: the first so many tasks have been decided.
        plan: penalties.
    """
    given = option[:decided]
    if decided < len(option):
        option = np.full(len(option), -1)
        option[:decided] = given
    terms = cost_terms(observation, option, power_w, share)
    latency_s, energy_j, own = terms.latency_s, terms.energy_j, terms.own
    lost = np.isinf(own)
    if np.count_nonzero(given < 0):
        lost[:decided] |= (given < 0) & observation.feasible[:decided].any(axis=1)
    left_s = observation.deadline_s - observation.time_s
    if np.count_nonzero(lost):
        latency_s = np.where(lost, np.maximum(left_s, _slowest_s(observation)), latency_s)
        energy_j = np.where(lost, 0.0, energy_j)
        own = np.where(lost, observation.latency_weight * latency_s, own)
    late = (latency_s > left_s) & ~lost
    late[decided:] = False
    penalty = _penalty(plan, late, lost, energy_j)
    return Charge(latency_s, energy_j, own, terms.imposed, penalty, late, lost)


class Ended(NamedTuple):
    """What a reward needs of a TaskEnded fact."""

    time_s: float
    task: int
    vehicle: int
    status: int
    tier: int
    deadline_s: float
    decided_s: float
    transmit_j: float
    vehicle_cpu_j: float


_ENDED = tuple(field.name for field in fields(TaskEnded))
_KEPT = tuple(_ENDED.index(name) for name in Ended._fields)


class Settling:
    """Passes facts on and keeps what rewards need of tasks that have ended."""

    def __init__(self, facts: FactWriter) -> None:
        self._facts = facts
        self.records = facts.records
        self._ended: list[tuple[Any, ...]] = []

    def recorder(self, fact: Callable[P, Any]) -> Callable[P, None]:
        """See FactWriter."""
        record = self._facts.recorder(fact)
        if fact is not TaskEnded:
            return record
        keep = self._ended.append

        def both(*values: P.args, **named: P.kwargs) -> None:
            record(*values, **named)
            keep(values + tuple(named[name] for name in _ENDED[len(values) :]))

        return both

    def batch(self, fact: type[Any]) -> Callable[..., None]:
        """See FactWriter."""
        if fact is TaskEnded:
            raise TypeError("tasks end one by one; use recorder()")
        return self._facts.batch(fact)

    def tick(self, now_s: float) -> None:
        """See FactWriter."""
        self._facts.tick(now_s)

    def close(self, complete: bool, end_s: float | None = None) -> None:
        """See FactWriter."""
        self._facts.close(complete, end_s)

    def take(self) -> list[Ended]:
        """The decided tasks that have ended since the last call, in that order."""
        rows = [Ended(*(row[place] for place in _KEPT)) for row in self._ended]
        self._ended.clear()
        return [row for row in rows if row.decided_s == row.decided_s]  # NaN: it ended before anybody decided


def settle(ended: Sequence[Ended], latency_weight: float, plan: Reward) -> tuple[Credit, EpochCost]:
    """Rewards of tasks whose lives are over: -scale (w1 L + (1 - w1) E) - penalties.

    L is the time from the decision to the result; without a result, to the deadline or the end, whichever is later, so
    that failing soon does not look fast. E is what the vehicles spent: radio and processors (S1 eq 15-17). A task that
    the end of the run cuts off counts like one without a result, but bears no penalty. A task that ended before it was
    decided is nobody's reward.
    """
    status = np.array([row.status for row in ended], np.int64)
    spent_j = np.array([row.transmit_j + row.vehicle_cpu_j for row in ended], np.float64)
    done = (status == Status.COMPLETED) | (status == Status.LATE)
    late, lost = status == Status.LATE, ~done & (status != Status.IN_FLIGHT)
    ended_s = np.array([(row.time_s, row.deadline_s, row.decided_s) for row in ended], np.float64).reshape(-1, 3)
    latency_s = np.where(done, ended_s[:, 0], ended_s[:, :2].max(axis=1)) - ended_s[:, 2]
    cost = latency_weight * latency_s + (1.0 - latency_weight) * spent_j
    sums = EpochCost(
        len(ended),
        sum(row.tier != Tier.LOCAL for row in ended),
        int(late.sum()),
        int(lost.sum()),
        float(latency_s.sum()),
        float(spent_j.sum()),
        float(cost.sum()),
    )
    task, vehicle = (np.array([row[place] for row in ended], np.int64) for place in (1, 2))
    return Credit(task, vehicle, -plan.scale * cost - _penalty(plan, late, lost, spent_j)), sums


def _penalty(plan: Reward, late: BoolArray, lost: BoolArray, energy_j: FloatArray) -> FloatArray:
    """Sum of the U of S1 eq 22 for each task."""
    penalty: FloatArray = plan.late_penalty * late + plan.loss_penalty * lost
    if plan.energy_limit_j is not None:
        penalty = penalty + plan.energy_penalty * (energy_j > plan.energy_limit_j)
    return penalty


def _slowest_s(observation: Observation) -> FloatArray:
    """(T,) latency of each task's slowest feasible option, at least 0."""
    alone_s = observation.expected_s
    slowest: FloatArray = np.where(np.isfinite(alone_s), alone_s, 0.0).max(axis=1)
    return slowest
