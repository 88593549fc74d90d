"""Reads tracks of GPS loggers and the like: tables with id, time, lat, lon (or x, y), speed under their usual names."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from cosim.mobility.columns import Role, TrackColumn, find_columns
from cosim.mobility.foreign import UNKNOWN_TYPE, clock_seconds
from cosim.mobility.units import geographic, grid_north_deg
from cosim.roads.projection import LocalProjection, Projection
from cosim.types import BoolArray, FloatArray, IntArray

ONE_VEHICLE: Final = "vehicle"
"""Id of the vehicle of a table without ids."""
_MISSING: Final = frozenset({"", "nan", "na", "n/a", "null", "none", "-"})
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_DAY = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}")
_EPOCHS: Final = ((1e17, 1e-9, "ns"), (1e14, 1e-6, "us"), (1e11, 1e-3, "ms"), (1e8, 1.0, "s"))


@dataclass(frozen=True, slots=True)
class Fixes:
    """Positions of vehicles at times of their own, by vehicle, then time."""

    vehicle: IntArray
    """(F,) index in `names`."""
    time_s: FloatArray
    """(F,) since the first fix of all."""
    xy_m: FloatArray
    """(F, 2) positions."""
    speed_mps: FloatArray
    """(F,) speeds, NaN where there is none."""
    heading_deg: FloatArray
    """(F,) headings, clockwise from north, NaN where there is none."""
    names: tuple[tuple[str, str], ...]
    """Id and vType of each vehicle, sorted by id."""
    speed_unit_given: bool
    """Whether the speeds' unit is known; else it is to be told from the movement."""
    projection: Projection | LocalProjection | None
    """Projection of positions that were in degrees."""
    notes: tuple[tuple[str, str], ...]
    """Remarks for the report: what, and how many."""


def read_tracks(table: pa.Table, net: Path | None) -> Fixes:
    """Return the fixes of a table, in any order of its rows.

    Rows without id, time or position, at latitude and longitude 0 (a logger without a fix), and all but one of those of
    a vehicle at one time are dropped, and counted in the notes.

    Args:
        table: columns of text or numbers.
        net: net on which the vehicles drive, whose projection is taken; None: a local one.

    Raises:
        ValueError: a column is missing, or a value cannot be understood.
        InputError: the positions are in degrees, and the net has no UTM.
    """
    columns, others = find_columns(table.column_names)
    degrees = "lat" in columns and "lon" in columns
    lacking = [] if "time" in columns else ["time"]
    lacking += [] if degrees or ("x" in columns and "y" in columns) else ["lat and lon, or x and y"]
    if lacking:
        raise ValueError(f"no column of {' nor of '.join(lacking)}; name them in the first line (id, time, lat, lon)")
    read = _Reader(table, columns)
    time_s, begin = read.times()
    pair = (read.numbers("lon"), read.numbers("lat")) if degrees else (read.numbers("x"), read.numbers("y"))
    places = np.column_stack(pair)
    ids = read.texts("id") if "id" in columns else [ONE_VEHICLE] * len(time_s)
    complete = np.isfinite(time_s) & np.isfinite(places).all(axis=1) & np.array([bool(name) for name in ids], np.bool_)
    no_fix = complete & degrees & (places == 0.0).all(axis=1)
    kept = np.flatnonzero(complete & ~no_fix)
    if not len(kept):
        raise ValueError("no row has a vehicle, a time and a position; correct the file")
    projection = geographic(places[kept, 1], places[kept, 0], net) if degrees else None
    if projection is not None:
        xy_m = projection.all_xy_m(places[kept, 1], places[kept, 0])
    else:
        xy_m = places[kept] * [read.factor("x", 1.0), read.factor("y", 1.0)]
    known = sorted({ids[k] for k in kept})
    rank = {name: k for k, name in enumerate(known)}
    vehicle = np.array([rank[ids[k]] for k in kept], dtype=np.int64)
    speed_mps = read.numbers("speed")[kept] * read.factor("speed", 1.0)
    heading_deg = read.numbers("heading")[kept] * read.factor("heading", 1.0)
    if projection is not None:
        heading_deg = heading_deg + grid_north_deg(projection, places[kept, 1], places[kept, 0])
    time_s = time_s[kept] - time_s[kept].min()
    # Every column takes part, so that the order of the rows makes no difference.
    order = np.lexsort((heading_deg, speed_mps, *xy_m.T, time_s, vehicle))
    same = (np.diff(vehicle[order]) == 0) & (np.diff(time_s[order]) == 0)
    order = order[np.concatenate(([True], ~same))]
    kinds = _kinds(read, ids, kept[order], known)
    dropped = (
        (int((~complete).sum()), "rows without vehicle, time or position"),
        (int(no_fix.sum()), "rows at latitude and longitude 0, where a logger had no fix"),
        (int(same.sum()), "rows that repeat a vehicle's time"),
    )
    notes = [("dropped", f"{count} {what}") for count, what in dropped if count]
    notes += [("left out", f"column {name}") for name in others]
    notes += [] if "id" in columns else [("vehicles", "one, as no column names them")]
    notes += [("time", begin)] if begin else []
    return Fixes(
        vehicle[order],
        time_s[order],
        xy_m[order],
        speed_mps[order],
        heading_deg[order],
        tuple(zip(known, kinds, strict=True)),
        "speed" in columns and columns["speed"].factor is not None,
        projection,
        tuple(notes),
    )


