"""Arrivals from a CSV file, for tasks that were recorded elsewhere."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cosim.errors import InputError
from cosim.mobility.source import Entry
from cosim.tasks.arrivals import SIZES, Arrived, Fleet
from cosim.types import NOWHERE, FloatArray, IntArray

_NEEDED = ("time_s", "vehicle_id")
_KNOWN = (*_NEEDED, "class", *SIZES)
_CAN_BE_ZERO = ("time_s", "output_bit")


class FileProcess:
    """Arrivals of a file, each at its time and vehicle.

    Vehicle ids are matched when vehicles enter; an id that enters twice belongs to the later vehicle. An arrival whose
    vehicle is not on the map at its tick is dropped and counted.

    Args:
        time_s: times on the run's clock, (n,), ascending.
        vehicle_ids: SUMO's ids, (n,).
        task_class: index in tasks.classes, -1 where the file names none, (n,).
        given: columns of `SIZES` that the file has, (n,) each, NaN where a cell is empty.
    """

    def __init__(
        self, time_s: FloatArray, vehicle_ids: Sequence[str], task_class: IntArray, given: Mapping[str, FloatArray]
    ) -> None:
        codes, ids = pd.factorize(np.asarray(vehicle_ids, dtype=object))
        self._time_s = time_s
        self._code = codes.astype(np.int64)
        self._code_of_id = {str(vehicle_id): code for code, vehicle_id in enumerate(ids)}
        self._number: IntArray = np.full(len(ids), NOWHERE)  # vehicle number by code
        self._task_class = task_class
        self._given = dict(given)

    def enter(self, entries: Iterable[Entry]) -> None:
        """Keep the numbers of vehicles that the file names."""
        for entry in entries:
            code = self._code_of_id.get(entry.vehicle_id)
            if code is not None:
                self._number[code] = entry.number

    def draw(self, fleet: Fleet, start_s: float, end_s: float) -> Arrived:
        """Return the arrivals in [start_s, end_s) of vehicles on the map.

        Args:
            fleet: vehicles on the map.
            start_s: begin of the interval.
            end_s: its end.
        """
        first, last = np.searchsorted(self._time_s, [start_s, end_s])
        span = slice(first, last)
        vehicle = self._number[self._code[span]]
        here = np.isin(vehicle, fleet.numbers)
        return Arrived(
            self._time_s[span][here],
            vehicle[here],
            self._task_class[span][here],
            {name: values[span][here] for name, values in self._given.items()},
            dropped=int(np.count_nonzero(~here)),
        )

    def exhausted(self, now_s: float) -> bool:
        """Return whether all arrivals of the file are before now_s."""
        return not len(self._time_s) or bool(self._time_s[-1] < now_s)


def read_arrivals(file: Path, class_names: Sequence[str]) -> FileProcess:
    """Return the arrivals of a CSV file with a header line.

    Columns: time_s (run's clock) and vehicle_id; optionally class, input_bit, output_bit, cycles and deadline_s
    (counted from the release). An empty cell of these is drawn as for any task. A class that the file names is taken
    whatever its `vehicle_types`. Rows may be in any order.

    Args:
        file: path of the CSV.
        class_names: names of tasks.classes, in order.

    Raises:
        InputError: the file cannot be read, or a column, a class or a number in it is impossible.
    """
    table = _table(file)
    given = {name: _numbers(file, table[name]) for name in ("time_s", *SIZES) if name in table}
    order = np.argsort(given["time_s"], kind="stable")
    task_class = _classes(file, table["class"], class_names) if "class" in table else np.full(len(table), -1, np.int64)
    ids = table["vehicle_id"].iloc[order].tolist()
    time_s = given.pop("time_s")[order]
    return FileProcess(time_s, ids, task_class[order], {name: values[order] for name, values in given.items()})


def _table(file: Path) -> pd.DataFrame:
    """Return all cells as stripped text; the index is the line before."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(file, dtype=str, keep_default_na=False, index_col=False, skip_blank_lines=False)
    except OSError as error:
        raise InputError(
            f"tasks.arrivals.file={str(file)!r} cannot be read ({error.strerror}); correct the path"
        ) from error
    except (ValueError, pd.errors.ParserWarning) as error:  # ParserError and UnicodeDecodeError are ValueErrors
        reason = " ".join(str(error).split())
        raise InputError(
            f"tasks.arrivals.file={str(file)!r} is no CSV ({reason}); give each line the header's columns"
        ) from error
    table = pd.DataFrame({name: table[name].fillna("").str.strip() for name in table.columns})
    table.columns = table.columns.str.strip()
    for name in _NEEDED:
        if name not in table:
            raise InputError(f"{file}, line 1: column {name} is missing; add it")
    for name in table.columns:
        if name not in _KNOWN:
            raise InputError(f"{file}, line 1: column {name!r} is unknown; known columns are {', '.join(_KNOWN)}")
    table = table.loc[(table != "").any(axis=1)]
    _refuse(file, table["vehicle_id"], table["vehicle_id"] == "", "must name a vehicle; fill it in or drop the row")
    return table


def _numbers(file: Path, column: pd.Series) -> FloatArray:
    name = str(column.name)
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    lowest_allowed = values >= 0.0 if name in _CAN_BE_ZERO else values > 0.0
    empty = (column == "").to_numpy() if name in SIZES else np.zeros(len(column), bool)
    bound = "of at least 0" if name in _CAN_BE_ZERO else "above 0"
    _refuse(file, column, ~(empty | (lowest_allowed & np.isfinite(values))), f"must be a number {bound}; correct it")
    return values


def _classes(file: Path, column: pd.Series, class_names: Sequence[str]) -> IntArray:
    index = {name: place for place, name in enumerate(class_names)} | {"": -1}
    _refuse(
        file, column, ~column.isin(list(index)), f"is no class of tasks.classes ({', '.join(class_names)}); correct it"
    )
    return np.array([index[name] for name in column], np.int64)


def _refuse(file: Path, column: pd.Series, wrong: pd.Series | np.ndarray, remedy: str) -> None:
    """Raise an InputError about the first wrong cell, if there is one."""
    rows = np.flatnonzero(wrong)
    if len(rows):
        line = int(column.index[rows[0]]) + 2
        raise InputError(f"{file}, line {line}: {column.name}={column.iloc[rows[0]]!r} {remedy}")
