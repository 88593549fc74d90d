"""The traffic of a scenario: the source of the vehicles, and the sites of the roadside units."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from cosim.scenario.section import Distribution, Name, NonNegative, Positive, Real, Section, Whole


class _Traffic(Section):
    step_s: Positive = Field(
        1.0, ge=0.001, le=60, description="Tick: positions are read this often. SUMO's own default step is 1 s."
    )
    begin_s: NonNegative = Field(
        0.0,
        description="Traffic time at which the run's clock starts; SUMO drives the traffic before it without tasks.",
    )
    scale: Positive = Field(1.0, le=100, description="Multiplies the demand (SUMO --scale).")
    max_vehicles: Whole | None = Field(
        None, gt=0, description="Upper bound of vehicles at once (SUMO --max-num-vehicles)."
    )
    teleport_s: Real = Field(
        300.0,
        ge=-1,
        description="A vehicle that waits longer is teleported (SUMO --time-to-teleport, its default 300; -1: never).",
    )
    cache: bool = Field(
        True,
        description="Keep what was computed of the traffic for the next use of the same map, demand and seed.",
    )


class LibsumoMobility(_Traffic):
    """SUMO inside this process: the default and the fastest live source."""

    kind: Literal["libsumo"] = "libsumo"


class TraciMobility(_Traffic):
    """SUMO in a process of its own, over a socket."""

    kind: Literal["traci"]
    port: Whole | None = Field(None, ge=1, le=65535, description="TCP port; a free one by default.")
    timeout_s: Positive = Field(60.0, description="An answer that takes longer ends the run.")
    gui: bool = Field(False, description="Watch the traffic in sumo-gui, which needs a display (`cosim run --gui`).")


class ReplayMobility(Section):
    """A recording in place of SUMO: cosim's own Parquet, or SUMO's FCD output as XML, CSV or Parquet."""

    kind: Literal["replay"]
    file: Name | None = Field(
        None, description="Path of the recording, relative to the scenario file; the map's own by default."
    )
    step_s: Positive = Field(
        1.0, ge=0.001, le=60, description="Tick; the recording must hold a row per vehicle at each."
    )
    begin_s: NonNegative = Field(
        0.0, description="Recorded time at which the run's clock starts; 0: the recording's own start."
    )


class SyntheticMobility(Section):
    """Straight parallel roads without SUMO: vehicles at constant speed, for tests and first experiments."""

    kind: Literal["synthetic"]
    step_s: Positive = Field(1.0, ge=0.001, le=60, description="Tick.")
    vehicles: Whole = Field(10, ge=0, le=100_000, description="Vehicles on the road at once.")
    roads: Whole = Field(1, ge=1, le=1000, description="Parallel roads, one above the other.")
    length_m: Positive = Field(1000.0, description="Length of each road.")
    spacing_m: NonNegative = Field(50.0, description="Distance between parallel roads.")
    speed_mps: Distribution = Field(15.0, description="Of each vehicle, drawn as it enters and kept.")
    reenter: bool = Field(True, description="A vehicle that reaches the end is replaced by a new one at the start.")
    placement: Literal["even", "random"] = Field(
        "even", description="Where vehicles start: at equal distances, or at random."
    )


Mobility: TypeAlias = Annotated[
    LibsumoMobility | TraciMobility | ReplayMobility | SyntheticMobility, Field(discriminator="kind")
]


class Site(Section):
    """One roadside unit, placed by hand."""

    name: Name = Field(description="As facts, keys and ledger call it.")
    x_m: Real = Field(description="Position in the map's own coordinates.")
    y_m: Real = Field(description="Position in the map's own coordinates.")
    cores: Whole | None = Field(
        None, ge=0, le=1_000_000, description="Overrides compute.edge.cores at this site; 0: radio only, no edge host."
    )
    core_hz: Positive | None = Field(None, description="Overrides compute.edge.core_hz at this site.")


class ListedSites(Section):
    """Sites placed by hand."""

    kind: Literal["listed"]
    sites: Annotated[tuple[Site, ...], Field(min_length=1)] = Field(
        description="The roadside units, each with a name of its own."
    )

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
    max_count: Whole | None = Field(None, gt=0, description="Most sites; null: as many as fit.")


class GridSites(Section):
    """Sites on a square grid over the map's bounding box."""

    kind: Literal["grid"]
    spacing_m: Positive = Field(description="Between neighbours of a row or column.")


class MapSites(Section):
    """The sites of the map folder's sites.yaml."""

    kind: Literal["map"]


Sites: TypeAlias = Annotated[ListedSites | RoadSites | GridSites | MapSites, Field(discriminator="kind")]
