"""Recordings in map folders: of the map's own traffic, or of vehicles alone, without any roads."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from cosim.errors import InputError
from cosim.mobility.catalog import own_folder, resolve_map
from cosim.mobility.fcd import RecordedMobility
from cosim.mobility.foreign_file import read_foreign
from cosim.mobility.record import record_frames
from cosim.scenario.schema import Scenario
from cosim.scenario.traffic import LibsumoMobility, ReplayMobility


@dataclass(frozen=True, slots=True)
class ImportedRecording:
    """A recording that was made of another program's file."""

    mobility: dict[str, str | float]
    """The scenario's mobility section."""
    duration_s: float
    """Time from the begin of the section to the end of the recording."""
    projection: str
    """Projection of positions that were in degrees, "" for others."""
    report: tuple[tuple[str, str], ...]


def import_recording(file: Path, home: Path) -> ImportedRecording:
    """Write FCD, or tracks of GPS loggers, as `recording.parquet` of a map folder.

    Raises:
        InputError: the file is broken, its units are not known, or it holds one time only.
    """
    try:
        foreign = read_foreign(file, None, None)
    except (pa.ArrowException, ValueError, KeyError, OSError, EOFError) as error:
        raise InputError(f"{file.name}: {' '.join(str(error).split())}") from error
    times_s = np.unique(foreign.table.time_s)
    if len(times_s) < 2:
        raise InputError(f"{file.name}: it holds one time only; record some seconds")
    step_s = foreign.step_s
    begin_s, duration_s = float(times_s[0]), float(times_s[-1] - times_s[0])
    section = ReplayMobility(kind="replay", file=file.name, step_s=step_s, begin_s=begin_s)
    with closing(RecordedMobility(file, section, duration_s, foreign=foreign)) as source:
        rows = record_frames(source, duration_s, home / "recording.parquet")
    report = [("recorded", f"{rows} positions, {duration_s:g} s, each {step_s:g} s"), *foreign.notes]
    report += [("roads", "none; runs replay it"), ("driving side", "as the vehicles were recorded")]
    mobility: dict[str, str | float] = {"kind": "replay", "file": "recording.parquet", "step_s": step_s}
    table = foreign.table
    empty_s = float(table.time_s[table.vehicle >= 0].min(initial=np.inf)) - begin_s
    if 0.0 < empty_s < duration_s:
        mobility["begin_s"] = round(empty_s, 6)
        report.append(("first vehicle", f"after {empty_s:g} s; the first run begins there"))
        duration_s -= empty_s
    return ImportedRecording(mobility, duration_s, foreign.projection, tuple(report))


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
