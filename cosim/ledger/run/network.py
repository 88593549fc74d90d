"""The transport of validators' messages and batches: over the wires that tasks use, and not across a partition."""

from collections.abc import Callable, Sequence

from cosim.kernel.clock import Clock, Life, Story
from cosim.scenario.ledger import Partition
from cosim.transport import Wires
from cosim.types import Failure


class Network:
    """Carries the messages and batches of the ledger between sites."""

    def __init__(self, clock: Clock, wires: Wires, partitions: Sequence[tuple[Partition, frozenset[int]]]) -> None:
        """Connect the sites.

        Args:
            clock: simulated time.
            wires: wires between sites.
            partitions: each with the sites of one side; all others are the other side.
        """
        self._clock = clock
        self._wires = wires
        self._partitions = partitions

    def send(self, size_bit: float, start: int, end: int, arrived: Callable[[], None], after_s: float = 0.0) -> None:
        """Send something from one site to another; across a partition it starts when the partition has healed.

        Args:
            size_bit: its size in bits.
            start: number of the sending site.
            end: number of the receiving site.
            arrived: called when it has arrived.
            after_s: time for which the sender holds it back first.
        """
        Background(self._carry(size_bit, start, end, arrived, after_s)).begin()

    def _carry(self, size_bit: float, start: int, end: int, arrived: Callable[[], None], after_s: float) -> Story:
        if after_s > 0.0:
            yield self._clock.pause(after_s)
        while (heals_s := self._heals_s(start, end)) > self._clock.now:
            yield self._clock.pause(heals_s - self._clock.now)
        yield from self._wires.carry(size_bit, start, end)
        arrived()

    def _heals_s(self, start: int, end: int) -> float:
        """Return when the last partition that separates the two sites now ends; 0 without one."""
        now = self._clock.now
        return max(
            (
                partition.end_s
                for partition, side in self._partitions
                if partition.start_s <= now < partition.end_s and (start in side) != (end in side)
            ),
            default=0.0,
        )


class Background(Life):
    """A process that nobody waits for."""

    def ended(self, failure: Failure | None) -> None:
        """Do nothing: its end, even by a failure, concerns nobody."""
