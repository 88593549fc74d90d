"""What a policy is told of the world, from whichever source: the air over the vehicles, the hosts and the cells.

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
    """The processors of sites and cloud by node number; one without a processor has wait 0 and speed 1."""

    wait_s: FloatArray
    speed_hz: FloatArray


class StateSource(Protocol):
    """Where observations come from."""

    def air(self, now_s: float, vehicles: IntArray) -> Air:
        """Return the radio conditions of at least these vehicles, rows by vehicle number."""
        ...

    def hosts(self, now_s: float) -> HostLoad:
        """Return queues and speeds."""
        ...

    def one_more_bps(self, cells: IntArray, snr: FloatArray, alone_bps: FloatArray, direction: Direction) -> FloatArray:
        """Return the rate of one more transfer in each of the cells, of any shape; 0 where the ratio is 0.

        Args:
            cells: their sites.
            snr: of the transfers.
            alone_bps: their rates if they had the cell for themselves.
            direction: uplink or downlink.
        """
        ...


class Truth:
    """The world itself: positions and radio of the last tick, queues and cells of this instant."""

    def __init__(self, channel: Channel, hosts: Mapping[int, Host], nodes: int) -> None:
        self._channel = channel
        self._hosts: Sequence[Host | None] = [hosts.get(node) for node in range(nodes)]

    def air(self, now_s: float, vehicles: IntArray) -> Air:  # noqa: ARG002 - the last tick's, of all vehicles
        """Return the radio conditions of the last tick, of all vehicles."""
        return self._channel.air

    def hosts(self, now_s: float) -> HostLoad:  # noqa: ARG002 - hosts know what time it is
        """Return queues and speeds of this instant."""
        wait_s = np.array([0.0 if host is None else host.wait_s for host in self._hosts])
        speed_hz = np.array([1.0 if host is None else host.speed_hz for host in self._hosts])
        return HostLoad(wait_s, speed_hz)

    def one_more_bps(self, cells: IntArray, snr: FloatArray, alone_bps: FloatArray, direction: Direction) -> FloatArray:
        """Return the rates that the cells would give to one more transfer now."""
        media = self._channel.up if direction == Direction.UPLINK else self._channel.down
        return expected_bps(media, cells, snr, alone_bps)
