"""The facts of every run: a frozen dataclass for each kind, with a column (type, unit, meaning) for each field.

The facts of keys, ledger and twin are in modules beside this one, those of other sections in the packages that bring
them; what is said here holds for all. The dataclasses are the schema, not the storage:
`TraceWriter.recorder(TaskEnded)` returns a function with the signature of the dataclass that packs a row. Every row
also gets `seq`, its place in the order of recording, gapless over all kinds. Facts that are recorded in batches carry
times within the past tick: order by time first, then by `seq`. What did not happen is recorded as NaN or -1, as the
`absent` of a column says, and stored as null; where a column has no `absent`, every row has a value.
"""

from dataclasses import dataclass
from math import nan
from typing import Annotated, Any

from cosim.trace.facts.column import Column, SiteNumber, TaskId, Text, Time, Vehicle
from cosim.types import NOWHERE, Direction, Phase, Status, Tier

SCHEMA_VERSION = 4


@dataclass(frozen=True, slots=True)
class SiteDeployed:
    """A site of the run, stated once at the start; the cloud is the site after the last."""

    time_s: Time
    site: SiteNumber
    name: Text
    x_m: Annotated[float, Column("<f8", "m", "position; null for the cloud", absent=nan)]
    y_m: Annotated[float, Column("<f8", "m", "position; null for the cloud", absent=nan)]
    cores: Annotated[int, Column("<i4", "", "cores of the site's host; 0: none")]
    core_hz: Annotated[float, Column("<f8", "Hz", "cycles per second of a core")]


@dataclass(frozen=True, slots=True)
class VehicleEntered:
    """A vehicle entered the map: its first frame."""

    time_s: Time
    vehicle: Vehicle
    vehicle_id: Annotated[str, Column("O", "", "SUMO's id")]
    vehicle_type: Annotated[str, Column("O", "", "SUMO's vType id")]


@dataclass(frozen=True, slots=True)
class VehicleLeft:
    """A vehicle left the map: the first frame without it."""

    time_s: Time
    vehicle: Vehicle


@dataclass(frozen=True, slots=True)
class VehicleMoved:
    """A vehicle's position at a tick, null while it is being teleported; recorded only with `trace.positions`."""

    time_s: Time
    vehicle: Vehicle
    x_m: Annotated[float, Column("<f8", "m", "front of the vehicle", absent=nan)]
    y_m: Annotated[float, Column("<f8", "m", "front of the vehicle", absent=nan)]
    speed_mps: Annotated[float, Column("<f4", "m/s", "speed")]
    site: Annotated[int, Column("<i4", "", "serving site; null: no coverage", absent=NOWHERE)]


@dataclass(frozen=True, slots=True)
class TeleportStarted:
    """SUMO took a vehicle off the road (a teleport); it has no radio until it is back."""

    time_s: Time
    vehicle: Vehicle


@dataclass(frozen=True, slots=True)
class TeleportEnded:
    """A teleported vehicle is back on the road."""

    time_s: Time
    vehicle: Vehicle


@dataclass(frozen=True, slots=True)
class CellChanged:
    """A vehicle's serving site changed: handover, or coverage gained or lost."""

    time_s: Time
    vehicle: Vehicle
    from_site: Annotated[int, Column("<i4", "", "null: it had no coverage", absent=NOWHERE)]
    to_site: Annotated[int, Column("<i4", "", "null: coverage is lost", absent=NOWHERE)]


@dataclass(frozen=True, slots=True)
class TransferMoved:
    """A transfer followed its vehicle to another cell, or waits because there is none.

    Over wires: a result waits at a site or in the cloud for a cell, goes on from there, or crosses once more because
    its vehicle has another cell as it arrives or has its key. Its first crossing after the execution has no such row.
    """

    time_s: Time
    task: TaskId
    direction: Annotated[int, Column("<i1", "", "uplink, downlink, or wires before the downlink", Direction)]
    from_site: Annotated[int, Column("<i4", "", "null: it waited without coverage", absent=NOWHERE)]
    to_site: Annotated[int, Column("<i4", "", "null: it waits for coverage", absent=NOWHERE)]
    left_bit: Annotated[float, Column("<f8", "bit", "what was still to be sent")]


