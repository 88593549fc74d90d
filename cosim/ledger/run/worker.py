"""The ledger's work at the sites' hosts, in the queues of the tasks (S3 eq 18-20)."""

from cosim.compute import Execution, Host, QueueFull
from cosim.kernel.clock import Clock, Story
from cosim.ledger.run.network import Background
from cosim.trace.facts.ledger import ConsensusWorked
from cosim.trace.store.writer import FactWriter
from cosim.types import Failure, Status, Work

_RETRY_S = 0.1
"""A host whose queue is full is asked again after this time."""


class Stopped(Failure):
    """The run ended first."""

    status = Status.IN_FLIGHT


class Worker:
    """Puts work to hosts and states what it cost."""

    def __init__(self, clock: Clock, facts: FactWriter) -> None:
        self._clock = clock
        self._record = facts.recorder(ConsensusWorked)
        self._running: dict[Execution, None] = {}

    def do(self, host: Host, site: int, height: int, work: Work, cycles: float) -> Story:
        """Wait until a host has done `cycles`; none take no time."""
        if cycles <= 0.0:
            return
        execution = None
        while execution is None:
            try:
                execution = host.execute(cycles)
            except QueueFull:
                yield self._clock.pause(_RETRY_S)
        queued_s = self._clock.now
        self._running[execution] = None
        try:
            yield execution
        finally:
            del self._running[execution]
            self._record(self._clock.now, site, height, work, cycles, queued_s, execution.started_s, execution.energy_j)

    def finish(self) -> None:
        """The run is over: take out what still waits or runs, those that run last, so that nobody moves up."""
        for execution in sorted(self._running, key=lambda one: one.started_s == one.started_s):
            execution.cancel(Stopped())


def begin(story: Story) -> None:
    """Let a story run that nobody waits for."""
    Background(story).begin()
