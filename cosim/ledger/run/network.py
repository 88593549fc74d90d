"""The transport of validators' messages and batches: over the wires that tasks use, and not across a partition.

What is for many goes to each as a transfer of its own (`direct`) or along one tree of wires (`tree`). Both know
the same disturbances: a message is held back for those beyond a partition, and lost to each receiver on its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from cosim.kernel.clock import Clock, Life, Story
from cosim.ledger.run.multicast import Freight, Multicast
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
        self._multicast = Multicast(clock, wires) if plan.dissemination == "tree" else None

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

    def broadcast(
        self,
        size_bit: float,
        start: int,
        ends: tuple[int, ...],
        arrived: Callable[[int], None],
        what: bytes,
        freight: Freight,
    ) -> None:
        """Send a message of the vote to many, as `post` does to each of them.

        Args:
            size_bit: its size in bits.
            start: number of the sending site.
            ends: numbers of the receiving sites.
            arrived: called with the site at which it has arrived.
            what: the bytes that are signed.
            freight: which bundles it goes with, along a tree.
        """
        if self._multicast is None:
            for end in ends:
                self.post(size_bit, start, end, partial(arrived, end), what)
        else:
            self._spread(self._multicast, _Announcement(size_bit, start, arrived, what, freight), ends)

    def send_to_all(self, size_bit: float, start: int, ends: tuple[int, ...], arrived: Callable[[int], None]) -> None:
        """Send a batch to many, as `send` does to each of them.

        Args:
            size_bit: its size in bits.
            start: number of the sending site.
            ends: numbers of the receiving sites.
            arrived: called with the site at which it has arrived.
        """
        if self._multicast is None:
            for end in ends:
                self.send(size_bit, start, end, partial(arrived, end))
        else:
            self._spread(self._multicast, _Announcement(size_bit, start, arrived, None, Freight.BLOCKS), ends)

    def _spread(self, multicast: Multicast, told: "_Announcement", ends: tuple[int, ...]) -> None:
        """Send along a tree to all whom no partition is before, and to the others once it has healed."""
        start, what = told.start, told.what
        ready = ends
        if self._partitions:
            by_healing: dict[float, list[int]] = {}
            for end in ends:
                if what is None or (start, end, what) not in self._held:
                    by_healing.setdefault(self._heals_s(start, end), []).append(end)
            ready = tuple(by_healing.pop(0.0, ()))
            for heals_s, theirs in by_healing.items():
                if what is not None:
                    self._held.update((start, end, what) for end in theirs)
                self._clock.at(heals_s, partial(self._release, multicast, told, tuple(theirs)))
        if ready:
            lossy = what is not None and self._plan.loss > 0.0
            heard = frozenset(end for end in ready if not self._is_lost()) if lossy else frozenset(ready)
            multicast.send(told.size_bit, start, ready, heard, told.freight, told.arrived)

    def _release(self, multicast: Multicast, told: "_Announcement", ends: tuple[int, ...]) -> None:
        if told.what is not None:
            self._held.difference_update((told.start, end, told.what) for end in ends)
        self._spread(multicast, told, ends)

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


@dataclass(frozen=True, slots=True)
class _Announcement:
    """What goes to many along a tree; `what` is None for a batch, which is neither lost nor repeated."""

    size_bit: float
    start: int
    arrived: Callable[[int], None]
    what: bytes | None
    freight: Freight


class Background(Life):
    """A process that nobody waits for."""

    def ended(self, failure: Failure | None) -> None:
        """Do nothing: its end, even by a failure, concerns nobody."""
