"""From the state of the network, true or as its twin believes it, to the observation of a policy."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from cosim.compute import Host, VehicleHosts
from cosim.decision import DemandView, KeyView, Observation
from cosim.radio.survey import Air
from cosim.scenario.bands import uplink_band
from cosim.scenario.schema import Scenario
from cosim.state import HostLoad, StateSource
from cosim.topology import Topology
from cosim.transport import Transport
from cosim.types import NOWHERE, AnyArray, Direction, FloatArray, IntArray, Tier, read_only

_Columns: TypeAlias = dict[str, AnyArray | float]
_CODES: Final[Mapping[str, int]] = {"tier": Tier.LOCAL, "target": NOWHERE, "cell": NOWHERE}
_NUMBERS: Final[Mapping[str, float]] = {
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
    "grant_s": 0.0,
    "kappa": 0.0,
}
"""Columns of the vehicle's own processor, which is feasible; other options set what differs."""
_EDGE, _CLOUD, _NEIGHBOUR = int(Tier.EDGE), int(Tier.CLOUD), int(Tier.NEIGHBOUR)
_OWN: Final = tuple(
    (tuple(own), np.array(list(own.values()), kind)[:, None])
    for own, kind in (({"feasible": True}, np.bool_), (_CODES, np.int64), (_NUMBERS, np.float64))
)
"""The blocks of option columns: names, and values of the vehicle's own processor."""
_PLACES: Final = {name: (block, row) for block, (names, _) in enumerate(_OWN) for row, name in enumerate(names)}
_TASK: Final = (
    "task", "vehicle", "task_class", "released_s", "deadline_s", "input_bit", "output_bit", "cycles", "priority",
)  # fmt: skip


class Views(NamedTuple):
    """What optional parts report of themselves at a decision epoch; None for a part that the run does not have."""

    keys: Callable[[IntArray], KeyView] | None = None
    """Given the vehicles of the tasks, (T,)."""
    stake: Callable[[], IntArray] | None = None
    """Credits of each site as a validator, (S,)."""
    demand: Callable[[IntArray], DemandView] | None = None
    """Given the vehicles of the tasks, (T,)."""


class _State(NamedTuple):
    """The state that the source gave for one observation."""

    air: Air
    rows: IntArray
    """(T,) rows of the tasks' vehicles in `air`."""
    load: HostLoad


class _Signal(NamedTuple):
    """Signal quality of the tasks' vehicles in the cells that would carry them, (T, 1) or (T, options)."""

    cell: IntArray
    snr_per_w: FloatArray
    clean_snr_per_w: FloatArray
    down_snr: FloatArray