@dataclass(frozen=True, slots=True)
class TransferGranted:
    """A task's transfer had its grant and sends from now on, at first or in another cell (`radio.grant_s`).

    Only runs with a wait have such rows. A transfer has one for each cell in which it sent, and another one whenever
    coverage came back; a wait that was cut short, by a handover or the transfer's end, has none.
    """

    time_s: Time
    task: TaskId
    direction: Annotated[int, Column("<i1", "", "uplink, downlink, or sidelink, out and back", Direction)]
    vehicle: Annotated[int, Column("<i4", "", "that sends; over a downlink, that receives")]
    site: Annotated[int, Column("<i4", "", "of its cell; of a sidelink, the site whose band carries it")]
    waited_s: Annotated[float, Column("<f8", "s", "wait for the grant, after any interruption; nothing was sent")]
    left_bit: Annotated[float, Column("<f8", "bit", "what is to be sent from now on")]


@dataclass(frozen=True, slots=True)
class TaskReleased:
    """A vehicle released a task; these rows are the same under every policy."""

    time_s: Time
    task: TaskId
    vehicle: Vehicle
    task_class: Annotated[int, Column("<i2", "", "index in tasks.classes")]
    deadline_s: Annotated[float, Column("<f8", "s", "absolute simulated time")]
    input_bit: Annotated[float, Column("<f8", "bit", "D of S1 eq 4, before semantic compression")]
    output_bit: Annotated[float, Column("<f8", "bit", "size of the result")]
    cycles: Annotated[float, Column("<f8", "cycle", "s_c of S1 eq 4, before the accuracy factor")]
    priority: Annotated[float, Column("<f8", "", "S1 eq 7 up to a constant; larger goes first")]
    efficiency: Annotated[float, Column("<f8", "", "sigma_ij: share of input_bit that is sent")]
    vehicle_accuracy: Annotated[float, Column("<f8", "", "sigma_i: multiplies cycles in a vehicle")]
    edge_accuracy: Annotated[float, Column("<f8", "", "sigma_j: multiplies cycles at edge and cloud")]


@dataclass(frozen=True, slots=True)
class TaskDecided:
    """The policy's choice for a task."""

    time_s: Time
    task: TaskId
    tier: Annotated[int, Column("<i1", "", "where it is executed", Tier)]
    target: Annotated[int, Column("<i4", "", "site number or neighbour's vehicle number; null: local", absent=NOWHERE)]
    share: Annotated[float, Column("<f8", "", "bandwidth share (1: equal)")]
    power_w: Annotated[float, Column("<f8", "W", "transmit power")]
    cpu_share: Annotated[float, Column("<f8", "", "CPU share under processor sharing (1: equal)")]
    expected_s: Annotated[float, Column("<f8", "s", "latency from now on that the observation promised", absent=nan)]
    alone_bps: Annotated[
        float, Column("<f4", "bit/s", "uplink rate if it had the cell for itself; inf for local", absent=nan)
    ]
    clean_bps: Annotated[float, Column("<f4", "bit/s", "likewise without interference", absent=nan)]


