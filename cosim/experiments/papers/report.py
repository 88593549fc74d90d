"""The results folder of a paper: tables, pictures, claims and their provenance; full and quick results never mix."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cosim.data_text import json_data
from cosim.errors import InputError
from cosim.experiments.papers.lines import CsvTable
from cosim.locks import is_leftover
from cosim.trace.store.durable import write_durably
from cosim.trace.store.provenance import machine, versions

PROVENANCE: Final = "provenance.json"


def read_results(out: Path, paper: str, run: str) -> dict[str, Any]:
    """Return what provenance.json of the results folder says; {} for a new folder.

    Args:
        out: the results folder.
        paper: name of the paper whose results belong there.
        run: "full" or "QUICK".

    Raises:
        InputError: the folder holds results of another paper or size, or something else.
    """
    path = out / PROVENANCE
    try:
        if not out.exists():
            return {}
        if out.is_dir() and not path.exists() and all(is_leftover(one.name) for one in out.iterdir()):
            return {}
        stored: dict[str, Any] = json_data(path.read_text(encoding="utf-8"))
        before, whose = stored["run"], stored["paper"]
    except (OSError, ValueError, TypeError, KeyError):
        raise InputError(f"{out}: is taken by something that no `cosim paper` wrote; give another --out") from None
    if whose != paper:
        raise InputError(f"{out}: holds results of paper {whose}, these are of {paper}; give another --out")
    if before != run:
        raise InputError(f"{out}: holds {before} results, these are {run}; give another --out")
    return stored


def write_results(out: Path, stated: Mapping[str, Any]) -> None:
    """Write provenance.json with versions and machine.

    Raises:
        OSError: the disk refuses.
    """
    text = json.dumps({**stated, "versions": versions(), "machine": machine()}, indent=1, ensure_ascii=False)
    write_durably(out / PROVENANCE, lambda sink: sink.write(text.encode()))


def write_csv(path: Path, table: CsvTable, run: str) -> None:
    """Write a CSV file, numbers with 6 digits, whose last column is the run.

    Args:
        path: the file to write.
        table: head and rows.
        run: "full" or "QUICK".

    Raises:
        OSError: the disk refuses.
    """
    lines = [[*table.head, "run"], *([_cell(cell) for cell in (*row, run)] for row in table.rows)]
    _write(path, lines)


def merge_rows(path: Path, table: CsvTable, run: str, replaced: Sequence[int]) -> None:
    """Write a CSV file as `write_csv` does, but keep the rows of other figures; the first column is the figure.

    Args:
        path: the file to write, which may exist.
        table: head and new rows.
        run: "full" or "QUICK".
        replaced: figures whose old rows are dropped.

    Raises:
        OSError: the disk refuses.
    """
    kept: list[list[str]] = []
    if path.exists():
        with path.open(newline="", encoding="utf-8") as source:
            kept = [row for row in list(csv.reader(source))[1:] if int(row[0]) not in replaced]
    rows = kept + [[_cell(cell) for cell in (*row, run)] for row in table.rows]
    _write(path, [[*table.head, "run"], *sorted(rows, key=lambda row: int(row[0]))])


def _write(path: Path, lines: Sequence[Sequence[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    write_durably(path, lambda sink: sink.write(text.getvalue().encode()))


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else ""
    return str(value)
