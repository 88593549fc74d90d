"""The parts of a run that a scenario may have or not, built from its sections."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cosim.compute import Host, QueueHost, SharingHost
from cosim.kernel.clock import Clock
from cosim.keys.layout import key_layout
from cosim.keys.network import KeyNetwork
from cosim.keys.service import KeyService
from cosim.keys.vehicles import VehicleKeys
from cosim.ledger.log import RecordLog
from cosim.ledger.run.chain import Chain
from cosim.mobility.catalog import resolve_map
from cosim.radio.channel import Channel
from cosim.roads.siting import Placed
from cosim.scenario.schema import Scenario, SyntheticMobility
from cosim.state import StateSource, Truth
from cosim.topology import Topology
from cosim.trace.store.writer import FactWriter
from cosim.transport import Transport, Wires
from cosim.twin.belief import believed
from cosim.twin.digital_twin import DigitalTwin
from cosim.twin.forecast import BatchedForecaster, make_forecaster


def make_hosts(clock: Clock, scenario: Scenario, sites: Sequence[Placed], cloud_node: int | None) -> dict[int, Host]:
    """The processors of sites and cloud by node; a site without cores has none."""
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
    sites: Sequence[Placed],
    hosts: Mapping[int, Host],
    wires: Wires,
    facts: FactWriter,
) -> Chain | None:
    """The chain of blocks; None without one.

    Raises:
        InputError: a validator is no site with a host.
    """
    plan = scenario.ledger
    return None if plan is None else Chain(clock, plan, sites, hosts, wires, scenario.seed, facts)


def make_keys(
    clock: Clock,
    scenario: Scenario,
    sites: Sequence[Placed],
    channel: Channel,
    log: RecordLog | None,
    facts: FactWriter,
) -> KeyService | None:
    """The key network with its service; None without one.

    Raises:
        InputError: a link, node or dock is not there.
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
    """The digital twin; None without one.

    Raises:
        InputError: the map has no net to forecast on, or a period does not fit the tick.
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


def state_source(
    scenario: Scenario, twin: DigitalTwin | None, channel: Channel, hosts: Mapping[int, Host], topology: Topology
) -> StateSource:
    """What observations are made of."""
    observation = scenario.decisions.observation
    if twin is None or observation == "truth":
        return Truth(channel, hosts, topology.sites + (topology.cloud is not None))
    forecaster = twin.forecaster if observation == "forecast" else None
    return believed(twin.mirror, scenario.radio, channel.site_xy_m, forecaster)
