"""Occupancy of a map: the number of vehicles on it over time, measured by SUMO without cosim."""

import tempfile
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Final

import numpy as np

from cosim.mobility.programs import run_program
from cosim.roads.xmlscan import scan_xml
from cosim.types import FloatArray

HELD_S: Final = 600.0
"""Time for which a number of vehicles at once has to hold."""
BAND: Final = 0.15
"""Deviation from a wanted number that is taken for it."""
_MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class OccupancyCurve:
    """The number of vehicles at once, one value for each second."""

    time_s: FloatArray
    running: FloatArray


def occupancy_curve(net: Path, routes: Path, end_s: float, most: int | None = None) -> OccupancyCurve:
    """Return the number of vehicles at once at each second of a run of SUMO that starts empty at 0 s.

    Args:
        net: net of the map.
        routes: file of its demand.
        end_s: traffic time at which the run ends.
        most: vehicles at once beyond which none is inserted, which bounds the time a jam takes; None: no bound.

    Raises:
        InputError: SUMO refuses the map; the message is SUMO's.
    """
    with tempfile.TemporaryDirectory() as folder:
        summary = Path(folder) / "summary.xml"
        options = ["--net-file", str(net), "--route-files", str(routes), "--end", f"{end_s:g}"]
        if most is not None:
            options += ["--max-num-vehicles", str(most)]
        options += ["--xml-validation", "never", "--xml-validation.net", "never", "--no-step-log", "true"]
        options += ["--no-warnings", "true", "--summary-output", str(summary)]
        run_program("sumo", options, "trying the map")
        return _read(summary)


def settled(curve: OccupancyCurve) -> tuple[float, float]:
    """Return from when on the number is as large as at the end of the curve, and its mean in the ten minutes after.

    The number at the end is the mean of the last third, at most ten minutes; a number counts as the mean of a minute.
    """
    if not len(curve.running):
        return 0.0, 0.0
    level = float(curve.running[-max(1, min(int(HELD_S), len(curve.running) // 3)) :].mean())
    total = np.concatenate(([0.0], np.cumsum(curve.running)))
    minute = min(_MINUTE_S, len(curve.running))
    full = (total[minute:] - total[:-minute]) / minute >= 0.95 * level
    first = int(np.argmax(full)) if full.any() else len(full) - 1
    return float(curve.time_s[first]), float(curve.running[first : first + int(HELD_S)].mean())


def held(curve: OccupancyCurve, wanted: float) -> tuple[float, float] | None:
    """Return begin and mean of the ten minutes nearest to a wanted number that stay in its band; None without any."""
    band = _band(wanted)
    windows = [one for one in _windows(curve) if abs(one[1] - wanted) <= BAND * wanted]
    fits = [one for one in windows if one[2] >= (1 - band) * wanted and one[3] <= (1 + band) * wanted]
    best = min(fits, key=lambda one: (round(abs(one[1] - wanted) / wanted, 2), one[0]), default=None)
    return None if best is None else (best[0], best[1])


def _band(wanted: float) -> float:
    """Return the tolerated deviation: 15 %, or below 400 vehicles three standard deviations of a Poisson number."""
    return max(BAND, 3.0 / sqrt(max(wanted, 1.0)))


def best_held(curve: OccupancyCurve, most: float) -> tuple[float, float]:
    """Return begin and mean of the ten minutes with the most vehicles that stay in the band around their mean.

    Ten minutes that come near `most`, the bound at which SUMO inserts no more vehicles, do not count: there the bound
    holds the number, not the net.
    """
    free = [one for one in _windows(curve) if one[3] < 0.98 * most]
    steady = [one for one in free if abs(one[2] - one[1]) <= _band(one[1]) * one[1] >= one[3] - one[1]]
    best = max(steady, key=lambda one: one[1], default=(0.0, 0.0))
    return best[0], best[1]


def _windows(curve: OccupancyCurve) -> list[tuple[float, float, float, float]]:
    """Return begin, mean, least and most of windows of ten minutes, one every 10 s."""
    starts = range(0, max(0, len(curve.running) - int(HELD_S)), 10)
    parts = [(k, curve.running[k : k + int(HELD_S)]) for k in starts]
    return [(float(curve.time_s[k]), float(part.mean()), float(part.min()), float(part.max())) for k, part in parts]


def _read(summary: Path) -> OccupancyCurve:
    rows: list[tuple[float, float]] = []

    def on_element(name: str, attributes: dict[str, str]) -> None:
        if name == "step":
            rows.append((float(attributes["time"]), float(attributes["running"])))

    scan_xml(summary, on_element, "try again")
    table = np.array(rows, dtype=np.float64).reshape(-1, 2)
    return OccupancyCurve(table[:, 0], table[:, 1])
