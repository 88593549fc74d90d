"""All ways to send: over the air to and from vehicles, between vehicles, and over wires between sites and the cloud."""

from collections.abc import Generator, Iterable

from cosim.kernel.clock import Clock, Wait
from cosim.kernel.fluid import Flow, Fluid
from cosim.radio.channel import Channel
from cosim.radio.sidelink import SidelinkChannel
from cosim.topology import Topology


class Wires:
    """The wired network: each wire and direction is a fluid medium, hops store and forward.

    Args:
        clock: simulated time.
        topology: nodes and wires.
    """

    def __init__(self, clock: Clock, topology: Topology) -> None:
        self._clock = clock
        self._topology = topology
        self._wires: dict[tuple[int, int], Fluid] = {}
        self._delay_s: dict[tuple[int, int], float] = {}
        for start, end, wire in topology.graph.edges(data=True):
            for hop in ((start, end), (end, start)):
                self._wires[hop] = Fluid(clock, wire["bandwidth_bps"])
                self._delay_s[hop] = wire["latency_s"]
        self._routes: dict[tuple[int, int], tuple[list[Fluid], float]] = {}

    def carry(self, size_bit: float, start: int, end: int) -> Generator[Wait, None, None]:
        """Send between two nodes and wait until the last bit has arrived; nothing to do from a node to itself.

        Args:
            size_bit: bits to send.
            start: node number.
            end: node number.
        """
        if start == end:
            return
        wires, latency_s = self._route(start, end)
        for wire in wires:
            yield wire.start(Flow(size_bit))
        if latency_s > 0.0:
            yield self._clock.pause(latency_s)

    def hops(self, start: int, end: int) -> int:
        """Return the number of wires between two nodes."""
        return len(self._route(start, end)[0])

    def route(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the hops (node, node) between two nodes."""
        return self._topology.route(start, end)

    def wire(self, start: int, end: int) -> tuple[Fluid, float]:
        """Return the medium and the latency in s of the wire from a node to the next."""
        return self._wires[start, end], self._delay_s[start, end]

    def _route(self, start: int, end: int) -> tuple[list[Fluid], float]:
        route = self._routes.get((start, end))
        if route is None:
            hops = self._topology.route(start, end)
            route = [self._wires[hop] for hop in hops], sum(self._delay_s[hop] for hop in hops)
            self._routes[start, end] = route
        return route

    def media(self) -> Iterable[Fluid]:
        """Return the media of all wires, for their totals."""
        return self._wires.values()


class Transport:
    """All media that carry bits, for the stories that use them.

    Args:
        channel: radio cells.
        wires: the wired network.
        sidelink: links between vehicles; None without them.
    """

    def __init__(self, channel: Channel, wires: Wires, sidelink: SidelinkChannel | None) -> None:
        self.channel = channel
        self.wires = wires
        self.sidelink = sidelink

    def settle(self) -> None:
        """Bring the totals of all media up to now."""
        for cell in (*self.channel.up, *self.channel.down, *(self.sidelink.zones if self.sidelink else ())):
            cell.settle()
        for wire in self.wires.media():
            wire.settle()
