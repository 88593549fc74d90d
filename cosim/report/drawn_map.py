"""The map under the figures of a run: from the run folder itself or, for a run of an older version, from where it lies.

What a run without its map shows is said in a line, never an error.
"""

import hashlib
import logging
from pathlib import Path
from typing import Final

import numpy as np

from cosim.errors import InputError
from cosim.mobility.ground import Ground, ground, map_of
from cosim.roads.drawn import GROUND, DrawnMap, unpack_map
from cosim.trace.store.reader import Trace
from cosim.types import FloatArray

logger = logging.getLogger(__name__)

NO_ROADS: Final = "The map has no roads: only sites and vehicles are drawn."


def ground_of(trace: Trace, points_m: FloatArray, folder: Path) -> tuple[Ground, str]:
    """Return the map of a run with the rectangle around all that is drawn, and a line about what is missing, or "".

    Args:
        trace: the run.
        points_m: (N, 2) positions of sites and the like; vehicles are seen to here.
        folder: folder from which a run that does not hold its map finds it, where that path is relative.
    """
    under, missing = _under(trace, folder)
    seen = trace.sql("SELECT min(x_m), min(y_m), max(x_m), max(y_m) FROM vehicle_moved").to_numpy(np.float64)
    corners = seen.reshape(2, 2)
    return ground(under, np.concatenate([points_m, corners[np.isfinite(corners).all(axis=1)]])), missing


def _under(trace: Trace, folder: Path) -> tuple[DrawnMap, str]:
    kept = trace.manifest.files
    if GROUND not in kept:
        return _from_elsewhere(trace, folder)
    try:
        content = (trace.run / GROUND).read_bytes()
        if hashlib.sha256(content).hexdigest() != kept[GROUND]:
            raise ValueError("not as it was written")
        under = unpack_map(content)
    except (OSError, ValueError) as error:
        missing = f"{GROUND} of this run is lost or damaged, so no roads are drawn; see cosim trace verify."
        logger.warning("%s: %s (%s)", trace.run, missing, error)
        return DrawnMap(trace.scenario.map, ()), missing
    return under, "" if under.roads_m else NO_ROADS


def _from_elsewhere(trace: Trace, folder: Path) -> tuple[DrawnMap, str]:
    """Return the map of a run of an older version, whose folder does not hold it."""
    name = trace.scenario.map
    try:
        under = map_of(trace.scenario, folder)
    except InputError as error:
        missing = f"This run folder holds no {GROUND}, as older runs, and map={name} is not found: no roads are drawn."
        logger.warning("%s: %s (%s)", trace.run, missing, error)
        return DrawnMap(name, ()), missing
    if trace.scenario.mobility.kind == "synthetic":
        return under, ""
    missing = f"This run folder holds no {GROUND}, as older runs: its roads are those that map={name} has now."
    logger.warning("%s: %s", trace.run, missing)
    return under, missing if under.roads_m else f"{missing} {NO_ROADS}"
