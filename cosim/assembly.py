"""The assembly of a run: its core and its optional parts, in one fixed order.

The maker of a part to which nothing else holds a reference stands in the table of subjects (`cosim.subjects`), as for
parts of other packages; a part that stories or observations use is built in `assemble`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from cosim.compute import Host, QueueHost, SharingHost, VehicleHosts
from cosim.energy import EnergyMeter
from cosim.errors import InputError, RunError
from cosim.kernel.clock import Clock
from cosim.keys.layout import key_layout
from cosim.keys.network import KeyNetwork
from cosim.keys.service import KeyService
from cosim.keys.vehicles import VehicleKeys
from cosim.ledger.log import RecordLog
from cosim.ledger.run.chain import Chain
from cosim.mobility.catalog import resolve_map
from cosim.mobility.connect import placed_sites
from cosim.mobility.source import MobilityFrame, MobilitySource
from cosim.observe import Observer, Views
from cosim.offload import Offloading
from cosim.part import Part
from cosim.radio.channel import Channel
from cosim.radio.sidelink import SidelinkChannel
from cosim.roads.siting import PlacedSite
from cosim.sampling import Samples
from cosim.scenario.schema import Scenario, SyntheticMobility
from cosim.state import StateSource, Truth
from cosim.subjects import subjects
from cosim.tasks.source import Waiting
from cosim.topology import Topology, build_topology
from cosim.trace.facts.run import SiteDeployed
from cosim.trace.store.writer import FactWriter
from cosim.transport import Transport, Wires
from cosim.twin.belief import believed
from cosim.twin.digital_twin import DigitalTwin
from cosim.twin.forecast import BatchedForecaster, make_forecaster
from cosim.types import FloatArray, read_only
from cosim.user_code import KeptProcess, failed_at, reason_of


@dataclass(frozen=True, slots=True)
class PartContext:
    """What a part may use. It records facts through recorders and never sees the simulation.

    >>> import cosim
    >>> loaded = cosim.load("per_task", ["duration_s=2", "statistics.warmup_s=0"])
    >>> run = cosim.Simulation(loaded.scenario, folder=loaded.folder)
    >>> [site.name for site in run.context.sites]
    ['rsu0', 'rsu1', 'rsu2']
    >>> run.close()
    """

    clock: Clock
    """Simulated time in s; SimPy processes run on it."""
    scenario: Scenario
    """The scenario of the run."""
    folder: Path
    """Folder that relative paths of the scenario start from."""
    sites: tuple[PlacedSite, ...]
    """Sites by number, with positions in m."""
    topology: Topology
    """Sites, cloud and the wires between them."""
    transport: Transport
    """Radio cells, wires, and the sidelink if there is one."""
    hosts: Mapping[int, Host]
    """Processors of sites and cloud by node number."""
    vehicle_hosts: VehicleHosts
    """The vehicles' own processors."""
    facts: FactWriter
    """Where facts are recorded; a part asks it for a recorder of each of its kinds."""
    keys: KeyService | None
    """The key service; None where transfers need no keys."""
    log: RecordLog | None
    """Records that sites write into the ledger; None without one."""


