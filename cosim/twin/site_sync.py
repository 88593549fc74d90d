"""Synchronisation of the sites' twins: each site reports its queue and the load of its cell to the node that decides.

Decisions are made in the cloud if there is one, else at the site with the least latency to all others (the first of
several). A message shares the wires with everything else; the deciding node knows its own state at once.
"""

from collections.abc import Mapping

import numpy as np

from cosim.compute import Host
from cosim.kernel.clock import Clock, Life, Story
from cosim.scenario.twin import Twin
from cosim.topology import Topology
from cosim.transport import Transport
from cosim.twin.mirror import Mirror


def deciding_node(topology: Topology) -> int:
    """Return the cloud, or the most central site."""
    if topology.cloud is not None:
        return topology.cloud
    sites = topology.sites
    return int(topology.latency_s[:sites, :sites].sum(axis=1).argmin())


class SiteSynchronisation:
    """Sends the state of every site each `site_period_s` from the start of the run.

    Args:
        clock: simulated time.
        plan: section `twin` of the scenario.
        topology: sites and wires.
        transport: media, shared with the tasks.
        hosts: processors by node.
        mirror: updated by the messages.
    """

    def __init__(
        self,
        clock: Clock,
        plan: Twin,
        topology: Topology,
        transport: Transport,
        hosts: Mapping[int, Host],
        mirror: Mirror,
    ) -> None:
        self._clock = clock
        self._size_bit = plan.site_message_bit
        self._channel = transport.channel
        self._wires = transport.wires
        self._hosts = hosts
        self._mirror = mirror
        self._sites = topology.sites
        self._nodes = range(topology.sites + (topology.cloud is not None))
        self._node = deciding_node(topology)
        clock.every(plan.site_period_s, self._due)

    def _due(self, _: int) -> None:
        for node in self._nodes:
            if node != self._node:
                Life(self._send(node)).begin()
        self._apply(self._node, *self._measured(self._node))

    def _send(self, node: int) -> Story:
        state = self._measured(node)
        yield from self._wires.carry(self._size_bit, node, self._node)
        self._apply(node, *state)

    def _measured(self, node: int) -> tuple[float, float, float, float, float]:
        """Return time, wait, speed, and the shares of the site's cell, NaN for the cloud."""
        host, channel = self._hosts.get(node), self._channel
        wait_s, speed_hz = (0.0, 1.0) if host is None else (host.wait_s, host.speed_hz)
        if node >= self._sites:
            return self._clock.now, wait_s, speed_hz, np.nan, np.nan
        return self._clock.now, wait_s, speed_hz, channel.up[node].next_share, channel.down[node].next_share

    def _apply(
        self, node: int, generated_s: float, wait_s: float, speed_hz: float, up_share: float, down_share: float
    ) -> None:
        known = self._mirror.sites
        if generated_s < known.generated_s[node]:
            return  # a newer one was faster
        known.generated_s[node], known.wait_s[node], known.speed_hz[node] = generated_s, wait_s, speed_hz
        if node < self._sites:
            known.up_share[node], known.down_share[node] = up_share, down_share
