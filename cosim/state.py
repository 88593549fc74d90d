"""The state that observations are made of, whatever its source: radio conditions of vehicles, hosts and cells.

The truth is one source; `cosim.twin.belief` is the other (S1 section III-E: decisions are made on the twin's state).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from cosim.compute import Host
from cosim.radio.cell import expected_bps
from cosim.radio.channel import Channel
from cosim.radio.survey import Air
from cosim.types import Direction, FloatArray, IntArray


class HostLoad(NamedTuple):
    """Load of the processors of sites and cloud by node number; a node without a processor has wait 0 and speed 1."""

    wait_s: FloatArray
    """(nodes,) estimated wait of one more execution in s."""
    speed_hz: FloatArray
    """(nodes,) cycles per second of one more execution."""


class StateSource(Protocol):
    """A source of the state that observations are made of."""

    def air(self, now_s: float, vehicles: IntArray) -> Air:
        """Return the radio conditions of at least these vehicles, rows in order of vehicle number."""
        ...

    def hosts(self, now_s: float) -> HostLoad:
        """Return waits and speeds of the hosts."""
        ...

    def one_more_bps(self, cells: IntArray, snr: FloatArray, alone_bps: FloatArray, direction: Direction) -> FloatArray:
        """Return the rate of one more transfer in each of the cells, in bit/s, of any shape; 0 where the ratio is 0.

        Args:
            cells: site numbers.
            snr: signal-to-noise ratios of the transfers, linear.
            alone_bps: their rates with the whole cell, in bit/s.
            direction: uplink or downlink.
        """
        ...


class Truth:
    """The true state: positions and radio conditions of the last tick, queues and cells of this instant.

    Args:
        channel: radio cells.
        hosts: processors by node.
        nodes: number of nodes, sites and cloud.
    """

    def __init__(self, channel: Channel, hosts: Mapping[int, Host], nodes: int) -> None:
        self._channel = channel
        self._hosts: Sequence[Host | None] = [hosts.get(node) for node in range(nodes)]

    def air(self, now_s: float, vehicles: IntArray) -> Air:  # noqa: ARG002 - the last tick's, of all vehicles
        """Return the radio conditions of all vehicles at the last tick."""
        return self._channel.air

    def hosts(self, now_s: float) -> HostLoad:  # noqa: ARG002 - hosts know what time it is
        """Return waits and speeds at this instant."""
        wait_s = np.array([0.0 if host is None else host.wait_s for host in self._hosts])
        speed_hz = np.array([1.0 if host is None else host.speed_hz for host in self._hosts])
        return HostLoad(wait_s, speed_hz)

    def one_more_bps(self, cells: IntArray, snr: FloatArray, alone_bps: FloatArray, direction: Direction) -> FloatArray:
        """Return the rates in bit/s that the cells would give to one more transfer now.

        Args:
            cells: site numbers, of any shape.
            snr: signal-to-noise ratios of the transfers, linear.
            alone_bps: their rates with the whole cell, in bit/s.
            direction: uplink or downlink.
        """
        media = self._channel.up if direction == Direction.UPLINK else self._channel.down
        return expected_bps(media, cells, snr, alone_bps)
