"""Digests of short runs of the bundled scenarios by kind of fact, which a change of the code must not change.

    python benchmarks/digests.py --out before.json                      # at the first commit
    python benchmarks/digests.py --out after.json --against before.json  # at the last one, on the same machine

Digests are taken from the stored Parquet files, over the values of the columns (`seq` and `row_check` left out), so
that they depend on what was computed and not on how the trace sums it up. A column that is new is left out by
`--without`, so that the rest can be compared with an older file. Another processor gives other last bits:
compare files of one machine only, and do not commit them.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SCENARIOS = Path(__file__).resolve().parents[1] / "scenarios"
_CHECKS = ("seq", "row_check")


def main() -> int:
    """Run the scenarios, write their digests, and compare them if asked; return 1 if something differs."""
    parser = argparse.ArgumentParser(description="Digests by kind of fact of short runs of the bundled scenarios.")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--against", type=Path, help="JSON file of an earlier call: print what differs")
    parser.add_argument("--scenarios", default="", help="names with commas; all bundled ones by default")
    parser.add_argument("--columns", default="", help="kind.column with commas: digest these columns only")
    parser.add_argument("--without", default="", help="kind.column with commas: leave these columns out")
    parser.add_argument("--seconds", type=float, default=20.0, help="simulated seconds of each run")
    parser.add_argument("--command", default=str(Path(sys.executable).with_name("cosim")), help="the cosim command")
    given = parser.parse_args()
    names = given.scenarios.split(",") if given.scenarios else sorted(path.stem for path in SCENARIOS.glob("*.yaml"))
    columns = [column for column in given.columns.split(",") if column]
    without = [column for column in given.without.split(",") if column]
    stated: set[str] = set()
    chosen = Chosen(columns, without)
    runs = {name: _digests(given.command, name, given.seconds, chosen, stated) for name in names}
    for option, named in (("--columns", columns), ("--without", without)):
        missing = [column for column in named if column not in stated]
        if missing:
            parser.error(
                f"{option} {','.join(missing)}: no run has rows with it; give kind.column of `cosim trace schema`"
            )
    result = {"machine": _machine(), "seconds": given.seconds, "columns": columns, "runs": runs}
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{given.out}: {len(runs)} runs, {sum(map(len, runs.values()))} digests of kinds")
    if given.against is None:
        return 0
    differences = _differences(json.loads(given.against.read_text(encoding="utf-8")), result)
    print("\n".join(differences) if differences else f"equal to {given.against}")
    return 1 if differences else 0


class Chosen(NamedTuple):
    """The columns that digests are over, each as kind.column."""

    only: list[str]
    """Empty: all."""
    without: list[str]

    def of(self, kind: str, names: list[str]) -> list[str]:
        """Return those of the columns of a kind."""
        return [
            name
            for name in names
            if name not in _CHECKS
            and (not self.only or f"{kind}.{name}" in self.only)
            and f"{kind}.{name}" not in self.without
        ]


def _digests(command: str, name: str, seconds: float, chosen: Chosen, stated: set[str]) -> dict[str, str]:
    """Return the digests of one run by kind; the columns of its rows are added to `stated`."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        short = ("--set", f"duration_s={seconds}", "--set", f"statistics.warmup_s={seconds / 10}")
        subprocess.run([command, "run", name, "--out", str(run), *short], check=True, capture_output=True)
        parts = json.loads((run / "manifest.json").read_text(encoding="utf-8"))["parts"]
        kinds = sorted({part["kind"] for part in parts})
        tables = {
            kind: pa.concat_tables(pq.read_table(run / part["file"]) for part in parts if part["kind"] == kind)
            for kind in kinds
        }
    stated.update(f"{kind}.{name}" for kind, table in tables.items() for name in table.column_names)
    return {kind: found for kind, table in tables.items() if (found := _digest(kind, table, chosen))}


def _digest(kind: str, table: Any, chosen: Chosen) -> str:
    names = chosen.of(kind, table.column_names)
    if not names:
        return ""
    summed = hashlib.sha256(f"{table.num_rows} rows\n".encode())
    for name in names:
        column = table.column(name)
        summed.update(f"{name} {column.type}\n".encode())
        if pa.types.is_string(column.type):
            summed.update("\0".join(column.to_pylist()).encode())
        else:
            absent = np.nan if pa.types.is_floating(column.type) else -1  # files of schema 3 hold these for nulls
            summed.update(np.ascontiguousarray(column.fill_null(absent).to_numpy()).tobytes())
    return summed.hexdigest()


def _machine() -> dict[str, Any]:
    """Return all that the last bits of a float can depend on."""
    features = np._core._multiarray_umath.__cpu_features__
    versions = {package.__name__: package.__version__ for package in (np, pa)}
    return {
        "python": sys.version.split()[0],
        "versions": versions,
        "cpu_features": sorted(name for name, there in features.items() if there),
    }


def _differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    told = [
        f"{what}: was {before[what]}, is {after[what]}"
        for what in ("machine", "seconds", "columns")
        if before[what] != after[what]
    ]
    for name in sorted(before["runs"].keys() | after["runs"].keys()):
        old, new = before["runs"].get(name, {}), after["runs"].get(name, {})
        told += [f"{name} {kind}" for kind in sorted(old.keys() | new.keys()) if old.get(kind) != new.get(kind)]
    return told


if __name__ == "__main__":
    sys.exit(main())
