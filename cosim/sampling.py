"""Samples: running totals of hosts, cells and traffic, recorded at regular times."""

from collections.abc import Mapping

import numpy as np

from cosim.compute import Host, energy_j
from cosim.kernel.clock import Clock
from cosim.mobility.source import MobilityFrame
from cosim.offload import Offloading
from cosim.part import Part
from cosim.tasks.source import Waiting
from cosim.trace.facts.run import CellSampled, HostSampled, TrafficSampled
from cosim.trace.store.writer import FactWriter
from cosim.transport import Transport
from cosim.types import Direction


class Samples(Part):
    """Records running totals; the difference between two samples is what happened between them."""

    def __init__(
        self,
        clock: Clock,
        facts: FactWriter,
        hosts: Mapping[int, Host],
        transport: Transport,
        offloading: Offloading,
        waiting: Waiting,
    ) -> None:
        """Prepare the recorders.

        Args:
            clock: simulated time.
            facts: where samples are recorded.
            hosts: processors by node.
            transport: cells, sidelink and wires.
            offloading: tasks that are decided.
            waiting: tasks that wait for a decision.
        """
        self._clock = clock
        self._nodes = sorted(hosts)
        self._hosts = [hosts[node] for node in self._nodes]
        self._transport = transport
        self._offloading = offloading
        self._waiting = waiting
        self._records = facts.records
        self._record_hosts = facts.batch(HostSampled)
        self._record_cells = facts.batch(CellSampled)
        self._record_traffic = facts.recorder(TrafficSampled)

    def sample(self, frame: MobilityFrame) -> None:
        """Record one sample of hosts, cells and traffic.

        Media are settled even if nobody records: rounding then is the same in a run that is watched and in one that is
        not.
        """
        self._transport.settle()
        for host in self._hosts:
            host.settle()
        if not self._records:
            return
        self._offloading.settle()
        if self._hosts:
            self._sample_hosts()
        self._sample_cells()
        on_road = frame.on_road
        self._record_traffic(
            self._clock.now,
            len(frame.numbers),
            int((self._transport.channel.air.serving >= 0).sum()),
            int((~on_road).sum()),
            float(frame.speed_mps[on_road].mean()) if on_road.any() else float("nan"),
            self._waiting.due(self._clock.now),
            len(self._offloading.alive),
            self._offloading.alive_number_s,
        )

    def _sample_hosts(self) -> None:
        hosts = self._hosts
        self._record_hosts(
            time_s=self._clock.now,
            site=np.array(self._nodes),
            queued=np.array([host.queued for host in hosts]),
            running=np.array([host.running for host in hosts]),
            number_s=np.array([host.number_s for host in hosts]),
            busy_core_s=np.array([host.busy_core_s for host in hosts]),
            energy_j=np.array([energy_j(host) for host in hosts]),
            served=np.array([host.served for host in hosts]),
            rejected=np.array([host.rejected for host in hosts]),
        )

    def _sample_cells(self) -> None:
        channel, sidelink = self._transport.channel, self._transport.sidelink
        media = [(Direction.UPLINK, channel.up), (Direction.DOWNLINK, channel.down)]
        if sidelink is not None:
            media.append((Direction.SIDELINK, list(sidelink.zones)))
        for direction, cells in media:
            self._record_cells(
                time_s=self._clock.now,
                site=np.arange(len(cells)),
                direction=int(direction),
                active=np.array([cell.active for cell in cells]),
                number_s=np.array([cell.number_s for cell in cells]),
                busy_s=np.array([cell.busy_s for cell in cells]),
                sent_bit=np.array([cell.done for cell in cells]),
            )
