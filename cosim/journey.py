"""A task between its decision and its outcome: how far it has come, and what can end it early."""

from collections.abc import Callable
from math import nan
from typing import NamedTuple

from cosim.kernel.clock import Life
from cosim.keys.request_queue import GrantedKey, QueuedKeyRequest
from cosim.tasks.source import Task
from cosim.types import NOWHERE, Failure, Phase, Status


class DeadlinePassed(Failure):
    """The deadline passed, and the scenario drops such tasks."""

    status = Status.EXPIRED


class BudgetSpent(Failure):
    """The vehicle's energy budget is spent."""

    status = Status.NO_ENERGY


class RunOver(Failure):
    """The run ended before the task."""

    status = Status.IN_FLIGHT


class Decision(NamedTuple):
    """The decision for one task."""

    decided_s: float
    """Simulated time of the decision in s."""
    tier: int
    """`cosim.types.Tier` where the task is executed."""
    target: int
    """Site number, or the neighbour's vehicle number; NOWHERE for local."""
    share: float
    """Bandwidth share in (0, 1]."""
    power_w: float
    """Transmit power in W."""
    cpu_share: float
    """Share of a core in (0, 1]."""


class Journey(Life):
    """The life of one task. NaN and NOWHERE stand for what has not happened.

    Defaults are class attributes, so that a task sets only the steps that it reaches.

    Args:
        task: the task.
        choice: its decision.
        end: called with this object and the failure, None for a regular end.
    """

    phase = Phase.DECISION
    uplink_site = NOWHERE
    downlink_from_site = NOWHERE
    downlink_site = NOWHERE
    handovers = 0
    uplink_s = nan
    uplinked_s = nan
    queued_s = nan
    started_s = nan
    executed_s = nan
    downlink_s = nan
    wire_bit = 0.0
    transmit_j = 0.0
    vehicle_cpu_j = 0.0
    edge_cpu_j = 0.0
    up_key: GrantedKey | QueuedKeyRequest | None = None
    """Key request before the uplink; None if no new key was needed."""
    down_key: GrantedKey | QueuedKeyRequest | None = None
    """Key request before the downlink; None if no new key was needed."""

    def __init__(self, task: Task, choice: Decision, end: Callable[["Journey", Failure | None], None]) -> None:
        self.task = task
        self.choice = choice
        self._end = end

    def ended(self, failure: Failure | None) -> None:
        """Report the task's end to its owner: its result is back, or a failure has ended it."""
        self._end(self, failure)
