"""A scenario: everything that decides a run, as frozen checked values.

Each section is a model; alternatives are unions told apart by `kind`. A field's name ends in its unit, its description
says what it is and, where a default is not obvious, where the default comes from. The hash of the content is the run id.
"""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A part of a scenario: frozen, with no unknown keys and no infinite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]
Positive: TypeAlias = Annotated[float, Field(gt=0)]
NonNegative: TypeAlias = Annotated[float, Field(ge=0)]
Share: TypeAlias = Annotated[float, Field(gt=0, le=1)]


# --- distributions -------------------------------------------------------------------------------------------------


class Uniform(Section):
    """Uniform on [low, high]."""

    kind: Literal["uniform"]
    low: NonNegative
    high: NonNegative

    @model_validator(mode="after")
    def _ordered(self) -> "Uniform":
        if self.high < self.low:
            raise ValueError(f"high={self.high:g} is below low={self.low:g}; swap them")
        return self


class Exponential(Section):
    """Exponential with the given mean."""

    kind: Literal["exponential"]
    mean: Positive


class Lognormal(Section):
    """Lognormal with the given mean and coefficient of variation (standard deviation over mean)."""

    kind: Literal["lognormal"]
    mean: Positive
    cv: Positive


class Choice(Section):
    """One of the values, with probabilities proportional to the weights (equal if none are given)."""

    kind: Literal["choice"]
    values: Annotated[tuple[NonNegative, ...], Field(min_length=1)]
    weights: tuple[Positive, ...] | None = None

    @model_validator(mode="after")
    def _paired(self) -> "Choice":
        if self.weights is not None and len(self.weights) != len(self.values):
            raise ValueError(f"{len(self.weights)} weights for {len(self.values)} values; give one weight per value")
        return self


Distribution: TypeAlias = (
    NonNegative | Annotated[Uniform | Exponential | Lognormal | Choice, Field(discriminator="kind")]
)
"""A plain number (constant) or a distribution by `kind`."""


# --- mobility ------------------------------------------------------------------------------------------------------


class _Traffic(Section):
    step_s: Positive = Field(
        1.0, le=60, description="Tick: positions are read this often. SUMO's own default step is 1 s."
    )
    begin_s: NonNegative = Field(
        0.0,
        description="Traffic time at which the run's clock starts; the traffic before it is run without tasks and cached.",
    )
    scale: Positive = Field(1.0, le=100, description="Multiplies the demand (SUMO --scale).")
    max_vehicles: int | None = Field(
        None, gt=0, description="Upper bound of vehicles at once (SUMO --max-num-vehicles)."
    )
    teleport_s: float = Field(
        300.0,
        ge=-1,
        description="A vehicle that waits longer is teleported (SUMO --time-to-teleport, its default 300; -1: never).",
    )
    cache: bool = Field(
        True,
        description="Keep the SUMO state at begin_s for the next run with the same map, demand and seed.",
    )


class LibsumoMobility(_Traffic):
    """SUMO inside this process: the default and the fastest live source."""

    kind: Literal["libsumo"] = "libsumo"


class TraciMobility(_Traffic):
    """SUMO in a process of its own, over a socket."""

    kind: Literal["traci"]
    port: int | None = Field(None, ge=1, le=65535, description="TCP port; a free one by default.")
    timeout_s: Positive = Field(60.0, description="An answer that takes longer ends the run.")


class ReplayMobility(Section):
    """A recording instead of SUMO: our own Parquet, or SUMO's FCD output as XML, CSV or Parquet."""

    kind: Literal["replay"]
    file: Name = Field(description="Path of the recording, relative to the scenario file.")
    step_s: Positive = Field(1.0, le=60, description="Tick; the recording must hold a row per vehicle at each.")
    begin_s: NonNegative = Field(0.0, description="Recorded time at which the run's clock starts.")


class SyntheticMobility(Section):
    """Straight parallel roads without SUMO: vehicles at constant speed, for tests and first experiments."""

    kind: Literal["synthetic"]
    step_s: Positive = Field(1.0, le=60)
    vehicles: int = Field(10, ge=0, le=100_000, description="Vehicles on the road at once.")
    roads: int = Field(1, ge=1, le=1000)
    length_m: Positive = Field(1000.0, description="Length of each road.")
    spacing_m: NonNegative = Field(50.0, description="Distance between parallel roads.")
    speed_mps: Distribution = 15.0
    reenter: bool = Field(True, description="A vehicle that reaches the end is replaced by a new one at the start.")
    placement: Literal["even", "random"] = "even"