def _kinds(read: "_Reader", ids: list[str], rows: IntArray, known: list[str]) -> list[str]:
    """Return the vType of each vehicle at its first row, in order of time."""
    if not read.has("type"):
        return [UNKNOWN_TYPE] * len(known)
    texts = read.texts("type")
    kinds: dict[str, str] = {}
    for k in rows.tolist():
        if texts[k]:
            kinds.setdefault(ids[k], texts[k])
    return [kinds.get(name, UNKNOWN_TYPE) for name in known]


class _Reader:
    """Values of a table by what they mean; a value that cannot be understood is named with its row."""

    def __init__(self, table: pa.Table, columns: dict[Role, TrackColumn]) -> None:
        self._table = table
        self._columns = columns

    def has(self, role: Role) -> bool:
        return role in self._columns

    def factor(self, role: Role, default: float) -> float:
        column = self._columns.get(role)
        return default if column is None or column.factor is None else column.factor

    def numbers(self, role: Role) -> FloatArray:
        """Return a column of numbers; NaN where there is none, or no such column."""
        if role not in self._columns:
            return np.full(self._table.num_rows, np.nan)
        column = self._table[self._columns[role].name]
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            return np.asarray(column.to_pandas(), dtype=np.float64)
        return self._converted(role, _number)

    def texts(self, role: Role) -> list[str]:
        """Return a column of text; "" where there is none."""
        values = self._table[self._columns[role].name].to_pylist()
        texts = ["" if value is None else str(value).strip() for value in values]
        return ["" if text.lower() in _MISSING else text for text in texts]

    def times(self) -> tuple[FloatArray, str]:
        """Return times in s, NaN where there is none, and what they are, empty for seconds from some 0."""
        column = self._table[self._columns["time"].name]
        if pa.types.is_timestamp(column.type):
            # Integers of nanoseconds since 1970, whatever the unit; a missing time is the smallest integer.
            stamps = pd.DatetimeIndex(pd.to_datetime(column.to_pandas(), utc=True)).as_unit("ns")
            return _seconds_of(stamps), f"by the clock, from {_least(stamps)} on"
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            return self._counted(np.asarray(column.to_pandas(), dtype=np.float64))
        texts = self.texts("time")
        if self.has("date"):
            days = self.texts("date")
            texts = [f"{day}T{text}" if day and text else "" for day, text in zip(days, texts, strict=True)]
        filled = [text for text in texts if text]
        if filled and _DAY.match(filled[0]):
            given = pd.Series([text.replace("/", "-") or None for text in texts], dtype="object")
            stamps = pd.DatetimeIndex(pd.to_datetime(given, format="ISO8601", utc=True, errors="coerce")).as_unit("ns")
            bad = next((k for k in np.flatnonzero(stamps.isna()).tolist() if texts[k]), None)
            if bad is not None:
                raise ValueError(
                    f"row {bad + 1}: time={texts[bad]!r} is no ISO 8601 time as in its other rows; correct it"
                )
            return _seconds_of(stamps), f"by the clock, from {_least(stamps)} on"
        return self._counted(self._converted("time", _seconds))

    def _counted(self, values: FloatArray) -> tuple[FloatArray, str]:
        """Return numbers of a time column in s: epochs in s, ms, us or ns are known by their size."""
        given = self._columns["time"].factor
        finite = values[np.isfinite(values)]
        least = finite.min() if len(finite) else 0.0
        factor, unit = next(((f, unit) for size, f, unit in _EPOCHS if least >= size), (1.0, ""))
        factor = given or factor
        told = ""
        if unit:
            begin = pd.Timestamp(round(least * factor * 1e3), unit="ms", tz="UTC")
            told = f"epoch in {unit}, from {begin.isoformat()} on"
        elif len(finite) and least:
            told = f"from {least * factor:g} s on, which is the recording's 0"
        return (values - least) * factor, told  # subtracted first: nanoseconds since 1970 have 19 digits

    def _converted(self, role: Role, convert: Callable[[str], float]) -> FloatArray:
        texts = self.texts(role)
        values = np.empty(len(texts))
        for k, text in enumerate(texts):
            try:
                values[k] = convert(text) if text else np.nan
            except ValueError as error:
                raise ValueError(f"row {k + 1}: {role}={text!r} {error}; correct or empty it") from error
        return values


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError("is no number")
    return float(text.replace(",", "."))


def _seconds(text: str) -> float:
    if _NUMBER.fullmatch(text):
        return float(text.replace(",", "."))
    try:
        return clock_seconds(text)
    except ValueError as error:
        raise ValueError("is no time in seconds, no epoch and no ISO 8601 (2026-02-01T15:36:08)") from error


def _seconds_of(stamps: pd.DatetimeIndex) -> FloatArray:
    known: BoolArray = ~np.asarray(stamps.isna())
    counted = stamps.asi8
    seconds = np.full(len(stamps), np.nan)
    if known.any():
        seconds[known] = (counted[known] - counted[known].min()) / 1e9
    return seconds


def _least(stamps: pd.DatetimeIndex) -> str:
    least = stamps.min()
    return "no time" if pd.isna(least) else str(least.isoformat())
