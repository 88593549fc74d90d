"""Zones on the map: the vehicles in each are counted, and the counts sent to a collector over the run's own wires.

A part from outside cosim: `SUBJECT` names its pieces, and the entry point in pyproject.toml names `SUBJECT`.
"""

from cosim.subjects import Subject

SUBJECT = Subject(
    name="zones",
    facts="cosim_zones.facts:FACTS",
    section="cosim_zones.section:Zones",
    part="cosim_zones.part:ZoneCounter",
    rules="cosim_zones.rules:rules",
    end_rules="cosim_zones.rules:end_rules",
    figures="cosim_zones.figures:figures",
    definitions="cosim_zones.figures:DEFINITIONS",
    headline="cosim_zones.figures:HEADLINE",
    series="cosim_zones.page:series",
    panels="cosim_zones.page:PANELS",
)
