"""Messages to many sites along a tree of wires: each wire of the tree carries a message once, in bundles.

The tree of a sender is made of the routes of least latency to its receivers. A node that a message has reached puts it
on each wire onwards. What waits for a wire, in one direction and of one sort, leaves as one bundle when the bundle
before has left, and is heard when its last bit is there. A bundle shares its wire with all other transfers as one flow.

A bundle on an idle wire needs no flow: the time of its last bit is known when it starts, and one event stands for all
bundles that arrive at one instant, wherever they do. If another transfer starts on the wire before that, the rest of
the bundle becomes a flow at that moment. So times are those of flows on every hop, whether wires are idle or busy.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from math import inf

from cosim.kernel.clock import Clock, Wait
from cosim.kernel.fluid import Flow, Fluid
from cosim.transport import Wires


class Freight(IntEnum):
    """The two sorts of what the ledger sends; each has its own bundles, so that no vote waits behind a batch."""

    VOTES = 0
    """Votes, and other messages without a block."""
    BLOCKS = 1
    """Messages with a block, and batches."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message on its way along a tree."""

    size_bit: float
    onwards: Mapping[int, tuple[int, ...]]
    """The nodes to which each node of the tree passes it on."""
    receivers: Collection[int]
    """Nodes that hear it."""
    arrived: Callable[[int], None]
    """Called with the node at which its last bit has arrived."""


class Bundle:
    """Parcels that cross a wire together.

    Args:
        lane: the lane that they cross it in.
        parcels: in the order in which they are heard.
        started_s: when its first bit leaves.
    """

    __slots__ = ("lane", "overtaken", "parcels", "size_bit", "started_s")

    def __init__(self, lane: "Lane", parcels: list[Parcel], started_s: float) -> None:
        self.lane = lane
        self.parcels = parcels
        self.started_s = started_s
        self.size_bit = parcels[0].size_bit if len(parcels) == 1 else sum(parcel.size_bit for parcel in parcels)
        self.overtaken = False
        """Whether it has become a flow, so that its foreseen arrival does not hold."""


class Multicast:
    """All trees of the ledger's messages over the wires of a run."""

    def __init__(self, clock: Clock, wires: Wires, foresee: bool = True) -> None:
        """Begin with nothing on its way.

        Args:
            clock: simulated time.
            wires: wires between nodes, shared with all other transfers.
            foresee: whether bundles on idle wires go without a flow; if not, times are the same at more work.
        """
        self.foresee = foresee
        self._clock = clock
        self._wires = wires
        self._lanes: dict[tuple[int, int, Freight], Lane] = {}
        self._trees: dict[tuple[int, tuple[int, ...]], Mapping[int, tuple[int, ...]]] = {}
        self._due: dict[float, list[Bundle]] = {}

    def send(
        self,
        size_bit: float,
        start: int,
        ends: tuple[int, ...],
        receivers: Collection[int],
        freight: Freight,
        arrived: Callable[[int], None],
    ) -> None:
        """Send a message along the tree to some nodes.

        Args:
            size_bit: its size in bits.
            start: sending node, none of `ends`.
            ends: nodes to which it is carried.
            receivers: those of them that hear it; to the others it is lost at the end of its way.
            freight: which bundles it goes with.
            arrived: called with each receiver once the last bit is there.
        """
        self._pass_on(start, [Parcel(size_bit, self.tree(start, ends), receivers, arrived)], freight)

    def tree(self, start: int, ends: tuple[int, ...]) -> Mapping[int, tuple[int, ...]]:
        """Return the nodes to which each node of a tree passes a message on; leaves are left out."""
        found = self._trees.get((start, ends))
        if found is None:
            onwards: dict[int, dict[int, None]] = {}
            for end in ends:
                for here, there in self._wires.route(start, end):
                    onwards.setdefault(here, {})[there] = None
            found = self._trees[start, ends] = {node: tuple(others) for node, others in onwards.items()}
        return found

    def foreseen(self, bundle: Bundle, time_s: float) -> None:
        """Take note of when a bundle arrives, unless it is overtaken before."""
        due = self._due.get(time_s)
        if due is None:
            self._due[time_s] = [bundle]
            self._clock.at(time_s, partial(self._arrive, time_s))
        else:
            due.append(bundle)

    def _arrive(self, time_s: float) -> None:
        for bundle in self._due.pop(time_s):
            if not bundle.overtaken:
                bundle.lane.medium.credit(bundle.lane.until_s - bundle.started_s, bundle.size_bit, 1)
                self.reached(bundle)

    def reached(self, bundle: Bundle) -> None:
        """Pass the parcels of a bundle on from the node that it has reached, then have them heard there."""
        node = bundle.lane.node
        self._pass_on(node, bundle.parcels, bundle.lane.freight)
        for parcel in bundle.parcels:
            if node in parcel.receivers:
                parcel.arrived(node)

    def _pass_on(self, node: int, parcels: list[Parcel], freight: Freight) -> None:
        leaving: dict[int, list[Parcel]] = {}
        for parcel in parcels:
            for other in parcel.onwards.get(node, ()):
                if other in leaving:
                    leaving[other].append(parcel)
                else:
                    leaving[other] = [parcel]
        for other, theirs in leaving.items():
            lane = self._lanes.get((node, other, freight))
            if lane is None:
                medium, latency_s = self._wires.wire(node, other)
                lane = self._lanes[node, other, freight] = Lane(self._clock, self, medium, latency_s, other, freight)
            lane.take(theirs)


