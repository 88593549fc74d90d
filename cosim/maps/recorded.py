"""A map of recorded vehicles alone: where they went, and no roads."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.errors import InputError
from cosim.mobility.fcd import RecordedMobility
from cosim.mobility.foreign import FcdTable, read_csv, read_parquet, read_xml
from cosim.mobility.record import record
from cosim.scenario.traffic import ReplayMobility


def import_recording(file: Path, home: Path) -> tuple[dict[str, str | float], float, list[tuple[str, str]]]:
    """Writes SUMO's FCD output as `recording.parquet`; the scenario's mobility section, its length and the report.

    Raises:
        InputError: it is broken.
    """
    times_s = np.unique(_table(file).time_s)
    if len(times_s) < 2:
        raise InputError(f"{file.name}: it holds one time only; record some seconds")
    step_s = float(np.round(np.diff(times_s).min(), 6))
    begin_s, duration_s = float(times_s[0]), float(times_s[-1] - times_s[0])
    section = ReplayMobility(kind="replay", file=file.name, step_s=step_s, begin_s=begin_s)
    with closing(RecordedMobility(file, section, duration_s)) as source:
        rows = record(source, duration_s, home / "recording.parquet")
    told = [("recorded", f"{rows} positions, {duration_s:g} s, each {step_s:g} s"), ("roads", "none; runs replay it")]
    return {"kind": "replay", "file": "recording.parquet", "step_s": step_s}, duration_s, told


def _table(file: Path) -> FcdTable:
    name = file.name.removesuffix(".gz")
    try:
        if name.endswith(".csv"):
            return read_csv(file)
        return read_parquet(pq.read_table(file)) if name.endswith(".parquet") else read_xml(file)
    except (pa.ArrowException, ValueError, KeyError, OSError, EOFError) as error:
        raise InputError(f"{file.name}: {' '.join(str(error).split())}; write FCD with x, y, speed, angle") from error
