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
    """The vehicle has no energy left."""

    status = Status.NO_ENERGY


class RunOver(Failure):
    """The run ended first."""

    status = Status.IN_FLIGHT


class Decision(NamedTuple):
    """What was decided for a task."""

    decided_s: float
    tier: int
    target: int
    share: float
    power_w: float
    cpu_share: float


class Journey(Life):
    """The life of one task. NaN and NOWHERE stand for what has not happened.

    The defaults stand in the class: a task sets only what it comes to.
    """

    phase = Phase.DECISION
    uplink_site = NOWHERE
    downlink_site = NOWHERE
    handovers = 0
    uplink_s = nan
    uplinked_s = nan
    queued_s = nan
    started_s = nan
    executed_s = nan
    downlink_s = nan
    transmit_j = 0.0
    vehicle_cpu_j = 0.0
    edge_cpu_j = 0.0
    up_key: GrantedKey | QueuedKeyRequest | None = None
    """Asked for before its uplink; None if no new key was needed."""
    down_key: GrantedKey | QueuedKeyRequest | None = None

    def __init__(self, task: Task, choice: Decision, end: Callable[["Journey", Failure | None], None]) -> None:
        self.task = task
        self.choice = choice
        self._end = end

    def ended(self, failure: Failure | None) -> None:
        """Its result is back, or a failure has ended it."""
        self._end(self, failure)
