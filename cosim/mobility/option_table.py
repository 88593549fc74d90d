"""SUMO's options by every name they have, as the installed SUMO lists them, and which of them a map may set."""

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cosim.mobility.programs import run_program
from cosim.roads.xmlscan import scan_xml

_FILE = "FILE"
_READ_TOPICS = ("input", "fcd_replay_device")
_READ = ("astar.all-distances", "astar.landmark-distances", "phemlight-path")
_WRITING_TOPICS = ("configuration", "output", "report", "gui_only", "traci_server")
_WRITTEN = ("device.ssm.file", "device.toc.file")  # files that SUMO's table calls texts
SET_BY_SCENARIO = ("begin", "end", "step-length", "seed", "scale", "time-to-teleport", "max-num-vehicles")
"""Options that a scenario sets in its own words; those of a configuration are an import's first values."""


@dataclass(frozen=True, slots=True)
class SumoOption:
    """One option of SUMO."""

    name: str
    """Its long name."""
    topic: str
    """Section of SUMO's table."""
    type: str
    """FILE, BOOL, TIME and so on."""

    @property
    def is_read(self) -> bool:
        """Whether its value names files that SUMO opens for reading and that can matter to the traffic."""
        return self.type == _FILE and (self.topic in _READ_TOPICS or self.name in _READ)

    @property
    def starts_from_state(self) -> bool:
        """Whether it has SUMO start from a saved state; cosim drives the traffic itself."""
        return self.name.startswith("load-state")

    @property
    def is_left_out(self) -> bool:
        """Whether cosim leaves it out: it writes, prints, or belongs to a window or a remote control."""
        return (
            self.topic in _WRITING_TOPICS
            or (self.type == _FILE and not self.is_read)
            or self.name in _WRITTEN
            or self.name == "random"
        )


@cache
def option_table() -> dict[str, SumoOption]:
    """Return SUMO's options by long name, short name and synonym.

    Raises:
        InputError: SUMO is not installed.
    """
    table: dict[str, SumoOption] = {}
    topic = ""

    def on_element(name: str, attributes: dict[str, str]) -> None:
        nonlocal topic
        if "type" not in attributes:
            topic = name
            return
        option = SumoOption(name, topic, attributes["type"])
        table.update(dict.fromkeys([name, *attributes.get("synonymes", "").split()], option))

    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "options.xml"
        run_program("sumo", ["--save-template", str(listed)], "SUMO's options")
        scan_xml(listed, on_element, "install eclipse-sumo again")
    return table
