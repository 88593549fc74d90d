"""Recordings in map folders: of the map's own traffic, or of vehicles alone, without any roads."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.errors import InputError
from cosim.mobility.catalog import own_folder, resolve_map
from cosim.mobility.fcd import RecordedMobility
from cosim.mobility.foreign import FcdTable, read_csv, read_parquet, read_xml
from cosim.mobility.record import record_frames
from cosim.parquet import open_literally
from cosim.scenario.schema import Scenario
from cosim.scenario.traffic import LibsumoMobility, ReplayMobility


def import_recording(file: Path, home: Path) -> tuple[dict[str, str | float], float, list[tuple[str, str]]]:
    """Write SUMO's FCD output as `recording.parquet` of a map folder.

    Returns:
        The scenario's mobility section, the time from its begin to the end of the recording in s, and lines for the
        report.

    Raises:
        InputError: the file is broken, or holds one time only.
    """
    table = _table(file)
    times_s = np.unique(table.time_s)
    if len(times_s) < 2:
        raise InputError(f"{file.name}: it holds one time only; record some seconds")
    step_s = float(np.round(np.diff(times_s).min(), 6))
    begin_s, duration_s = float(times_s[0]), float(times_s[-1] - times_s[0])
    section = ReplayMobility(kind="replay", file=file.name, step_s=step_s, begin_s=begin_s)
    with closing(RecordedMobility(file, section, duration_s)) as source:
        rows = record_frames(source, duration_s, home / "recording.parquet")
    lines = [("recorded", f"{rows} positions, {duration_s:g} s, each {step_s:g} s"), ("roads", "none; runs replay it")]
    mobility: dict[str, str | float] = {"kind": "replay", "file": "recording.parquet", "step_s": step_s}
    empty_s = float(table.time_s[table.vehicle >= 0].min(initial=np.inf)) - begin_s
    if 0.0 < empty_s < duration_s:
        mobility["begin_s"] = round(empty_s, 6)
        lines.append(("first vehicle", f"after {empty_s:g} s; the first run begins there"))
        return mobility, duration_s - empty_s, lines
    return mobility, duration_s, lines


def map_recording(name: str, seconds: float, seed: int) -> tuple[Scenario, Path, Path]:
    """Return what `cosim map record MAP` records: a scenario with the map's traffic, its folder, and the file to write.

    The traffic begins when the map is full.

    Args:
        name: the map, a folder of the user's own.
        seconds: length of the recording.
        seed: seed of the traffic.

    Raises:
        InputError: it is no map folder of the user's own.
    """
    home = own_folder(name, Path())
    if home is None:
        raise InputError(f"map={name}: is no map folder of yours; name one, or record a scenario into a FILE")
    files = resolve_map(name, Path())
    mobility = LibsumoMobility(begin_s=files.begin_s, **dict(files.traffic))
    scenario = Scenario(name=home.name, map=name, duration_s=seconds, seed=seed, mobility=mobility)
    return scenario, Path(), home / "recording.parquet"


def _table(file: Path) -> FcdTable:
    name = file.name.removesuffix(".gz")
    try:
        if name.endswith(".csv"):
            return read_csv(file)
        if name.endswith(".parquet"):
            with open_literally(file) as opened:
                return read_parquet(pq.read_table(opened))
        return read_xml(file)
    except (pa.ArrowException, ValueError, KeyError, OSError, EOFError) as error:
        raise InputError(f"{file.name}: {' '.join(str(error).split())}; write FCD with x, y, speed, angle") from error