class Observer:
    """Builds the observation of an epoch: one row for each waiting task, one column for each option.

    The state of radio, hosts and cells comes from one source, which the observation does not name: the truth (at the
    last tick for positions and radio, at this instant for queues and cells) or the twin's belief; fields and shapes are
    the same. What a vehicle knows or hears without the network is always true: the queue of its own processor, and its
    neighbours with their rates and queues, which it asks over the sidelink. Keys and stake are always true as well.
    """

    def __init__(
        self,
        scenario: Scenario,
        topology: Topology,
        transport: Transport,
        hosts: Mapping[int, Host],
        vehicle_hosts: VehicleHosts,
        views: Views,
        source: StateSource,
    ) -> None:
        """Observe a run.

        Args:
            scenario: scenario of the run.
            topology: sites and wires.
            transport: channel and sidelink.
            hosts: processors by node.
            vehicle_hosts: the vehicles' own processors.
            views: what optional parts report of themselves.
            source: source of the state of radio, hosts and cells.
        """
        self._scenario = scenario
        self._transport = transport
        self._source = source
        self._cloud = topology.cloud
        self._vehicle_hosts = vehicle_hosts
        self._views = views
        self._pinned = scenario.radio.association == "target"
        self._latency_s = topology.latency_s
        self._per_bit_s = topology.per_bit_s
        nodes = range(topology.sites + (topology.cloud is not None))
        self._has_host = np.array([node in hosts for node in nodes])
        self._power_w = np.array([scenario.radio.vehicle_power_w])
        grant_s = scenario.radio.grant_s
        self._cell_grants_s, self._side_grants_s = grant_s.uplink + grant_s.downlink, 2.0 * grant_s.sidelink
        self._curve = uplink_band(scenario.radio).curve
        self._cores = np.array([hosts[node].cores if node in hosts else 0 for node in nodes], float)

    def observe(self, now_s: float, tasks: Mapping[str, AnyArray]) -> Observation:
        """Return the observation for these tasks.

        Args:
            now_s: simulated time in s.
            tasks: columns of `cosim.tasks.source.Task`, (T,) each, read-only; all their vehicles are on the map.
        """
        air = self._source.air(now_s, tasks["vehicle"])
        rows = air.numbers.searchsorted(tasks["vehicle"])
        state = _State(air, rows, self._source.hosts(now_s))
        edges = min(self._scenario.decisions.candidates, air.sites.shape[1])
        sidelink = self._transport.sidelink
        neighbours = 0 if sidelink is None else sidelink.neighbours.numbers.shape[1]
        clouds = int(self._cloud is not None)
        blocks = _blank(len(rows), 1 + edges + clouds + neighbours)
        _put(blocks, slice(0, 1), self._local(tasks))
        _put(blocks, slice(1, 1 + edges), self._edges(tasks, state, edges))
        if clouds:
            _put(blocks, slice(1 + edges, 2 + edges), self._distant(tasks, state))
        if neighbours:
            _put(blocks, slice(1 + edges + clouds, None), self._neighbours(tasks))
        radio, views = self._scenario.radio, self._views
        return Observation(
            time_s=now_s,
            **{name: tasks[name] for name in _TASK},
            power_w=read_only(self._power_w.repeat(len(rows))),
            **_named(blocks),
            max_power_w=radio.max_vehicle_power_w or radio.vehicle_power_w,
            curve=self._curve,
            latency_weight=self._scenario.decisions.latency_weight,
            keys=None if views.keys is None else views.keys(tasks["vehicle"]),
            stake=None if views.stake is None else read_only(views.stake()),
            demand=None if views.demand is None else views.demand(tasks["vehicle"]),
        )

    def _local(self, tasks: Mapping[str, AnyArray]) -> _Columns:
        vehicles = tasks["vehicle"]
        hosts = map(self._vehicle_hosts.get, vehicles.tolist())
        wait_s = np.array([0.0 if host is None else host.wait_s for host in hosts])
        return {
            "work_cycles": tasks["vehicle_cycles"][:, None],
            "core_hz": self._vehicle_hosts.core_hz[vehicles][:, None],
            "wait_s": wait_s[:, None],
            "kappa": self._scenario.compute.vehicle.kappa,
        }

    def _edges(self, tasks: Mapping[str, AnyArray], state: _State, count: int) -> _Columns:
        air, rows = state.air, state.rows
        sites = air.sites.take(rows, axis=0)[:, :count]
        if self._pinned:
            snr = (air.snr_per_w, air.clean_snr_per_w, air.down_snr)
            signal = _Signal(sites, *(values.take(rows, axis=0)[:, :count] for values in snr))
            wire_s: AnyArray | float = 0.0
        else:
            signal = _served(state)
            wire_s = self._wired_s(tasks, signal.cell, sites)
        return dict(
            tier=_EDGE,
            target=sites,
            feasible=self._has_host.take(sites) & (signal.snr_per_w > 0.0),
            work_cycles=tasks["edge_cycles"][:, None],
            core_hz=state.load.speed_hz.take(sites),
            cores=self._cores.take(sites),
            wait_s=state.load.wait_s.take(sites),
            wire_s=wire_s,
            cell=signal.cell,
            **self._rates(signal),
        )

    def _distant(self, tasks: Mapping[str, AnyArray], state: _State) -> _Columns:
        node = self._cloud
        assert node is not None  # noqa: S101 - asked only with a cloud
        signal = _served(state)
        return dict(
            tier=_CLOUD,
            target=node,
            feasible=signal.snr_per_w > 0.0,
            work_cycles=tasks["edge_cycles"][:, None],
            core_hz=float(state.load.speed_hz[node]),
            cores=float(self._cores[node]),
            wait_s=float(state.load.wait_s[node]),
            wire_s=self._wired_s(tasks, signal.cell, np.full(signal.cell.shape, node)),
            cell=signal.cell,
            **self._rates(signal),
        )

    def _neighbours(self, tasks: Mapping[str, AnyArray]) -> _Columns:
        sidelink = self._transport.sidelink
        assert sidelink is not None  # noqa: S101 - asked only with a sidelink
        rows = np.searchsorted(self._transport.channel.air.numbers, tasks["vehicle"])
        names = sidelink.neighbours.numbers[rows]
        rates = sidelink.rates(rows)
        hosts = [self._vehicle_hosts.get(name) for name in names.ravel().tolist()]
        wait_s = np.array([0.0 if host is None else host.wait_s for host in hosts]).reshape(names.shape)
        speed_hz = self._vehicle_hosts.core_hz[np.maximum(names, 0)]
        return {
            "tier": _NEIGHBOUR,
            "target": names,
            "feasible": (names != NOWHERE) & (rates.out_bps > 0.0) & self._scenario.compute.vehicle.shared,
            "work_cycles": tasks["vehicle_cycles"][:, None],
            "core_hz": speed_hz,
            "wait_s": wait_s,
            "uplink_bps": rates.out_bps,
            "alone_bps": rates.out_bps,
            "clean_bps": rates.clean_bps,
            "downlink_bps": rates.back_bps,
            "grant_s": self._side_grants_s,
            "kappa": self._scenario.compute.vehicle.kappa,
        }

    def _rates(self, signal: _Signal) -> _Columns:
        channel, power_w = self._transport.channel, self._scenario.radio.vehicle_power_w
        snr = signal.snr_per_w * power_w
        alone_bps, down_bps = channel.up[0].alone_bps(snr), channel.down[0].alone_bps(signal.down_snr)
        interfered = self._scenario.radio.interference
        return {
            "snr_per_w": signal.snr_per_w,
            "uplink_bps": self._source.one_more_bps(signal.cell, snr, alone_bps, Direction.UPLINK),
            "alone_bps": alone_bps,
            "clean_bps": channel.up[0].alone_bps(signal.clean_snr_per_w * power_w) if interfered else alone_bps,
            "downlink_bps": self._source.one_more_bps(signal.cell, signal.down_snr, down_bps, Direction.DOWNLINK),
            "grant_s": self._cell_grants_s,
        }

    def _wired_s(self, tasks: Mapping[str, AnyArray], start: IntArray, end: IntArray) -> FloatArray:
        """Return the time on the wires in s, both ways: latency and, hop by hop, the bits."""
        size_bit = (tasks["input_bit"] + tasks["output_bit"])[:, None]
        both_s: FloatArray = 2.0 * self._latency_s[start, end] + size_bit * self._per_bit_s[start, end]
        return both_s


