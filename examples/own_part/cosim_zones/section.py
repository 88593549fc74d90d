"""The section `zones` of a scenario."""

from typing import Annotated

from pydantic import Field, model_validator

from cosim.scenario.section import Name, NonNegative, Positive, Real, Section


class Zone(Section):
    """A disc on the map."""

    name: Name
    x_m: Real
    y_m: Real
    radius_m: Positive = 100.0


class Zones(Section):
    """Vehicles in zones are counted, and each count is sent to a collector: the cloud, or the first site."""

    zones: Annotated[tuple[Zone, ...], Field(min_length=1)]
    period_s: Positive = Field(1.0, description="Time between the counts of a zone.")
    report_bit: NonNegative = Field(8e3, description="Size of a report.")
    patience_s: Positive = Field(0.5, description="A report that has not come by then is given up.")

    @model_validator(mode="after")
    def _distinct(self) -> "Zones":
        names = [zone.name for zone in self.zones]
        doubled = next((name for name in names if names.count(name) > 1), None)
        if doubled is not None:
            raise ValueError(f"two zones are called {doubled}; give each a name of its own")
        return self
