"""Occupancy of a map: the number of vehicles on it over time, measured by SUMO without cosim."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cosim.mobility.programs import run_program
from cosim.roads.xmlscan import scan_xml
from cosim.types import FloatArray


@dataclass(frozen=True, slots=True)
class OccupancyCurve:
    """The number of vehicles at once, one value for each second."""

    time_s: FloatArray
    running: FloatArray


def occupancy_curve(
    net: Path, routes: tuple[Path, ...], additional: tuple[Path, ...], begin_s: float, end_s: float, most: int | None
) -> OccupancyCurve:
    """Return the number of vehicles at once at each second of a run of SUMO.

    Args:
        net: net of the map.
        routes: files of its demand.
        additional: its additional files.
        begin_s: traffic time at which the run starts, empty.
        end_s: traffic time at which it ends.
        most: vehicles at once beyond which none is inserted, which bounds the time a jam takes; None: no bound.

    Raises:
        InputError: SUMO refuses the map; the message is SUMO's.
    """
    with tempfile.TemporaryDirectory() as folder:
        summary = Path(folder) / "summary.xml"
        options = ["--net-file", str(net), "--begin", f"{begin_s:g}", "--end", f"{end_s:g}"]
        if routes:
            options += ["--route-files", ",".join(map(str, routes))]
        if additional:
            options += ["--additional-files", ",".join(map(str, additional))]
        if most is not None:
            options += ["--max-num-vehicles", str(most)]
        options += ["--xml-validation", "never", "--xml-validation.net", "never", "--no-step-log", "true"]
        options += ["--no-warnings", "true", "--summary-output", str(summary)]
        run_program("sumo", options, "trying the map")
        return _read(summary)


def _read(summary: Path) -> OccupancyCurve:
    rows: list[tuple[float, float]] = []

    def on_element(name: str, attributes: dict[str, str]) -> None:
        if name == "step":
            rows.append((float(attributes["time"]), float(attributes["running"])))

    scan_xml(summary, on_element, "try again")
    table = np.array(rows, dtype=np.float64).reshape(-1, 2)
    return OccupancyCurve(table[:, 0], table[:, 1])
