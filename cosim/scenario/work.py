"""The work of a scenario: which tasks are released, and how decisions on them are made."""

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, model_validator

from cosim.scenario.reward import Reward
from cosim.scenario.section import (
    Distribution,
    Name,
    NonNegative,
    Positive,
    Real,
    Section,
    Uniform,
    Whole,
    refuse_huge,
    refuse_zero,
)

MOST_CYCLES: Final = 1e13
"""Most cycles of a task, about an hour of one core.

Far above it, what a stopped task has cost is lost in the rounding of what it had left.
"""
MOST_ACCURACY: Final = 100.0


class Semantic(Section):
    """Semantic compression and accuracy of a task class: paper S1 eq 1, 2, 7 and the accuracy factors of eq 12-16."""

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
    min_efficiency: Real = Field(0.5, ge=0, le=1, description="Floor of sigma_ij (eq 19f).")
    complexity_weight: NonNegative = Field(
        5e-7,
        description="phi_1 of eq 1, per cycle; not given in the paper: here 1e6 cycles weigh as much as full efficiency.",
    )
    efficiency_weight: NonNegative = Field(0.5, description="phi_2 of eq 1; not given in the paper.")
    priority_weight: NonNegative = Field(1e-6, description="phi of eq 2, per cycle; not given in the paper.")
    urgency_weight: Real = Field(
        -1.0,
        description="beta of eq 7. As printed (beta > 0) more time left means higher priority; negative by default, so that urgent tasks go first.",
    )

    @model_validator(mode="after")
    def _possible(self) -> "Semantic":
        for field in ("vehicle_accuracy", "edge_accuracy"):
            refuse_huge(getattr(self, field), field, MOST_ACCURACY)
        return self


class TaskClass(Section):
    """One class of tasks."""

    name: Name = Field(description="As facts, tables and arrival files call it.")
    weight: Positive = Field(1.0, description="Share of the arrivals.")
    input_bit: Distribution = Field(1e6, description="Published 0.5 to 2 Mbit.")
    output_bit: Distribution = Field(1e5, description="Size of the result.")
    cycles: Distribution = Field(5e8, description="1 Mbit at 500 cycles/bit; published 100 to 1500.")
    deadline_s: Distribution = Field(1.0, description="From release; published 0.1 to 2 s.")
    semantic: Semantic | None = Field(
        None, description="Semantic communication of paper S1; null: all data are sent, all cycles executed."
    )
    vehicle_types: tuple[Name, ...] | None = Field(
        None, description="Only vehicles of these types release it; null: all."
    )

    @model_validator(mode="after")
    def _possible(self) -> "TaskClass":
        for field in ("input_bit", "cycles", "deadline_s"):
            refuse_zero(getattr(self, field), field)
        refuse_huge(self.cycles, "cycles", MOST_CYCLES)
        return self


class ProfilePoint(Section):
    """A corner of a rate profile."""

    time_s: NonNegative = Field(description="Time of the run's clock.")
    factor: NonNegative = Field(description="Multiplies the rate.")


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
    name: Name = Field(description="Of the entry point.")
    options: dict[str, Any] = Field(default_factory=dict, description="Handed to the process as they stand.")


Arrivals: TypeAlias = Annotated[PoissonArrivals | FileArrivals | PluginArrivals, Field(discriminator="kind")]


class Tasks(Section):
    """The tasks that vehicles release."""

    arrivals: Arrivals = Field(
        default_factory=PoissonArrivals, description="When tasks are released; Poisson at each vehicle by default."
    )
    classes: Annotated[tuple[TaskClass, ...], Field(min_length=1)] = Field(
        (TaskClass(name="default"),), description="Kinds of tasks, drawn by their weights."
    )
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


Knob: TypeAlias = Literal["target", "share", "power", "cpu_share", "detector", "proposer"]


Source: TypeAlias = Literal["truth", "mirror", "forecast"]


class PeriodicDecisions(Section):
    """All waiting tasks are decided together, once in every period."""

    kind: Literal["periodic"] = "periodic"
    period_s: Positive = Field(0.1, ge=1e-4, description="S1 uses slots of 1 s; 0.1 s adds 50 ms to a task on average.")
    candidates: Whole = Field(
        3, ge=1, le=16, description="Edge hosts offered for each task: the sites with the strongest signal."
    )
    knobs: tuple[Knob, ...] = Field(
        ("target",),
        description="What the policy controls. Without target each task goes where the least latency is expected; without the others the scenario's values hold.",
    )
    inference_s: NonNegative = Field(0.0, description="Time a decision takes before its tasks move.")
    latency_weight: Real = Field(
        0.5, ge=0, le=1, description="w1 of the analytic cost w1 L + (1 - w1) E (S1 eq 18, Table III)."
    )
    observation: Source = Field(
        "truth", description="What policies see: the truth, or what the twin last heard (mirror) or expects (forecast)."
    )
    reward: Reward = Field(default_factory=Reward)


class PerTaskDecisions(Section):
    """Each task is decided at its release."""

    kind: Literal["per_task"]
    candidates: Whole = Field(
        3, ge=1, le=16, description="Edge hosts offered for each task: the sites with the strongest signal."
    )
    knobs: tuple[Knob, ...] = Field(("target",), description="What the policy controls; as for periodic decisions.")
    inference_s: NonNegative = Field(0.0, description="Time a decision takes before its task moves.")
    latency_weight: Real = Field(
        0.5, ge=0, le=1, description="w1 of the analytic cost w1 L + (1 - w1) E (S1 eq 18, Table III)."
    )
    observation: Source = Field(
        "truth", description="What policies see: the truth, or what the twin last heard (mirror) or expects (forecast)."
    )
    reward: Reward = Field(default_factory=Reward)


Decisions: TypeAlias = Annotated[PeriodicDecisions | PerTaskDecisions, Field(discriminator="kind")]


class PolicyChoice(Section):
    """A policy by name, with its options."""

    name: Name = Field(description="A name as local or greedy-latency, a checkpoint x.ckpt, or file.py:Class.")
    options: dict[str, Any] = Field(default_factory=dict, description="Handed to the policy as they stand.")