Maker: TypeAlias = Callable[[PartContext], Part]
"""A function that makes a part of a run."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """The core of a run and its parts."""

    sites: tuple[PlacedSite, ...]
    vehicle_hosts: VehicleHosts
    channel: Channel
    offloading: Offloading
    waiting: Waiting
    observer: Observer
    """Makes the observations that policies are shown."""
    true_observer: Observer
    """Makes observations of the true state; the same object as `observer` where policies are shown the truth."""
    parts: tuple[Part, ...]
    """Parts in the order in which their hooks are called."""
    context: PartContext
    """What the parts of packages and the processes of users are made with."""


def assemble(
    clock: Clock,
    scenario: Scenario,
    folder: Path,
    source: MobilitySource,
    facts: FactWriter,
) -> Assembly:
    """Build a run, except for the parts of the table of subjects and of users, which `make_parts` adds.

    Args:
        clock: simulated time.
        scenario: scenario of the run.
        folder: folder that relative paths of the scenario start from.
        source: source of traffic.
        facts: where all facts are recorded.

    Raises:
        InputError: the scenario names something that does not exist.
    """
    sites = placed_sites(scenario, folder, source.bounds_m)
    xy_m: FloatArray = read_only(np.array([(site.x_m, site.y_m) for site in sites]))
    topology = build_topology(xy_m, scenario.backhaul, scenario.cloud)
    hosts = make_hosts(clock, scenario, sites, topology.cloud)
    vehicle_hosts = VehicleHosts(clock, scenario.compute.vehicle, scenario.seed)
    channel = Channel(clock, scenario.radio, xy_m, scenario.seed, facts)
    plan = scenario.radio.sidelink
    radios = channel.radios
    sidelink = (
        None if plan is None else SidelinkChannel(clock, scenario.radio, plan, xy_m, scenario.seed, facts, radios)
    )
    transport = Transport(channel, Wires(clock, topology), sidelink)
    ledger = make_ledger(clock, scenario, sites, hosts, transport.wires, facts)
    log = None if ledger is None else ledger.log
    keys = make_keys(clock, scenario, sites, channel, log, facts)
    twin = make_twin(clock, scenario, folder, topology, transport, hosts, facts)
    views = Views(
        None if keys is None else keys.view,
        None if ledger is None else ledger.stake,
        None if twin is None else twin.demand.view,
    )
    truth = Truth(channel, hosts, topology.sites + (topology.cloud is not None))
    seen = state_source(scenario, twin, channel, truth)
    observer_of = partial(Observer, scenario, topology, transport, hosts, vehicle_hosts, views)
    observer = observer_of(seen)
    budget_j = scenario.energy.vehicle_budget_j
    offloading = Offloading(
        clock,
        transport,
        hosts,
        vehicle_hosts.host,
        None if budget_j is None else EnergyMeter(budget_j),
        keys,
        log,
        facts,
        pinned=scenario.radio.association == "target",
        inference_s=scenario.decisions.inference_s,
        drop_late=scenario.tasks.on_deadline == "drop",
        receive_power_w=scenario.energy.receive_power_w,
    )
    waiting = Waiting()
    context = PartContext(clock, scenario, folder, sites, topology, transport, hosts, vehicle_hosts, facts, keys, log)
    _deploy(facts, topology, sites, hosts)
    return Assembly(
        sites=sites,
        vehicle_hosts=vehicle_hosts,
        channel=channel,
        offloading=offloading,
        waiting=waiting,
        observer=observer,
        true_observer=observer if seen is truth else observer_of(truth),
        parts=(
            Samples(clock, facts, hosts, transport, offloading, waiting),
            *_there(None if sidelink is None else SidelinkLinks(sidelink, channel), twin, keys),
            offloading,
            *_there(ledger),
        ),
        context=context,
    )


class SidelinkLinks(Part):
    """The links between vehicles, updated at each tick after the radio conditions of the sites.

    Args:
        sidelink: all sidelinks.
        channel: radio of the sites, which knows the row of each vehicle.
    """

    def __init__(self, sidelink: SidelinkChannel, channel: Channel) -> None:
        self._sidelink = sidelink
        self._channel = channel

    def tick(self, frame: MobilityFrame, tick: int) -> None:  # noqa: ARG002 - the hook's signature
        """Find neighbours and rates anew; transfers out of range end."""
        self._sidelink.tick(frame.numbers, frame.xy_m, self._channel.air.row)


def _there(*parts: Part | None) -> list[Part]:
    return [part for part in parts if part is not None]


def make_parts(context: PartContext, makers: Iterable[Maker] = ()) -> list[Part]:
    """Make the parts that the table of subjects names for the sections of the scenario, then those of further makers.

    The clock of the run must already know its ticks, so that what a part starts at 0 s comes after the first tick.

    Args:
        context: what they may use.
        makers: makers of further parts.

    Raises:
        InputError: a maker fails, or returns something other than a part.
    """
    made: list[Part] = []
    for subject in subjects():
        if subject.part and subject.applies(context.scenario):
            make: Callable[[Any, PartContext], Part] = subject.piece("part")
            section = getattr(context.scenario, subject.name)
            made.append(_made(f"section {subject.name} ({subject.part})", partial(make, section), context))
    return [*made, *(_made(f"parts: {getattr(make, '__name__', make)}", make, context) for make in makers)]


def _made(what: str, make: Maker, context: PartContext) -> Part:
    try:
        with KeptProcess():
            part = make(context)
    except (InputError, RunError):
        raise
    except (Exception, SystemExit) as error:
        raise InputError(
            f"{what}: its part cannot be made ({reason_of(error)}); correct the maker or its section{failed_at(error)}"
        ) from error
    if not isinstance(part, Part):
        raise InputError(f"{what}: made {part!r}, which is no cosim.part.Part; derive its class from Part")
    return part


def _deploy(facts: FactWriter, topology: Topology, sites: Sequence[PlacedSite], hosts: Mapping[int, Host]) -> None:
    """Record the sites, and the cloud as the site after the last one."""
    deployed = facts.recorder(SiteDeployed)
    for node in range(topology.sites + (topology.cloud is not None)):
        host = hosts.get(node)
        site = sites[node] if node < len(sites) else PlacedSite("cloud", np.nan, np.nan)
        deployed(0.0, node, site.name, site.x_m, site.y_m, host.cores if host else 0, host.core_hz if host else 0.0)


def make_hosts(
    clock: Clock, scenario: Scenario, sites: Sequence[PlacedSite], cloud_node: int | None
) -> dict[int, Host]:
    """Return the processors of sites and cloud by node; a site without cores has none.

    Args:
        clock: simulated time.
        scenario: scenario of the run.
        sites: sites by number; their own cores and speeds come before those of `compute.edge`.
        cloud_node: node number of the cloud; None without one.
    """
    edge, cloud = scenario.compute.edge, scenario.cloud
    hosts: dict[int, Host] = {}
    for node, site in enumerate(sites):
        cores = edge.cores if site.cores is None else site.cores
        core_hz = edge.core_hz if site.core_hz is None else site.core_hz
        if cores and edge.discipline == "processor_sharing":
            hosts[node] = SharingHost(clock, core_hz, cores, edge.kappa, edge.queue_limit)
        elif cores:
            by_priority = edge.discipline == "priority"
            hosts[node] = QueueHost(clock, core_hz, cores, edge.kappa, edge.queue_limit, by_priority)
    if cloud is not None and cloud_node is not None:
        hosts[cloud_node] = QueueHost(clock, cloud.core_hz, cloud.cores, edge.kappa)
    return hosts


def make_ledger(
    clock: Clock,
    scenario: Scenario,
    sites: Sequence[PlacedSite],
    hosts: Mapping[int, Host],
    wires: Wires,
    facts: FactWriter,
) -> Chain | None:
    """Return the chain of blocks; None without a ledger.

    Args:
        clock: simulated time.
        scenario: scenario of the run.
        sites: sites by number.
        hosts: processors by node, which do the ledger's computations.
        wires: carry its messages.
        facts: where its facts are recorded.

    Raises:
        InputError: a validator is not a site with a host.
    """
    plan = scenario.ledger
    return None if plan is None else Chain(clock, plan, sites, hosts, wires, scenario.seed, facts)


def make_keys(
    clock: Clock,
    scenario: Scenario,
    sites: Sequence[PlacedSite],
    channel: Channel,
    log: RecordLog | None,
    facts: FactWriter,
) -> KeyService | None:
    """Return the key network with its service; None without one.

    Args:
        clock: simulated time.
        scenario: scenario of the run.
        sites: sites by number.
        channel: knows serving sites and positions of vehicles.
        log: records for the ledger; None without one.
        facts: where its facts are recorded.

    Raises:
        InputError: a link, node or dock does not exist.
    """
    plan = scenario.keys
    if plan is None:
        return None
    network = KeyNetwork(clock, plan, key_layout(plan.topology, sites), scenario.seed, facts, log)
    vehicles = VehicleKeys(clock, plan, network, channel.serving, channel.place, facts, log)
    return KeyService(clock, plan, network, vehicles)


def make_twin(
    clock: Clock,
    scenario: Scenario,
    folder: Path,
    topology: Topology,
    transport: Transport,
    hosts: Mapping[int, Host],
    facts: FactWriter,
) -> DigitalTwin | None:
    """Return the digital twin; None without one.

    Args:
        clock: simulated time.
        scenario: scenario of the run.
        folder: folder that relative paths of the scenario start from.
        topology: sites and wires.
        transport: carries the twin's messages.
        hosts: processors by node.
        facts: where its facts are recorded.

    Raises:
        InputError: the map has no net to forecast on, or a period is no multiple of the tick.
    """
    plan = scenario.twin
    if plan is None:
        return None
    needs_net = plan.forecast.kind == "map" and not isinstance(scenario.mobility, SyntheticMobility)
    net = resolve_map(scenario.map, folder).net if needs_net else None
    asked = facts.records or scenario.decisions.observation == "forecast"
    forecaster = BatchedForecaster(make_forecaster(plan.forecast, net)) if asked else None
    copy = make_forecaster(plan.forecast, net) if plan.sync.kind == "on_change" else None
    return DigitalTwin(clock, plan, scenario, topology, transport, hosts, facts, forecaster=forecaster, copy=copy)


def state_source(scenario: Scenario, twin: DigitalTwin | None, channel: Channel, truth: Truth) -> StateSource:
    """Return what observations are made of: the true state, or what the twin believes.

    Args:
        scenario: its `decisions.observation` names the source.
        twin: the digital twin; None without one.
        channel: knows the positions of the sites.
        truth: the true state.
    """
    observation = scenario.decisions.observation
    if twin is None or observation == "truth":
        return truth
    forecaster = twin.forecaster if observation == "forecast" else None
    return believed(twin.mirror, scenario.radio, channel.site_xy_m, forecaster)
