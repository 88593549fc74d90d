"""The wires, processors and energy budgets of a scenario."""

from typing import Literal

from pydantic import Field, model_validator

from cosim.scenario.section import Distribution, NonNegative, Positive, Section, Whole, refuse_zero


class Backhaul(Section):
    """Wires between sites, as a star around a core switch or as a mesh of near neighbours."""

    kind: Literal["star", "mesh"] = Field(
        "star", description="star: all wires meet at a core switch; mesh: wires to near neighbours."
    )
    bandwidth_bps: Positive = Field(1e9, description="Of each wire and direction.")
    latency_s: NonNegative = Field(0.001, description="Of each wire: propagation and switching.")
    neighbours: Whole = Field(
        3,
        ge=1,
        description="mesh: wires to this many nearest sites; clusters are joined by their shortest gaps.",
    )


class Cloud(Section):
    """A distant data centre behind the core."""

    cores: Whole = Field(1024, ge=1, le=1_000_000, description="More than enough by default: nothing waits there.")
    core_hz: Positive = Field(3e9, description="Cycles per second of a core.")
    latency_s: NonNegative = Field(0.04, description="One-way delay of the wide-area network.")
    bandwidth_bps: Positive = Field(10e9, description="Of the wide-area network, each direction.")


class EdgeCompute(Section):
    """The host at each site."""

    cores: Whole = Field(8, ge=0, le=1_000_000, description="0: radio only.")
    core_hz: Positive = Field(3e9, description="Published RSU hosts have 8 to 16 GHz in all.")
    discipline: Literal["fifo", "priority", "processor_sharing"] = Field(
        "fifo",
        description="Order of service: by arrival, by priority (S1 eq 7), or all at once with equal or chosen shares.",
    )
    queue_limit: Whole | None = Field(
        None, ge=0, description="Waiting tasks beyond which new ones are rejected; null: unbounded."
    )
    kappa: NonNegative = Field(1e-28, description="J per cycle and Hz^2: energy = kappa f^2 C.")


class VehicleCompute(Section):
    """Each vehicle's own processor: one core, tasks in order."""

    core_hz: Distribution = Field(1e9, description="Published 1 to 3 GHz; drawn once for each vehicle.")
    queue_limit: Whole | None = Field(
        None, ge=0, description="Waiting tasks beyond which new ones are rejected; null: unbounded."
    )
    kappa: NonNegative = Field(
        1e-27, description="Common values are 1e-27 (S1 Table III) and 1e-28: a tenfold difference."
    )
    shared: bool = Field(True, description="Neighbours may execute here too (needs radio.sidelink).")

    @model_validator(mode="after")
    def _possible(self) -> "VehicleCompute":
        refuse_zero(self.core_hz, "core_hz")
        return self


class Compute(Section):
    """Processors of sites and vehicles."""

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