def _served(state: _State) -> _Signal:
    """Return the signal in the serving cell, (T, 1): the same for every host behind that cell."""
    air, rows = state.air, state.rows
    slot, serving = air.slot[rows], air.serving[rows]
    covered = serving >= 0
    return _Signal(
        serving[:, None],
        (air.snr_per_w[rows, slot] * covered)[:, None],
        (air.clean_snr_per_w[rows, slot] * covered)[:, None],
        (air.down_snr[rows, slot] * covered)[:, None],
    )


def _blank(rows: int, columns: int) -> list[AnyArray]:
    """Return blocks (names, rows, columns) of option columns, with the values of the vehicle's own processor."""
    return [values.repeat(rows * columns, axis=1).reshape(len(names), rows, columns) for names, values in _OWN]


def _put(blocks: Sequence[AnyArray], columns: slice, given: _Columns) -> None:
    """Write values (rows, columns) of some options into the blocks."""
    for name, values in given.items():
        block, row = _PLACES[name]
        blocks[block][row, :, columns] = values


def _named(blocks: Sequence[AnyArray]) -> dict[str, AnyArray]:
    """Return the columns of the blocks by name; read-only."""
    options: dict[str, AnyArray] = {}
    for (names, _), block in zip(_OWN, blocks, strict=True):
        options.update(zip(names, read_only(block), strict=True))
    return options
