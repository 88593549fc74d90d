"""The ledger's work at the sites' hosts, in the queues of the tasks (S3 eq 18-20)."""

from cosim.compute import Execution, Host, QueueFull
from cosim.kernel.clock import Clock, Story
from cosim.ledger.run.network import Background
from cosim.trace.facts.ledger import ConsensusWorked
from cosim.trace.store.writer import FactWriter
from cosim.types import Failure, Status, Work

_RETRY_S = 0.1
"""Time after which a host whose queue was full is asked again."""


class Stopped(Failure):
    """The failure of work that the end of the run cut short."""

    status = Status.IN_FLIGHT


class Worker:
    """Queues the ledger's work at hosts, and records what it cost."""

    def __init__(self, clock: Clock, facts: FactWriter) -> None:
        self._clock = clock
        self._record = facts.recorder(ConsensusWorked)
        self._running: dict[Execution, None] = {}

    def do(self, host: Host, site: int, height: int, work: Work, cycles: float) -> Story:
        """Wait until a host has executed the cycles of some work; zero cycles take no time.

        Args:
            host: processor of the site.
            site: number of the site.
            height: height that the work is for.
            work: kind of work, for the record.
            cycles: processor cycles.
        """
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
        """Cancel all work that waits or runs at the end of the run.

        Waiting work goes first: if running work were cancelled before it, waiting work would start in its place.
        """
        for execution in sorted(self._running, key=lambda one: one.started_s == one.started_s):
            execution.cancel(Stopped())


def begin(story: Story) -> None:
    """Start a process that nobody waits for."""
    Background(story).begin()
