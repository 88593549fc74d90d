"""Reads SUMO's FCD output, as XML, CSV or Parquet, into columns."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from cosim.mobility.frames import CENTI
from cosim.roads.packed import open_packed
from cosim.roads.xmlscan import scan_xml
from cosim.types import FloatArray, IntArray

_PREFIXED = {name: f"vehicle_{name}" for name in ("id", "x", "y", "speed", "angle", "type")}
_FARTHEST = 2.0**31 / CENTI
UNKNOWN_TYPE: Final = "DEFAULT_VEHTYPE"
"""vType of a vehicle whose own is not known, SUMO's default."""
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}):(\d{1,2}(?:\.\d*)?)")


@dataclass(frozen=True, slots=True)
class FcdTable:
    """SUMO's rows as columns, (rows,) each."""

    time_s: FloatArray
    """Traffic time."""
    vehicle: IntArray
    """Index in `names`; -1 in the row of an empty time step."""
    x_m: FloatArray
    y_m: FloatArray
    speed_mps: FloatArray
    heading_deg: FloatArray
    """Clockwise from north."""
    names: tuple[tuple[str, str], ...]
    """Id and vType of each vehicle, sorted by id."""


def clock_seconds(text: str) -> float:
    """Return a time in s, written as a number or as SUMO's --human-readable-time has it.

    Raises:
        ValueError: it is neither.

    >>> clock_seconds("01:02:03.5"), clock_seconds("1:00:00:00"), clock_seconds("7.5")
    (3723.5, 86400.0, 7.5)
    """
    clock = _CLOCK.fullmatch(text.strip())
    if clock is None:
        return float(text)
    days, hours, minutes, seconds = clock.groups()
    return int(days or 0) * 86400.0 + int(hours) * 3600.0 + int(minutes) * 60.0 + float(seconds)


def read_csv(path: Path, delimiter: str, clock: bool) -> FcdTable:
    """Read `--fcd-output x.csv`: columns timestep_time, vehicle_id, vehicle_x and so on.

    Args:
        path: the file, gzipped if its name ends in .gz.
        delimiter: between two columns, a semicolon unless SUMO was asked for another.
        clock: whether times are written as HH:MM:SS.

    Raises:
        ValueError: a column is missing or a value is impossible; pyarrow's own errors name row and column.
    """
    numbers = [*(["timestep_time"] if not clock else []), *(_PREFIXED[name] for name in ("x", "y", "speed", "angle"))]
    texts = [_PREFIXED["id"], _PREFIXED["type"], *(["timestep_time"] if clock else [])]
    types = {**dict.fromkeys(numbers, pa.float64()), **dict.fromkeys(texts, pa.string())}
    with open_packed(path) as stream:
        table = csv.read_csv(
            stream,
            read_options=csv.ReadOptions(use_threads=False),  # only then do errors name the row
            parse_options=csv.ParseOptions(delimiter=delimiter),
            convert_options=csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""]),
        )
    if clock:
        times = pa.array([None if text is None else clock_seconds(text) for text in table["timestep_time"].to_pylist()])
        table = table.set_column(table.column_names.index("timestep_time"), "timestep_time", times.cast(pa.float64()))
    return read_parquet(table)


def read_parquet(table: pa.Table) -> FcdTable:
    """Read `--fcd-output x.parquet`: the columns of the CSV; the attribute type may be left out.

    Raises:
        ValueError: a column is missing or a value is impossible.
    """
    wanted = ["timestep_time", *(_PREFIXED[name] for name in ("id", "x", "y", "speed", "angle"))]
    missing = [name for name in wanted if name not in table.column_names]
    if missing:
        raise ValueError(f"column {missing[0]} is missing; write the FCD with x, y, speed and angle")
    ids = table[_PREFIXED["id"]].combine_chunks().dictionary_encode()
    code = np.asarray(pc.fill_null(ids.indices, -1)).astype(np.int64)
    known = [str(name) for name in ids.dictionary.to_pylist()]
    kinds = _types(table, code, len(known))
    columns = [pc.fill_null(table[name], np.nan).to_numpy().astype(np.float64) for name in wanted[2:]]
    return _checked(table["timestep_time"].to_numpy().astype(np.float64), code, columns, known, kinds, "row")


def read_xml(path: Path) -> FcdTable:
    """Read `--fcd-output x.xml`; persons are left out.

    Raises:
        InputError: the file is not XML or an attribute is missing; the line is named.
        ValueError: a value is impossible.
    """
    times: list[float] = []
    codes: list[int] = []
    measures: list[tuple[float, float, float, float]] = []
    known: dict[str, int] = {}
    kinds: list[str] = []
    time_s = np.nan

    def on_element(name: str, attributes: dict[str, str]) -> None:
        nonlocal time_s
        if name == "timestep":
            time_s = clock_seconds(attributes["time"])
            times.append(time_s)
            codes.append(-1)
            measures.append((np.nan,) * 4)
        elif name == "vehicle":
            code = known.setdefault(attributes["id"], len(known))
            if code == len(kinds):
                kinds.append(attributes.get("type", UNKNOWN_TYPE))
            times.append(time_s)
            codes.append(code)
            x, y, speed, angle = (float(attributes[key]) for key in ("x", "y", "speed", "angle"))
            measures.append((x, y, speed, angle))

    scan_xml(path, on_element, "write the FCD again with x, y, speed and angle")
    if not times:
        raise ValueError("there is no <timestep>, so this is not SUMO's FCD output; use --fcd-output")
    columns = list(np.array(measures, dtype=np.float64).T)
    code = np.array(codes, dtype=np.int64)
    return _checked(np.array(times), code, columns, list(known), kinds, "entry")


def _types(table: pa.Table, code: IntArray, vehicles: int) -> list[str]:
    """Return the vType of each vehicle at its first row."""
    name = _PREFIXED["type"]
    if name not in table.column_names:
        return [UNKNOWN_TYPE] * vehicles
    present, first = np.unique(code, return_index=True)
    chosen = table[name].take(pa.array(first[present >= 0])).to_pylist()
    return [UNKNOWN_TYPE if kind is None else str(kind) for kind in chosen]


def _checked(
    time_s: FloatArray, code: IntArray, columns: list[FloatArray], known: list[str], kinds: list[str], row: str
) -> FcdTable:
    """Return the table with vehicles in order of their ids, after a check that every value is a finite number."""
    for name, column in zip(("x", "y", "speed", "angle"), columns, strict=True):
        bad = np.flatnonzero((code >= 0) & ~(np.abs(column) < _FARTHEST))
        if len(bad):
            k = int(bad[0])
            raise ValueError(f"{row} {k + 1}: {name}={column[k]:g} of vehicle {known[code[k]]}; correct or drop it")
    untimed = np.flatnonzero(~np.isfinite(time_s))
    if len(untimed):
        raise ValueError(f"{row} {int(untimed[0]) + 1}: it has no time; correct or drop it")
    order = sorted(range(len(known)), key=known.__getitem__)
    rank = np.empty(len(known) + 1, dtype=np.int64)
    rank[order] = np.arange(len(known))
    rank[-1] = -1  # the code of an empty time step
    names = tuple((known[k], kinds[k]) for k in order)
    x_m, y_m, speed_mps, heading_deg = columns
    return FcdTable(time_s, rank[code], x_m, y_m, speed_mps, heading_deg, names)
