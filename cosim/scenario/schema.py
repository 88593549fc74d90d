"""A scenario: everything that determines a run, as frozen checked values.

Each section is a model; alternatives are unions told apart by `kind`. A field's name ends in its unit, its description
says what it is and, where a default is not obvious, where the default comes from. The hash of what differs from the
defaults is in the run id (see `identity`).
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from pydantic import Field, create_model, model_validator

from cosim.errors import InputError
from cosim.scenario.hosts import Backhaul, Cloud, Compute, EdgeCompute, Energy, VehicleCompute
from cosim.scenario.keys import Keys
from cosim.scenario.ledger import Ledger
from cosim.scenario.radio import (
    Access,
    Fixed,
    Handover,
    Noma,
    Ofdma,
    PathLoss,
    PluginPathLoss,
    PowerLaw,
    Radio,
    Sidelink,
    Umi,
    V2vHighway,
    V2vUrban,
)
from cosim.scenario.reward import Reward
from cosim.scenario.section import (
    Choice,
    Decibel,
    Distribution,
    Exponential,
    Lognormal,
    Name,
    NonNegative,
    Positive,
    Real,
    Section,
    Share,
    Uniform,
    Whole,
)
from cosim.scenario.traffic import (
    GridSites,
    LibsumoMobility,
    ListedSites,
    MapSites,
    Mobility,
    ReplayMobility,
    RoadSites,
    Site,
    Sites,
    SyntheticMobility,
    TraciMobility,
)
from cosim.scenario.twin import Twin
from cosim.scenario.work import (
    Arrivals,
    Decisions,
    FileArrivals,
    Knob,
    PeriodicDecisions,
    PerTaskDecisions,
    PluginArrivals,
    PoissonArrivals,
    PolicyChoice,
    ProfilePoint,
    Semantic,
    TaskClass,
    Tasks,
)
from cosim.subjects import Subject, outside

__all__ = [
    "Access",
    "Arrivals",
    "Backhaul",
    "Choice",
    "Cloud",
    "Compute",
    "Decibel",
    "Decisions",
    "Distribution",
    "EdgeCompute",
    "Energy",
    "Exponential",
    "FileArrivals",
    "Fixed",
    "GridSites",
    "Handover",
    "Knob",
    "LibsumoMobility",
    "ListedSites",
    "Lognormal",
    "MapSites",
    "Mobility",
    "Name",
    "Noma",
    "NonNegative",
    "Ofdma",
    "PathLoss",
    "PerTaskDecisions",
    "PeriodicDecisions",
    "PluginArrivals",
    "PluginPathLoss",
    "PoissonArrivals",
    "PolicyChoice",
    "Positive",
    "PowerLaw",
    "ProfilePoint",
    "Radio",
    "Real",
    "ReplayMobility",
    "Reward",
    "RoadSites",
    "Scenario",
    "Section",
    "Semantic",
    "Share",
    "Sidelink",
    "Site",
    "Sites",
    "Statistics",
    "SyntheticMobility",
    "TaskClass",
    "Tasks",
    "TraceOptions",
    "TraciMobility",
    "Umi",
    "Uniform",
    "V2vHighway",
    "V2vUrban",
    "VehicleCompute",
    "Whole",
    "known_part",
    "scenario_model",
]


class Statistics(Section):
    """Warm-up, batches and confidence of the key figures."""

    warmup_s: NonNegative = Field(0.0, description="Tasks released before it are left out of the KPIs.")
    batches: Whole = Field(20, ge=2, le=1000, description="Batches of the batch-means intervals.")
    confidence: Real = Field(0.95, gt=0, lt=1, description="Of the intervals.")


class TraceOptions(Section):
    """Sampling and storage of facts."""

    sample_s: Positive = Field(1.0, ge=1e-3, description="Interval of the samples of hosts and cells.")
    part_s: Positive = Field(
        60.0, ge=0.01, description="Simulated time between committed parts: a killed run loses at most this much."
    )
    positions: bool = Field(False, description="Record every vehicle's position at every tick (for maps and playback).")


class Scenario(Section):
    """The whole description of a run: one section for each part of the model, each quantity with its unit in its name.

    `cosim.load` makes one from a YAML file; in Python it can be made directly:

        >>> from cosim import Scenario
        >>> scenario = Scenario(duration_s=120, mobility={"kind": "synthetic", "vehicles": 20})
        >>> scenario.seed, scenario.radio.bandwidth_hz
        (1, 20000000.0)
    """

    name: Name = Field("unnamed", description="Of the run: the beginning of its run id and of its folder.")
    description: str = Field("", description="One line for `cosim scenario list`.")
    map: Name = Field(
        "synthetic",
        description="Catalog name (`cosim map list`), or path of a map folder relative to the scenario; ignored by synthetic mobility.",
    )
    duration_s: Positive = Field(600.0, le=1e7, description="Length of the run, from mobility.begin_s on.")
    seed: Whole = Field(1, ge=0, lt=2**63, description="Of every random stream: traffic, tasks, fading, policy.")
    policy: PolicyChoice = Field(
        default_factory=lambda: PolicyChoice(name="greedy-latency"),
        description="Who decides: a name, or a name with options.",
    )
    statistics: Statistics = Field(default_factory=Statistics)
    mobility: Mobility = Field(
        default_factory=LibsumoMobility, description="Where the vehicles come from; libsumo by default."
    )
    sites: Sites = Field(
        default_factory=lambda: RoadSites(kind="roads"),
        description="Where the roadside units stand; along the roads by default.",
    )
    radio: Radio = Field(default_factory=Radio)
    backhaul: Backhaul = Field(default_factory=Backhaul)
    cloud: Cloud | None = None
    compute: Compute = Field(default_factory=Compute)
    energy: Energy = Field(default_factory=Energy)
    tasks: Tasks = Field(default_factory=Tasks)
    decisions: Decisions = Field(
        default_factory=PeriodicDecisions,
        description="When tasks are decided, on what, and what a policy controls; periodic by default.",
    )
    keys: Keys | None = Field(None, description="Quantum key distribution; null: transfers need no keys.")
    ledger: Ledger | None = Field(None, description="A chain of blocks that the sites vote on; null: none.")
    twin: Twin | None = Field(None, description="A digital twin of vehicles and sites; null: none.")
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
        if self.twin is None and self.decisions.observation != "truth":
            raise ValueError(
                f"decisions.observation={self.decisions.observation} needs a twin; add a twin: section or use truth"
            )
        return self


_EXTENDED: Final = "ScenarioOfPackages"


def scenario_model() -> type[Scenario]:
    """Return `Scenario` with the sections that installed packages bring.

    Raises:
        InputError: a package cannot be imported, or its section is none or has the name of another.
    """
    return _extended(outside())


@cache
def _extended(subjects: tuple[Subject, ...]) -> type[Scenario]:
    if not subjects:
        return Scenario
    added: dict[str, Any] = {}
    for subject in subjects:
        section = subject.piece("section")
        if not (isinstance(section, type) and issubclass(section, Section)):
            raise InputError(
                f"section {subject.name} ({subject.section}) is no cosim.scenario.section.Section; "
                "correct the package that brings it"
            )
        if hasattr(Scenario, subject.name) or subject.name in Scenario.model_fields:
            raise InputError(
                f"section {subject.name} ({subject.section}) has the name of one of cosim's own; "
                "rename it in the package that brings it"
            )
        added[subject.name] = (section | None, Field(None, description=" ".join((section.__doc__ or "").split())))
    model: type[Scenario] = create_model("Scenario", __base__=Scenario, __doc__=Scenario.__doc__, **added)
    model.__module__, model.__qualname__ = __name__, _EXTENDED  # where another process finds it, by `__getattr__`
    return model


def __getattr__(name: str) -> Any:
    """Give pickle the model with the sections of packages, which no name of this module holds."""
    if name == _EXTENDED:
        return scenario_model()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def known_part(stored: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Split a stored scenario into what this installation knows and the names of the sections that it does not.

    Only a package that is not installed here, or a newer cosim, can have brought those.

    Raises:
        ValueError: it is no mapping.
    """
    if not isinstance(stored, Mapping):
        raise ValueError("is no mapping")
    fields = scenario_model().model_fields
    return {name: value for name, value in stored.items() if name in fields}, tuple(sorted(stored.keys() - fields))
