"""From the state of the network to what a policy sees."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from cosim.compute import Host
from cosim.consensus.chain import Chain
from cosim.decision import Observation
from cosim.distributions import keyed_draw
from cosim.kms.service import KeyService
from cosim.radio.cell import expected_bps
from cosim.rng import stream_key
from cosim.scenario.schema import Scenario
from cosim.topology import Topology
from cosim.transport import Transport
from cosim.types import NOWHERE, AnyArray, FloatArray, IntArray, Tier

_Columns: TypeAlias = dict[str, AnyArray | float]
_OWN: Final[Mapping[str, float]] = {
    "tier": Tier.LOCAL,
    "target": NOWHERE,
    "feasible": True,
    "work_cycles": 0.0,
    "core_hz": 1.0,
    "cores": 1.0,
    "wait_s": 0.0,
    "uplink_bps": np.inf,
    "alone_bps": np.inf,
    "clean_bps": np.inf,
    "downlink_bps": np.inf,
    "snr_per_w": np.nan,
    "wire_s": 0.0,
    "cell": NOWHERE,
    "kappa": 0.0,
}
"""Columns of the vehicle's own processor; other options set what differs."""


class _Signal(NamedTuple):
    """What the tasks' vehicles hear of the cells that would carry them, (T, 1) or (T, options)."""

    cell: IntArray
    snr_per_w: FloatArray
    clean_snr_per_w: FloatArray
    down_snr: FloatArray


