"""Placement of twins on hosts (papers S5 and S2 figure 10): the policy, creation, migration, and drawn instances."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from cosim.scenario.section import (
    Decibel,
    Distribution,
    NonNegative,
    Positive,
    Real,
    Section,
    Share,
    Uniform,
    Whole,
    refuse_zero,
)

PlacingPolicy: TypeAlias = Literal["nearest", "least_loaded", "greedy", "local_search", "random", "exact"]


class Creation(Section):
    """The creation of a twin as its vehicle enters: data are uploaded, and the host processes them (S5 eq 17-20)."""

    data_bit: Distribution = Field(8e6, description="D_i, drawn for each vehicle; S5 Table 2 has 300 to 500 Mb.")
    cycles_per_bit: NonNegative = Field(1.0, description="Eq 19 divides bits by hertz: one cycle per bit.")
    upload: Literal["serving", "direct"] = Field(
        "serving",
        description="Over the serving cell and the wires, or straight to the host's own site as in eq 18; the cloud has no cell.",
    )
    limit_s: Positive | None = Field(None, description="tau_i of S5 eq 26 on the expected time; null: none.")

    @model_validator(mode="after")
    def _possible(self) -> "Creation":
        refuse_zero(self.data_bit, "data_bit")
        return self


class Migration(Section):
    """The migration of twins: a twin moves only if that pays within the horizon, by a margin."""

    horizon_s: Positive = Field(
        60.0, description="How long a move has to pay for itself; about a vehicle's stay at a site."
    )
    uses_per_s: Positive = Field(1.0, description="How often a twin is asked or synchronised.")
    margin: NonNegative = Field(0.2, description="Hysteresis: the saving must exceed the cost by this part of it.")
    wire_weight: NonNegative = Field(
        1.0, description="A second of transfer over the backhaul counts as this many seconds of waiting."
    )
    state_bit: Distribution = Field(8e6, description="What moves with a twin; 1 MB. S5 gives no number.")
    precopy_rounds: Whole = Field(
        0, ge=0, le=30, description="Copies while the twin goes on; 0: it stands still for the whole transfer."
    )
    dirty_bps: NonNegative = Field(0.0, description="What changes of a twin's state while it is copied.")
    restart_s: NonNegative = Field(0.05, description="From the last bit until the twin answers again.")
    high: Share = Field(0.9, description="Load over capacity above which a host hands twins to others (S2 figure 10).")
    target: Share = Field(0.8, description="Down to which it does, and up to which twins may move to a host.")
    step_s: NonNegative = Field(0.0, description="Counted for each tier that load climbs, beside the wires' delay.")

    @model_validator(mode="after")
    def _ordered(self) -> "Migration":
        refuse_zero(self.state_bit, "state_bit")
        if self.target > self.high:
            raise ValueError(f"target={self.target:g} is above high={self.high:g}; swap them")
        return self


class TierCapacity(Section):
    """The capacity of one host of a tier for twins, beside its cores for tasks."""

    places: Whole = Field(ge=1, le=1_000_000, description="M_j of S5 eq 23.")
    compute_hz: Distribution = Field(description="C_j of S5 eq 24, reserved for twins; drawn for each host.")
    share: Share | None = Field(None, description="c_ij of S5 eq 19 over C_j; null: 1 / places.")

    @model_validator(mode="after")
    def _possible(self) -> "TierCapacity":
        refuse_zero(self.compute_hz, "compute_hz")
        return self


class PlacementTiers(Section):
    """Capacities by tier; null: the tier carries no twins."""

    rsu: TierCapacity | None = Field(None, description="Of a site without cores for tasks.")
    edge: TierCapacity | None = Field(
        default_factory=lambda: TierCapacity(places=200, compute_hz=8e9), description="Of a site with cores."
    )
    cloud: TierCapacity | None = Field(None, description="Of the data centre.")

    @model_validator(mode="after")
    def _some(self) -> "PlacementTiers":
        if self.rsu is self.edge is self.cloud is None:
            raise ValueError("no tier may carry twins; give rsu, edge or cloud a capacity")
        return self


class TwinPlacement(Section):
    """The placement of vehicles' twins on hosts, decided as vehicles enter and at a fixed interval."""

    policy: PlacingPolicy = Field(
        "greedy", description="The rule that chooses the hosts; exact: the optimum of S5 eq 21."
    )
    period_s: Positive = Field(
        10.0, ge=0.01, description="Between decisions about twins that stand, and about those still without a host."
    )
    creation: Creation = Field(default_factory=Creation)
    migration: Migration | None = Field(default_factory=Migration, description="null: twins stay where they were made.")
    tiers: PlacementTiers = Field(default_factory=PlacementTiers)


