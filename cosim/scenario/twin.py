"""The digital twin of a scenario: how it is synchronised, what it forecasts, and where it lives."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from cosim.scenario.section import NonNegative, Positive, Real, Section
from cosim.scenario.twin_forecast import DemandForecast, MotionForecast, SmoothedDemand, VelocityForecast
from cosim.scenario.twin_placement import TwinPlacement


class PeriodicSync(Section):
    """Every vehicle sends its state at fixed times."""

    kind: Literal["periodic"] = "periodic"
    period_s: Positive = Field(1.0, description="A multiple of mobility.step_s; S1 uses 10 s (SYSTEMS: slots of 1 s).")
    staggered: bool = Field(True, description="Vehicles take turns; false: all at once.")


class OnChangeSync(Section):
    """A vehicle computes what its twin would forecast, and sends its state when that is too wrong."""

    kind: Literal["on_change"]
    error_m: Positive = Field(5.0, description="Distance between forecast and truth that makes it speak.")
    heartbeat_s: Positive = Field(30.0, description="It speaks at least so often.")


class BudgetSync(Section):
    """Each cell grants so many messages a second, to the vehicles whose twins are oldest."""

    kind: Literal["budget"]
    messages_per_s: NonNegative = Field(50.0, description="Of each cell; 0: nobody is ever heard again.")


Sync: TypeAlias = Annotated[PeriodicSync | OnChangeSync | BudgetSync, Field(discriminator="kind")]


class Twin(Section):
    """A mirror of vehicles and sites that is synchronised over the run's own radio and wires."""

    sync: Sync = Field(
        default_factory=PeriodicSync, description="When vehicles tell their state; at a fixed period by default."
    )
    forecast: MotionForecast = Field(
        default_factory=lambda: VelocityForecast(kind="constant_velocity"), description="How vehicles move on."
    )
    demand: DemandForecast = Field(
        default_factory=SmoothedDemand, description="How many tasks vehicles will release (S1 eq 9)."
    )
    message_bit: Positive = Field(2400.0, description="300 byte, a cooperative awareness message with certificate.")
    loss: Real = Field(0.0, ge=0, le=1, description="Share of the messages that are lost on the air.")
    site_period_s: Positive = Field(1.0, description="Sites tell queues and cell loads so often, over the wires.")
    site_message_bit: Positive = Field(2000.0, description="Size of such a message.")
    placement: TwinPlacement | None = Field(
        None, description="Hosts that carry the twins; null: each at the site that takes its messages."
    )