class Observer:
    """Builds the observation of an epoch: one row for each waiting task, one column for each option.

    What it sees is the truth at the last tick for positions and radio, and at this instant for queues and cells.
    """

    def __init__(
        self,
        scenario: Scenario,
        topology: Topology,
        transport: Transport,
        hosts: Mapping[int, Host],
        vehicle_host: Callable[[int], Host | None],
        keys: KeyService | None,
        ledger: Chain | None,
    ) -> None:
        self._scenario = scenario
        self._transport = transport
        self._hosts: Sequence[Host | None] = [hosts.get(node) for node in range(topology.sites)]
        self._cloud = None if topology.cloud is None else hosts[topology.cloud]
        self._cloud_node = topology.cloud
        self._vehicle_host = vehicle_host
        self._keys = keys
        self._ledger = ledger
        self._pinned = scenario.radio.association == "target"
        self._latency_s = topology.latency_s
        self._per_bit_s = topology.per_bit_s
        self._has_host = np.array([host is not None for host in self._hosts])
        self._cores = np.array([0 if host is None else host.cores for host in self._hosts], float)
        self._vehicle_key = stream_key(scenario.seed, "vehicle-core-hz")
        self.vehicle_core_hz = np.zeros(1024)
        """Speed of each vehicle's own processor, by vehicle number."""

    def enter(self, numbers: IntArray) -> None:
        """Vehicles have come: draw the speeds of their processors, one for each vehicle's whole life."""
        if len(numbers):
            while numbers[-1] >= len(self.vehicle_core_hz):
                self.vehicle_core_hz = np.concatenate([self.vehicle_core_hz, np.zeros(len(self.vehicle_core_hz))])
            drawn_hz = keyed_draw(self._scenario.compute.vehicle.core_hz, self._vehicle_key, numbers)
            self.vehicle_core_hz[numbers] = drawn_hz

    def observe(self, now_s: float, tasks: Mapping[str, AnyArray]) -> Observation:
        """The observation for these tasks; all their vehicles are on the map."""
        air = self._transport.channel.air
        rows = np.searchsorted(air.numbers, tasks["vehicle"])
        edges = min(self._scenario.decisions.candidates, air.sites.shape[1])
        sidelink = self._transport.sidelink
        neighbours = 0 if sidelink is None else sidelink.neighbours.numbers.shape[1]
        clouds = int(self._cloud is not None)
        options = _blank(len(rows), 1 + edges + clouds + neighbours)
        self._put(options, slice(0, 1), self._local(tasks))
        self._put(options, slice(1, 1 + edges), self._edges(tasks, rows, edges))
        if clouds:
            self._put(options, slice(1 + edges, 2 + edges), self._distant(tasks, rows))
        if neighbours:
            self._put(options, slice(1 + edges + clouds, None), self._neighbours(tasks, rows))
        radio = self._scenario.radio
        return Observation(
            time_s=now_s,
            task=tasks["task"],
            vehicle=tasks["vehicle"],
            task_class=tasks["task_class"],
            released_s=tasks["released_s"],
            deadline_s=tasks["deadline_s"],
            input_bit=tasks["input_bit"],
            output_bit=tasks["output_bit"],
            cycles=tasks["cycles"],
            priority=tasks["priority"],
            power_w=np.full(len(rows), radio.vehicle_power_w),
            **options,
            max_power_w=radio.max_vehicle_power_w or radio.vehicle_power_w,
            max_efficiency_bps_hz=radio.max_efficiency_bps_hz or np.inf,
            latency_weight=self._scenario.decisions.latency_weight,
            keys=None if self._keys is None else self._keys.view(tasks["vehicle"]),
            stake=None if self._ledger is None else self._ledger.stake,
        )

    def _local(self, tasks: Mapping[str, AnyArray]) -> _Columns:
        vehicles = tasks["vehicle"]
        hosts = [self._vehicle_host(vehicle) for vehicle in vehicles.tolist()]
        wait_s = np.array([0.0 if host is None else host.wait_s for host in hosts])
        return {
            "work_cycles": tasks["vehicle_cycles"][:, None],
            "core_hz": self.vehicle_core_hz[vehicles][:, None],
            "wait_s": wait_s[:, None],
            "kappa": self._scenario.compute.vehicle.kappa,
        }

    def _edges(self, tasks: Mapping[str, AnyArray], rows: IntArray, count: int) -> _Columns:
        channel = self._transport.channel
        air = channel.air
        sites = air.sites[rows, :count]
        wait_s = np.array([0.0 if host is None else host.wait_s for host in self._hosts])
        speed_hz = np.array([1.0 if host is None else host.speed_hz for host in self._hosts])
        if self._pinned:
            part = slice(None, count)
            signal = _Signal(
                sites, air.snr_per_w[rows, part], air.clean_snr_per_w[rows, part], air.down_snr[rows, part]
            )
            wire_s: AnyArray = np.zeros(sites.shape)
        else:
            signal = self._served(rows)
            wire_s = self._wired_s(tasks, signal.cell, sites)
        return dict(
            tier=Tier.EDGE,
            target=sites,
            feasible=self._has_host[sites] & (signal.snr_per_w > 0.0),
            work_cycles=tasks["edge_cycles"][:, None],
            core_hz=speed_hz[sites],
            cores=self._cores[sites],
            wait_s=wait_s[sites],
            wire_s=wire_s,
            cell=signal.cell,
            **self._rates(signal),
        )

    def _distant(self, tasks: Mapping[str, AnyArray], rows: IntArray) -> _Columns:
        cloud, node = self._cloud, self._cloud_node
        assert cloud is not None and node is not None  # noqa: S101, PT018 - asked only with a cloud
        signal = self._served(rows)
        return dict(
            tier=Tier.CLOUD,
            target=node,
            feasible=signal.snr_per_w > 0.0,
            work_cycles=tasks["edge_cycles"][:, None],
            core_hz=cloud.speed_hz,
            cores=float(cloud.cores),
            wait_s=cloud.wait_s,
            wire_s=self._wired_s(tasks, signal.cell, np.full(signal.cell.shape, node)),
            cell=signal.cell,
            **self._rates(signal),
        )

    def _neighbours(self, tasks: Mapping[str, AnyArray], rows: IntArray) -> _Columns:
        sidelink = self._transport.sidelink
        assert sidelink is not None  # noqa: S101 - asked only with a sidelink
        names = sidelink.neighbours.numbers[rows]
        rates_bps = sidelink.rates_bps(rows)
        hosts = [self._vehicle_host(name) for name in names.ravel().tolist()]
        wait_s = np.array([0.0 if host is None else host.wait_s for host in hosts]).reshape(names.shape)
        speed_hz = self.vehicle_core_hz[np.maximum(names, 0)]
        return {
            "tier": Tier.NEIGHBOUR,
            "target": names,
            "feasible": (names != NOWHERE) & (rates_bps > 0.0) & self._scenario.compute.vehicle.shared,
            "work_cycles": tasks["vehicle_cycles"][:, None],
            "core_hz": speed_hz,
            "wait_s": wait_s,
            "uplink_bps": rates_bps,
            "alone_bps": rates_bps,
            "clean_bps": rates_bps,
            "downlink_bps": rates_bps,
            "kappa": self._scenario.compute.vehicle.kappa,
        }

    def _served(self, rows: IntArray) -> _Signal:
        """The serving cell's, (T, 1): the same for every host behind that cell."""
        air = self._transport.channel.air
        slot, serving = air.slot[rows], air.serving[rows]
        covered = serving >= 0
        return _Signal(
            serving[:, None],
            (air.snr_per_w[rows, slot] * covered)[:, None],
            (air.clean_snr_per_w[rows, slot] * covered)[:, None],
            (air.down_snr[rows, slot] * covered)[:, None],
        )

    def _rates(self, signal: _Signal) -> _Columns:
        channel, power_w = self._transport.channel, self._scenario.radio.vehicle_power_w
        snr = signal.snr_per_w * power_w
        alone_bps = channel.up[0].alone_bps(snr)
        interfered = self._scenario.radio.interference
        return {
            "snr_per_w": signal.snr_per_w,
            "uplink_bps": expected_bps(channel.up, signal.cell, snr),
            "alone_bps": alone_bps,
            "clean_bps": channel.up[0].alone_bps(signal.clean_snr_per_w * power_w) if interfered else alone_bps,
            "downlink_bps": expected_bps(channel.down, signal.cell, signal.down_snr),
        }

    def _wired_s(self, tasks: Mapping[str, AnyArray], start: IntArray, end: IntArray) -> FloatArray:
        """Both ways over the wires: latency and, hop by hop, the bits."""
        size_bit = (tasks["input_bit"] + tasks["output_bit"])[:, None]
        both_s: FloatArray = 2.0 * self._latency_s[start, end] + size_bit * self._per_bit_s[start, end]
        return both_s

    def _put(self, options: dict[str, AnyArray], columns: slice, given: _Columns) -> None:
        for name, values in given.items():
            options[name][:, columns] = values


def _blank(rows: int, columns: int) -> dict[str, AnyArray]:
    """All option columns, (rows, columns), filled with what holds for the vehicle itself."""
    return {name: np.full((rows, columns), value) for name, value in _OWN.items()}
