"""The transport of validators' messages and batches: over the wires that tasks use, and not across a partition."""

from collections.abc import Callable, Sequence

import numpy as np

from cosim.kernel.clock import Clock, Life, Story
from cosim.scenario.ledger import Ledger, Partition
from cosim.transport import Wires
from cosim.types import Failure


class Network:
    """Carries the messages and batches of the ledger between sites."""

    def __init__(
        self,
        clock: Clock,
        wires: Wires,
        plan: Ledger,
        partitions: Sequence[tuple[Partition, frozenset[int]]],
        rng: np.random.Generator,
    ) -> None:
        """Connect the sites.

        Args:
            clock: simulated time.
            wires: wires between sites.
            plan: the scenario's `ledger`, for what is lost.
            partitions: each with the sites of one side; all others are the other side.
            rng: draws the messages that are lost.
        """
        self._clock = clock
        self._wires = wires
        self._plan = plan
        self._partitions = partitions
        self._rng = rng
        self._held: set[tuple[int, int, bytes]] = set()

    def send(self, size_bit: float, start: int, end: int, arrived: Callable[[], None]) -> None:
        """Send a batch from one site to another; across a partition it starts when the partition has healed.

        Args:
            size_bit: its size in bits.
            start: number of the sending site.
            end: number of the receiving site.
            arrived: called when it has arrived.
        """
        Background(self._carry(size_bit, start, end, arrived)).begin()

    def post(self, size_bit: float, start: int, end: int, arrived: Callable[[], None], what: bytes) -> None:
        """Send a message of the vote, which can be lost on the wires; nothing more if a copy waits for the healing.

        Args:
            size_bit: its size in bits.
            start: number of the sending site.
            end: number of the receiving site.
            arrived: called when it has arrived.
            what: the bytes that are signed, by which copies are known.
        """
        Background(self._carry_message(size_bit, start, end, arrived, what)).begin()

    def _carry(self, size_bit: float, start: int, end: int, arrived: Callable[[], None]) -> Story:
        while (heals_s := self._heals_s(start, end)) > self._clock.now:
            yield self._clock.pause(heals_s - self._clock.now)
        yield from self._wires.carry(size_bit, start, end)
        arrived()

    def _carry_message(self, size_bit: float, start: int, end: int, arrived: Callable[[], None], what: bytes) -> Story:
        copy = (start, end, what)
        if copy in self._held:
            return
        while (heals_s := self._heals_s(start, end)) > self._clock.now:
            self._held.add(copy)
            yield self._clock.pause(heals_s - self._clock.now)
        self._held.discard(copy)
        lost = self._is_lost()
        yield from self._wires.carry(size_bit, start, end)
        if not lost:
            arrived()

    def _is_lost(self) -> bool:
        plan = self._plan
        if not plan.loss or not plan.loss_start_s <= self._clock.now < plan.loss_end_s:
            return False
        return float(self._rng.random()) < plan.loss

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