class Lane:
    """One direction of a wire for one sort of parcels, which cross it one bundle after the other."""

    def __init__(
        self, clock: Clock, multicast: Multicast, medium: Fluid, latency_s: float, node: int, freight: Freight
    ) -> None:
        """Begin without a bundle.

        Args:
            clock: simulated time.
            multicast: passes bundles on.
            medium: the wire.
            latency_s: of the wire.
            node: where it leads.
            freight: what it carries.
        """
        self.medium = medium
        self.node = node
        self.freight = freight
        self.until_s = -inf
        """When the last bit of the last bundle without a flow leaves."""
        self._clock = clock
        self._multicast = multicast
        self._latency_s = latency_s
        self._waiting: list[Parcel] = []
        self._bundle: Bundle | None = None
        self._flow: Flow | None = None

    def take(self, parcels: list[Parcel]) -> None:
        """Carry parcels, at once or with the next bundle."""
        now = self._clock.now
        if self._flow is not None or self._waiting:
            self._waiting += parcels
        elif now < self.until_s:
            self._waiting += parcels
            self._clock.at(self.until_s, self._next)
        else:
            self._start(parcels)

    def _start(self, parcels: list[Parcel]) -> None:
        now, medium = self._clock.now, self.medium
        self._bundle = bundle = Bundle(self, parcels, now)
        medium.part_with_guest()
        if medium.active or not self._multicast.foresee:
            self._begin_flow(bundle.size_bit)
        else:
            self.until_s = until_s = now + bundle.size_bit / medium.unit_rate
            medium.guest = self._joined
            self._multicast.foreseen(bundle, until_s + self._latency_s)

    def _begin_flow(self, left_bit: float) -> None:
        bundle = self._bundle
        assert bundle is not None  # noqa: S101 - one has just been started
        self._flow = flow = Flow(bundle.size_bit)
        flow.left = left_bit
        flow.resume = self._sent
        self.medium.start(flow)

    def _joined(self) -> None:
        """Become a flow, as another transfer starts on the wire, if a bundle is on its way without one."""
        now, bundle = self._clock.now, self._bundle
        if bundle is not None and now < self.until_s:
            bundle.overtaken = True
            self.medium.credit(now - bundle.started_s)
            left_bit = (self.until_s - now) * self.medium.unit_rate
            self.until_s = -inf
            self._begin_flow(left_bit)

    def _sent(self, _flow: Wait) -> None:
        bundle = self._bundle
        assert bundle is not None  # noqa: S101 - it is the flow's
        self._flow = None
        self._clock.at(self._clock.now + self._latency_s, partial(self._multicast.reached, bundle))
        self._next()

    def _next(self) -> None:
        """Start the next bundle, if the last one has left."""
        if self._waiting and self._flow is None and self._clock.now >= self.until_s:
            parcels, self._waiting = self._waiting, []
            self._start(parcels)