class _Instances(Section):
    users: Whole = Field(4, ge=1, le=10_000, description="N of S5 Table 2.")
    hosts: Whole = Field(2, ge=1, le=1_000, description="M of S5 Table 2.")
    data_bit: Distribution = Field(
        Uniform(kind="uniform", low=300e6, high=500e6), description="D_i, S5 Table 2: 300 to 500 Mb, read as megabit."
    )
    compute_hz: Distribution = Field(
        Uniform(kind="uniform", low=1e9, high=2e9), description="C_j, S5 Table 2: 1 to 2 GHz."
    )
    places: Whole = Field(2, ge=1, le=10_000, description="M_j of eq 23; not given.")
    share: Share | None = Field(
        None, description="c_ij over C_j, not given; null: 1 / places. 1 lets one twin a host through eq 24."
    )
    cycles_per_bit: Positive = Field(1.0, description="Eq 19 divides bits by hertz: one cycle per bit.")
    power_w: Positive = Field(0.1, description="p_i, S5 Table 2.")
    bandwidth_hz: Positive = Field(10e6, description="B, S5 Table 2; each user has it alone.")
    noise_dbm: Decibel = Field(-174.0, description="sigma^2, S5 Table 2.")
    logarithm: Literal["log2", "ln"] = Field("log2", description="Of eq 20, which prints log.")
    exponent: Positive = Field(3.0, description="Of h = g0 / d^alpha; the paper gives no gains.")
    distance_m: Uniform = Field(
        Uniform(kind="uniform", low=50.0, high=500.0),
        description="Of each user and host, drawn for each pair by itself.",
    )

    @model_validator(mode="after")
    def _possible(self) -> "_Instances":
        for field in ("data_bit", "compute_hz", "distance_m"):
            refuse_zero(getattr(self, field), field)
        return self


class PaperInstances(_Instances):
    """S5 Table 2 as printed: -174 dBm is the whole noise power, and h = d^-alpha with no constant."""

    kind: Literal["paper"] = "paper"
    noise: Literal["total", "density"] = Field("total", description="Whether noise_dbm is in the band or per hertz.")
    gain_at_1m_db: Decibel = Field(0.0, description="g0; the paper gives no gains, so no constant is put in.")
    limit_s: Positive = Field(30.0, description="tau_i of eq 26, not given; it never binds here.")


class PhysicalInstances(_Instances):
    """S5 with thermal noise over the band and a loss of 40 dB at 1 m: here the placement matters."""

    kind: Literal["physical"]
    noise: Literal["total", "density"] = Field("density", description="Whether noise_dbm is in the band or per hertz.")
    gain_at_1m_db: Decibel = Field(-40.0, description="g0; as S1, common.")
    limit_s: Positive = Field(30.0, description="tau_i of eq 26, not given; it forbids about 1 pair in 250.")


PlacementInstances: TypeAlias = Annotated[PaperInstances | PhysicalInstances, Field(discriminator="kind")]


class PlacementStudy(Section):
    """Drawn placement instances, solved by every policy: a scenario of its own, without traffic."""

    instances: PlacementInstances = Field(default_factory=PaperInstances)
    count: Whole = Field(1000, ge=2, le=1_000_000, description="Instances, each from its own random stream.")
    confidence: Real = Field(0.95, gt=0, lt=1, description="Of the intervals.")