Mobility: TypeAlias = Annotated[
    LibsumoMobility | TraciMobility | ReplayMobility | SyntheticMobility, Field(discriminator="kind")
]


# --- sites ---------------------------------------------------------------------------------------------------------


class Site(Section):
    """One roadside unit by hand."""

    name: Name
    x_m: float
    y_m: float
    cores: int | None = Field(
        None, ge=0, description="Overrides compute.edge.cores at this site; 0: radio only, no edge host."
    )
    core_hz: Positive | None = Field(None, description="Overrides compute.edge.core_hz at this site.")


class ListedSites(Section):
    """Sites by hand."""

    kind: Literal["listed"]
    sites: Annotated[tuple[Site, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _unique(self) -> "ListedSites":
        names = [site.name for site in self.sites]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"site name {doubled[0]!r} is given twice; names must differ")
        return self


class RoadSites(Section):
    """Sites along the roads, widest roads first, none closer to another than spacing_m."""

    kind: Literal["roads"]
    spacing_m: Positive = Field(800.0, description="Published RSU ranges are 200 to 500 m.")
    max_count: int | None = Field(None, gt=0)


class GridSites(Section):
    """Sites on a square grid over the map's bounding box."""

    kind: Literal["grid"]
    spacing_m: Positive


class MapSites(Section):
    """The sites of the map folder's sites.yaml."""

    kind: Literal["map"]


Sites: TypeAlias = Annotated[ListedSites | RoadSites | GridSites | MapSites, Field(discriminator="kind")]


# --- radio ---------------------------------------------------------------------------------------------------------


class PowerLaw(Section):
    """h = g0 / d^alpha (paper S1 eq 3), no shadowing, always in line of sight."""

    kind: Literal["power_law"]
    exponent: Positive = Field(2.0, description="S1 Table III.")
    gain_at_1m_db: float = Field(-40.0, description="g0; S1 gives no value, -40 dB at 1 m is common.")


class _Shadowed(Section):
    frequency_ghz: Positive = Field(5.9, ge=0.5, le=100, description="ITS band.")
    shadowing: bool = Field(True, description="AR(1) in dB along the travelled distance.")
    los: Literal["drawn", "always", "never"] = Field(
        "drawn", description="Line of sight: drawn from its probability, or fixed."
    )


class Umi(_Shadowed):
    """3GPP TR 38.901 urban micro, street canyon."""

    kind: Literal["umi"] = "umi"
    site_height_m: Positive = Field(10.0, gt=1, description="TR 38.901 Table 7.2-1.")
    vehicle_height_m: Positive = Field(1.5, gt=1)


class V2vUrban(_Shadowed):
    """3GPP TR 37.885 urban."""

    kind: Literal["v2v_urban"]


class V2vHighway(_Shadowed):
    """3GPP TR 37.885 highway."""

    kind: Literal["v2v_highway"]


class PluginPathLoss(Section):
    """A path loss from the entry-point group cosim.path_loss."""

    kind: Literal["plugin"]
    name: Name
    options: dict[str, Any] = Field(default_factory=dict)


PathLoss: TypeAlias = Annotated[PowerLaw | Umi | V2vUrban | V2vHighway | PluginPathLoss, Field(discriminator="kind")]


class Ofdma(Section):
    """One cell's transfers share its band: equal shares, or in proportion to the policy's shares."""

    kind: Literal["ofdma"] = "ofdma"


class Fixed(Section):
    """Each transfer has its own slice of the band, whoever else sends."""

    kind: Literal["fixed"]
    slice_share: Share = Field(0.1, description="Slice of the cell's band for each transfer.")


class Noma(Section):
    """All uplink transfers of a cell use the whole band at once (paper S3 eq 13)."""

    kind: Literal["noma"]
    sic: bool = Field(
        True,
        description="Successive interference cancellation: stronger received users are decoded and removed first.",
    )


Access: TypeAlias = Annotated[Ofdma | Fixed | Noma, Field(discriminator="kind")]


class Handover(Section):
    """When and how a vehicle changes its cell."""

    hysteresis_db: NonNegative = Field(
        3.0, description="A neighbour must be this much stronger (3GPP A3 offsets are 1 to 4 dB)."
    )
    interruption_s: NonNegative = Field(
        0.05, description="No transfer of the vehicle moves for this long (LTE and NR: 30 to 60 ms)."
    )
    transfer: Literal["continue", "restart"] = Field(
        "continue", description="A transfer goes on over the new cell or starts again."
    )


class Sidelink(Section):
    """Vehicle-to-vehicle radio; neighbours in range may execute a task."""

    range_m: Positive = 150.0
    bandwidth_hz: Positive = 10e6
    max_neighbours: int = Field(1, ge=1, le=8, description="Neighbours offered as targets to the policy.")
    path_loss: PathLoss = Field(default_factory=lambda: V2vUrban(kind="v2v_urban"))


class Radio(Section):
    """The air between vehicles and sites; uplink and downlink have bands of their own in each cell."""

    bandwidth_hz: Positive = Field(20e6, description="Uplink band of each cell.")
    downlink_bandwidth_hz: Positive | None = Field(None, description="Downlink band; as the uplink by default.")
    vehicle_power_w: Positive = Field(0.2, description="23 dBm, the NR user power class 3.")
    max_vehicle_power_w: Positive | None = Field(
        None, description="Bound of the power knob; vehicle_power_w by default."
    )
    site_power_w: Positive = Field(1.0, description="30 dBm.")
    antenna_gain_db: float = Field(3.0, description="Sum over both ends.")
    noise_figure_db: NonNegative = 9.0
    noise_dbm: float | None = Field(
        None, description="Total noise power; from -174 dBm/Hz, band and noise figure by default."
    )
    path_loss: PathLoss = Field(default_factory=Umi)
    access: Access = Field(default_factory=Ofdma)
    association: Literal["strongest", "target"] = Field(
        "strongest", description="Uplink to the serving cell, or straight to the target's site (S1, S3)."
    )
    interference: bool = Field(False, description="Co-channel interference between cells, updated at each tick.")
    max_efficiency_bps_hz: Positive | None = Field(
        7.4063, description="Cap: 256-QAM at code rate 948/1024 (TS 38.214 Table 5.1.3.1-2); null: none."
    )
    min_snr_db: float = Field(-6.7, description="Below it there is no coverage; -6.7 dB is the lowest CQI's usual SNR.")
    outage_s: NonNegative = Field(1.0, description="A transfer without coverage for longer fails.")
    candidates: int = Field(4, ge=1, le=16, description="Each vehicle looks at this many nearest sites.")
    handover: Handover = Field(default_factory=Handover)
    sidelink: Sidelink | None = None

    @model_validator(mode="after")
    def _power(self) -> "Radio":
        if self.max_vehicle_power_w is not None and self.max_vehicle_power_w < self.vehicle_power_w:
            raise ValueError(
                f"max_vehicle_power_w={self.max_vehicle_power_w:g} is below vehicle_power_w={self.vehicle_power_w:g}; raise it"
            )
        return self


# --- wires, hosts, energy ------------------------------------------------------------------------------------------


class Backhaul(Section):
    """Wires between sites, as a star around a core switch or as a mesh of near neighbours."""

    kind: Literal["star", "mesh"] = "star"
    bandwidth_bps: Positive = Field(1e9, description="Of each wire and direction.")
    latency_s: NonNegative = Field(0.001, description="Of each wire: propagation and switching.")
    neighbours: int = Field(
        3,
        ge=1,
        description="mesh: wires to this many nearest sites; clusters are joined by their shortest gaps.",
    )


class Cloud(Section):
    """A distant data centre behind the core."""

    cores: int = Field(1024, ge=1)
    core_hz: Positive = 3e9
    latency_s: NonNegative = Field(0.04, description="One-way delay of the wide-area network.")
    bandwidth_bps: Positive = 10e9


class EdgeCompute(Section):
    """The host at each site."""

    cores: int = Field(8, ge=0, description="0: radio only.")
    core_hz: Positive = Field(3e9, description="Published RSU hosts have 8 to 16 GHz in all.")
    discipline: Literal["fifo", "priority", "processor_sharing"] = "fifo"
    queue_limit: int | None = Field(
        None, ge=0, description="Waiting tasks beyond which new ones are rejected; null: unbounded."
    )
    kappa: NonNegative = Field(1e-28, description="J per cycle and Hz^2: energy = kappa f^2 C.")


class VehicleCompute(Section):
    """Each vehicle's own processor: one core, tasks in order."""

    core_hz: Distribution = Field(1e9, description="Published 1 to 3 GHz; drawn once for each vehicle.")
    queue_limit: int | None = Field(None, ge=0)
    kappa: NonNegative = Field(
        1e-27, description="Common values are 1e-27 (S1 Table III) and 1e-28: a tenfold difference."
    )
    shared: bool = Field(True, description="Neighbours may execute here too (needs radio.sidelink).")


class Compute(Section):
    """Processors."""

    edge: EdgeCompute = Field(default_factory=EdgeCompute)
    vehicle: VehicleCompute = Field(default_factory=VehicleCompute)


class Energy(Section):
    """Budgets and weights; consumption follows radio power and kappa f^2 C."""

    vehicle_budget_j: Positive | None = Field(
        None, description="A vehicle that has spent it neither computes nor sends."
    )
    receive_power_w: NonNegative = Field(
        0.0, description="Drawn by a vehicle while it receives; the papers leave it out."
    )


# --- tasks ---------------------------------------------------------------------------------------------------------


class Semantic(Section):
    """Paper S1 eq 1, 2, 7 and the accuracy factors of eq 12-16."""

    efficiency: Distribution = Field(
        default_factory=lambda: Uniform(kind="uniform", low=0.5, high=1.0),
        description="sigma_ij: share of the data that must be sent (S1 Table III: sigma_min 0.5).",
    )
    vehicle_accuracy: Distribution = Field(
        default_factory=lambda: Uniform(kind="uniform", low=0.5, high=1.0),
        description="sigma_i, multiplies local cycles.",
    )
    edge_accuracy: Distribution = Field(
        default_factory=lambda: Uniform(kind="uniform", low=0.5, high=1.0),
        description="sigma_j, multiplies remote cycles.",
    )
    min_efficiency: float = Field(0.5, ge=0, le=1, description="Floor of sigma_ij (eq 19f).")
    complexity_weight: NonNegative = Field(0.5, description="phi_1 of eq 1; not given in the paper.")
    efficiency_weight: NonNegative = Field(0.5, description="phi_2 of eq 1; not given in the paper.")
    priority_weight: NonNegative = Field(1e-6, description="phi of eq 2, per cycle; not given in the paper.")
    urgency_weight: float = Field(
        -1.0,
        description="beta of eq 7. As printed (beta > 0) more time left means higher priority; negative by default, so that urgent tasks go first.",
    )


class TaskClass(Section):
    """One kind of task."""

    name: Name
    weight: Positive = Field(1.0, description="Share of the arrivals.")
    input_bit: Distribution = Field(1e6, description="Published 0.5 to 2 Mbit.")
    output_bit: Distribution = Field(1e5)
    cycles: Distribution = Field(5e8, description="1 Mbit at 500 cycles/bit; published 100 to 1500.")
    deadline_s: Distribution = Field(1.0, description="From release; published 0.1 to 2 s.")
    semantic: Semantic | None = None
    vehicle_types: tuple[Name, ...] | None = Field(
        None, description="Only vehicles of these types release it; null: all."
    )

    @model_validator(mode="after")
    def _possible(self) -> "TaskClass":
        for field in ("input_bit", "cycles", "deadline_s"):
            value = getattr(self, field)
            smallest = (
                value
                if isinstance(value, float | int)
                else value.low
                if isinstance(value, Uniform)
                else min(value.values)
                if isinstance(value, Choice)
                else 1.0
            )
            if smallest <= 0:
                raise ValueError(f"{field} can be 0; give it a positive value")
        return self


class ProfilePoint(Section):
    """One corner of a rate profile."""

    time_s: NonNegative
    factor: NonNegative


class PoissonArrivals(Section):
    """A Poisson process at each vehicle."""

    kind: Literal["poisson"] = "poisson"
    rate_per_s: NonNegative = Field(1.0, description="Of each vehicle; published 0.5 to 1.")
    type_factor: dict[str, NonNegative] = Field(
        default_factory=dict, description="Multiplies the rate for a vehicle type."
    )
    profile: tuple[ProfilePoint, ...] = Field(
        (), description="Factor over the run's time, linear between corners, constant outside."
    )

    @model_validator(mode="after")
    def _ordered(self) -> "PoissonArrivals":
        times = [point.time_s for point in self.profile]
        if times != sorted(set(times)):
            raise ValueError("profile times must increase; sort them")
        return self


class FileArrivals(Section):
    """Arrivals from a CSV file: time_s, vehicle_id, and optionally class, input_bit, output_bit, cycles, deadline_s."""

    kind: Literal["file"]
    file: Name = Field(description="Path of the CSV, relative to the scenario file.")


class PluginArrivals(Section):
    """An arrival process from the entry-point group cosim.arrivals."""

    kind: Literal["plugin"]
    name: Name
    options: dict[str, Any] = Field(default_factory=dict)


Arrivals: TypeAlias = Annotated[PoissonArrivals | FileArrivals | PluginArrivals, Field(discriminator="kind")]


class Tasks(Section):
    """What the vehicles want computed."""

    arrivals: Arrivals = Field(default_factory=PoissonArrivals)
    classes: Annotated[tuple[TaskClass, ...], Field(min_length=1)] = (TaskClass(name="default"),)
    on_deadline: Literal["finish", "drop"] = Field(
        "finish",
        description="A late task is finished and counted LATE, or dropped at its deadline and counted EXPIRED.",
    )

    @model_validator(mode="after")
    def _unique(self) -> "Tasks":
        names = [task_class.name for task_class in self.classes]
        if len(set(names)) != len(names):
            raise ValueError(f"task class names must differ, got {names}")
        return self


# --- decisions -----------------------------------------------------------------------------------------------------

Knob: TypeAlias = Literal["target", "share", "power", "cpu_share"]


class PeriodicDecisions(Section):
    """All tasks that wait are decided together, every period."""

    kind: Literal["periodic"] = "periodic"
    period_s: Positive = Field(0.1, description="S1 uses slots of 1 s; 0.1 s adds 50 ms to a task on average.")
    candidates: int = Field(
        3, ge=1, le=16, description="Edge hosts offered for each task: the sites with the strongest signal."
    )
    knobs: tuple[Knob, ...] = Field(
        ("target",), description="What the policy controls; the rest keeps the scenario's value."
    )
    inference_s: NonNegative = Field(0.0, description="Time a decision takes before its tasks move.")
    latency_weight: float = Field(
        0.5, ge=0, le=1, description="w1 of the analytic cost w1 L + (1 - w1) E (S1 eq 18, Table III)."
    )


class PerTaskDecisions(Section):
    """Each task is decided at its release."""

    kind: Literal["per_task"]
    candidates: int = Field(3, ge=1, le=16)
    knobs: tuple[Knob, ...] = ("target",)
    inference_s: NonNegative = 0.0
    latency_weight: float = Field(0.5, ge=0, le=1)


Decisions: TypeAlias = Annotated[PeriodicDecisions | PerTaskDecisions, Field(discriminator="kind")]


class PolicyChoice(Section):
    """A policy by name, with its options."""

    name: Name
    options: dict[str, Any] = Field(default_factory=dict)


# --- statistics and trace ------------------------------------------------------------------------------------------


class Statistics(Section):
    """How a run becomes numbers."""

    warmup_s: NonNegative = Field(0.0, description="Tasks released before it are left out of the KPIs.")
    batches: int = Field(20, ge=2, le=1000, description="Batches of the batch-means intervals.")
    confidence: float = Field(0.95, gt=0, lt=1)


class TraceOptions(Section):
    """How facts are stored."""

    sample_s: Positive = Field(1.0, description="Interval of the samples of hosts and cells.")
    part_s: Positive = Field(
        60.0, description="Simulated time between committed parts: a killed run loses at most this much."
    )
    positions: bool = Field(False, description="Record every vehicle's position at every tick (for maps and playback).")


class Scenario(Section):
    """The whole description of a run."""

    name: Name = "unnamed"
    description: str = ""
    map: Name = Field(
        "synthetic",
        description="Catalog name (`cosim map list`), or path of a map folder relative to the scenario; ignored by synthetic mobility.",
    )
    duration_s: Positive = Field(600.0, le=1e7)
    seed: int = Field(1, ge=0, lt=2**63)
    policy: PolicyChoice = Field(default_factory=lambda: PolicyChoice(name="greedy-latency"))
    statistics: Statistics = Field(default_factory=Statistics)
    mobility: Mobility = Field(default_factory=LibsumoMobility)
    sites: Sites = Field(default_factory=lambda: RoadSites(kind="roads"))
    radio: Radio = Field(default_factory=Radio)
    backhaul: Backhaul = Field(default_factory=Backhaul)
    cloud: Cloud | None = None
    compute: Compute = Field(default_factory=Compute)
    energy: Energy = Field(default_factory=Energy)
    tasks: Tasks = Field(default_factory=Tasks)
    decisions: Decisions = Field(default_factory=PeriodicDecisions)
    trace: TraceOptions = Field(default_factory=TraceOptions)

    @model_validator(mode="before")
    @classmethod
    def _policy_by_name(cls, data: Any) -> Any:
        """`policy: greedy-latency` is short for `policy: {name: greedy-latency}`."""
        if isinstance(data, dict) and isinstance(data.get("policy"), str):
            data = {**data, "policy": {"name": data["policy"]}}
        return data

    @model_validator(mode="after")
    def _consistent(self) -> "Scenario":
        if self.statistics.warmup_s >= self.duration_s:
            raise ValueError(
                f"statistics.warmup_s={self.statistics.warmup_s:g} leaves nothing of duration_s={self.duration_s:g}; lower it"
            )
        return self