@dataclass(frozen=True, slots=True)
class TaskEnded:
    """A task's whole life in one row; every released task has exactly one."""

    time_s: Time
    task: TaskId
    vehicle: Vehicle
    status: Annotated[int, Column("<i1", "", "how it ended", Status)]
    phase: Annotated[int, Column("<i1", "", "where it ended", Phase)]
    tier: Annotated[int, Column("<i1", "", "where it was executed, once decided", Tier, absent=NOWHERE)]
    target: Annotated[
        int, Column("<i4", "", "site number or neighbour's vehicle number; null: local or not decided", absent=NOWHERE)
    ]
    uplink_site: Annotated[int, Column("<i4", "", "cell in which the uplink ended; null: in none", absent=NOWHERE)]
    downlink_site: Annotated[int, Column("<i4", "", "cell in which the downlink ended; null: in none", absent=NOWHERE)]
    handovers: Annotated[int, Column("<i2", "", "cell changes of its transfers")]
    released_s: Annotated[float, Column("<f8", "s", "released")]
    deadline_s: Annotated[float, Column("<f8", "s", "absolute simulated time")]
    decided_s: Annotated[float, Column("<f8", "s", "the policy decided", absent=nan)]
    uplink_s: Annotated[float, Column("<f8", "s", "uplink started", absent=nan)]
    uplinked_s: Annotated[float, Column("<f8", "s", "uplink ended", absent=nan)]
    queued_s: Annotated[float, Column("<f8", "s", "entered the host's queue", absent=nan)]
    started_s: Annotated[float, Column("<f8", "s", "execution started", absent=nan)]
    executed_s: Annotated[float, Column("<f8", "s", "execution ended", absent=nan)]
    downlink_s: Annotated[float, Column("<f8", "s", "downlink started", absent=nan)]
    transmit_j: Annotated[float, Column("<f8", "J", "spent by the vehicle's radio")]
    vehicle_cpu_j: Annotated[float, Column("<f8", "J", "spent by its own or the neighbour's processor")]
    edge_cpu_j: Annotated[float, Column("<f8", "J", "spent by the edge or cloud host")]
    downlink_from_site: Annotated[
        int,
        Column(
            "<i4", "", "site to which wires had brought the result as its downlink started", absent=NOWHERE, since=4
        ),
    ]
    wire_bit: Annotated[
        float,
        Column("<f8", "bit", "output_bit x wires that its result crossed, the WAN is one; not its upload's", since=4),
    ]


@dataclass(frozen=True, slots=True)
class HostSampled:
    """Running totals of an edge or cloud host since the start."""

    time_s: Time
    site: SiteNumber
    queued: Annotated[int, Column("<i4", "", "waiting now")]
    running: Annotated[int, Column("<i4", "", "executing now")]
    number_s: Annotated[float, Column("<f8", "s", "integral of waiting plus executing over time")]
    busy_core_s: Annotated[float, Column("<f8", "s", "integral of busy cores over time")]
    energy_j: Annotated[float, Column("<f8", "J", "integral of power over time")]
    served: Annotated[int, Column("<i8", "", "tasks whose execution ended")]
    rejected: Annotated[int, Column("<i8", "", "tasks refused by a full queue")]


@dataclass(frozen=True, slots=True)
class CellSampled:
    """Running totals of one direction of a cell since the start."""

    time_s: Time
    site: SiteNumber
    direction: Annotated[int, Column("<i1", "", "medium", Direction)]
    active: Annotated[int, Column("<i4", "", "transfers now")]
    number_s: Annotated[float, Column("<f8", "s", "integral of transfers over time")]
    busy_s: Annotated[float, Column("<f8", "s", "time with at least one transfer")]
    sent_bit: Annotated[float, Column("<f8", "bit", "delivered by transfers that ended")]


@dataclass(frozen=True, slots=True)
class TrafficSampled:
    """Vehicles on the map and tasks under way."""

    time_s: Time
    vehicles: Annotated[int, Column("<i4", "", "on the map now")]
    covered: Annotated[int, Column("<i4", "", "with a serving site")]
    teleporting: Annotated[int, Column("<i4", "", "taken off the road by SUMO and not back")]
    mean_speed_mps: Annotated[float, Column("<f8", "m/s", "null without vehicles", absent=nan)]
    waiting: Annotated[int, Column("<i4", "", "tasks that wait for a decision")]
    alive: Annotated[int, Column("<i4", "", "tasks decided and not ended")]
    alive_number_s: Annotated[float, Column("<f8", "s", "integral of decided, not ended tasks over time")]


FACTS: tuple[type[Any], ...] = (
    SiteDeployed,
    VehicleEntered,
    VehicleLeft,
    VehicleMoved,
    TeleportStarted,
    TeleportEnded,
    CellChanged,
    TransferMoved,
    TransferGranted,
    TaskReleased,
    TaskDecided,
    TaskEnded,
    HostSampled,
    CellSampled,
    TrafficSampled,
)
"""The kinds of facts of every run, in the order of storage; those of other subjects are in modules beside this one."""
