"""Recordings of other programs: SUMO's FCD output, and tables of tracks from GPS loggers, in metres."""

import csv as csv_lines
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from cosim.mobility.foreign import FcdTable, read_csv, read_parquet, read_xml
from cosim.mobility.resample import resampled, usual_step_s
from cosim.mobility.tracks import read_tracks
from cosim.mobility.units import in_metres
from cosim.parquet import open_literally
from cosim.quantity import digits
from cosim.roads.packed import open_packed
from cosim.roads.projection import LocalProjection, Projection

_HEAD_BYTES: Final = 1 << 16
_DELIMITERS: Final = ",;\t|"
_OF_SUMO: Final = frozenset(("timestep_time", "vehicle_id"))


@dataclass(frozen=True, slots=True)
class ForeignRecording:
    """The rows of a recording, and what was made of them."""

    table: FcdTable
    step_s: float
    """Least time between two rows, or that to which tracks are interpolated."""
    projection: str
    """Projection of positions that were in degrees, "" for others."""
    notes: tuple[tuple[str, str], ...]
    """Remarks for the report."""


def foreign_name(path: Path) -> str:
    """Return the format of a recording by its name, "xml", "csv" or "parquet", or "" for another name."""
    name = path.name.lower().removesuffix(".gz")
    return next((kind for kind in ("parquet", "csv", "xml") if name.endswith(f".{kind}")), "")


def read_foreign(path: Path, net: Path | None, step_s: float | None) -> ForeignRecording:
    """Return a recording of another program, in metres.

    Args:
        path: FCD as *.xml, *.csv or *.parquet; a table of tracks as *.csv or *.parquet; the first two also gzipped.
        net: net on which the vehicles drive, whose projection degrees get; None: they get one of their own.
        step_s: step to which tracks are interpolated; None: 1 s, or the usual time between two fixes if that is less.

    Raises:
        ValueError: a column is missing, or values cannot be understood or are in an unknown unit.
        InputError: the XML is broken, or positions are in degrees and the net has no UTM.
    """
    tracks: pa.Table | None = None
    match foreign_name(path):
        case "parquet":
            with open_literally(path) as file:
                given = pq.read_table(file)
            table = read_parquet(given) if set(given.column_names) >= _OF_SUMO else None
            tracks = given if table is None else None
        case "csv":
            names, delimiter, skipped, clock = _head(path)
            table = read_csv(path, delimiter, clock) if set(names) >= _OF_SUMO else None
            tracks = _texts(path, names, delimiter, skipped) if table is None else None
        case _:
            table = read_xml(path)
    if table is not None:
        return _fcd(table, net)
    fixes = read_tracks(tracks, net)
    step_s = step_s or usual_step_s(fixes)
    rows, notes = resampled(fixes, step_s)
    told, projection = _told(fixes.projection, rows)
    told += [] if fixes.projection is not None else [("positions", "x and y in m")]
    return ForeignRecording(rows, step_s, projection, (*notes, *fixes.notes, *told))


def _fcd(table: FcdTable, net: Path | None) -> ForeignRecording:
    table, projection, remark = in_metres(table, net)
    told, text = _told(projection, table)
    told += [("positions", remark)] if remark else []
    apart_s = np.diff(np.unique(table.time_s))
    return ForeignRecording(table, float(np.round(apart_s.min(initial=np.inf), 6)), text, tuple(told))


def _told(projection: Projection | LocalProjection | None, table: FcdTable) -> tuple[list[tuple[str, str]], str]:
    if projection is None:
        return [], ""
    told = f"longitude and latitude, projected to m by {projection}"
    if isinstance(projection, LocalProjection):
        real = table.vehicle >= 0
        excess = projection.excess(np.column_stack((table.x_m, table.y_m))[real])
        told += f"; lengths are at most {digits(1e6 * excess)} mm a km too long"
    return [("positions", told)], str(projection)


def _head(path: Path) -> tuple[list[str], str, int, bool]:
    """Return the columns of a CSV, its delimiter, the lines before its first row, and whether that has HH:MM:SS.

    Raises:
        ValueError: it has no line with columns.
    """
    with open_packed(path) as stream:
        lines = stream.read(_HEAD_BYTES).decode("utf-8-sig", errors="replace").splitlines()
    first = next((k for k, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
    if first is None:
        raise ValueError("it has no line with the names of columns; write id, time, lat, lon, speed")
    delimiter = max(_DELIMITERS, key=lines[first].count)
    names = [name.strip() for name in next(csv_lines.reader([lines[first]], delimiter=delimiter))]
    for k, name in enumerate(names):
        if name in names[:k]:
            names[k] = f"{name} ({k + 1})"
    return names, delimiter, first + 1, ":" in "".join(lines[first + 1 : first + 2]).split(delimiter)[0]


def _texts(path: Path, names: list[str], delimiter: str, skipped: int) -> pa.Table:
    with open_packed(path) as stream:
        return csv.read_csv(
            stream,
            read_options=csv.ReadOptions(column_names=names, skip_rows=skipped, use_threads=False),
            parse_options=csv.ParseOptions(delimiter=delimiter),
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
