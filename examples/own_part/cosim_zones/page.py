"""The zones' panel of the report: its numbers, and the script that draws them."""

from importlib.resources import files
from typing import Any, Final

from cosim.report.series import Outcomes
from cosim.trace.store.reader import Trace

PANELS: Final = (files("cosim_zones") / "page.js").read_text(encoding="utf-8")


def series(trace: Trace, _over_time: Outcomes) -> dict[str, Any]:
    """Return the counts of each zone over time, in the order of the zones."""
    counted = trace.sql("SELECT name, zone, counted_s, vehicles FROM zone_counted JOIN zone_deployed USING (zone)")
    rows = counted.sort_values(["zone", "counted_s"]).groupby(["zone", "name"])
    return {
        "zones": [
            {"name": name, "counted_s": found.counted_s.to_numpy(), "vehicles": found.vehicles.to_numpy()}
            for (_, name), found in rows
        ]
    }
