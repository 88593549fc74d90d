"""One row of a finished run changed, dropped or doubled, of whatever kind: `cosim trace verify` names it."""

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from effort import rest_long

from cosim.cli import main as cli

ROADS = """\
name: roads
duration_s: 20
mobility: {kind: synthetic, vehicles: 30, roads: 2, length_m: 600, speed_mps: {kind: uniform, low: 8, high: 25}}
sites: {kind: listed, sites: [{name: a, x_m: 100, y_m: 20}, {name: b, x_m: 500, y_m: 20}]}
radio: {access: {kind: noma}, sidelink: {range_m: 100}, handover: {hysteresis_db: 0}}
cloud: {}
policy: random
trace: {positions: true, part_s: 10}
"""
CROSSING = """\
name: crossing
map: intersection
duration_s: 20
mobility: {kind: libsumo, begin_s: 30}
sites: {kind: map}
compute: {edge: {discipline: processor_sharing}}
trace: {part_s: 10}
"""
CASES = [(name, case) for name in ("roads", "crossing") for case in range(18)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of each scenario, and a copy of each to change."""
    home = tmp_path_factory.mktemp("audit")
    for name, text in (("roads", ROADS), ("crossing", CROSSING)):
        (home / f"{name}.yaml").write_text(text)
        assert cli.status(["run", str(home / f"{name}.yaml"), "--out", str(home / name), "--no-picture"]) == 0
        shutil.copytree(home / name, home / "changed" / name)
    return home


def other(value: Any) -> Any:
    """The nearest other value of the same type."""
    if value is None:
        return 1
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, int):
        return value + 1
    return math.nextafter(value, math.inf)


def damage(table: Any, way: str, row: int, rng: np.random.Generator) -> Any:
    """The table with one row changed in one column, dropped or doubled."""
    if way == "drop":
        return pa.concat_tables([table.slice(0, row), table.slice(row + 1)])
    if way == "double":
        return pa.concat_tables([table.slice(0, row + 1), table.slice(row)])
    name = str(rng.choice([column for column in table.column_names if column not in ("seq", "row_check")]))
    column = table.schema.get_field_index(name)
    values = table[name].to_pylist()
    if pa.types.is_float32(table.schema.field(name).type) and values[row] is not None:
        values[row] = float(np.nextafter(np.float32(values[row]), np.float32(9e9)))
    else:
        values[row] = other(values[row])
    return table.set_column(column, table.schema.field(name), pa.array(values, table.schema.field(name).type))


@pytest.mark.parametrize("name", ["roads", "crossing"])
def test_untouched_runs_pass(capsys: pytest.CaptureFixture[str], runs: Path, name: str) -> None:
    """A finished run verifies as it is."""
    capsys.readouterr()
    assert cli.status(["trace", "verify", str(runs / name)]) == 0
    assert ": ok: complete run, " in capsys.readouterr().out


@pytest.mark.parametrize(("name", "case"), rest_long(CASES, 12))
def test_one_damaged_row_is_named(capsys: pytest.CaptureFixture[str], runs: Path, name: str, case: int) -> None:
    """`trace verify` ends with 1 and prints kind and seq of the one row that is not as it was written."""
    rng = np.random.default_rng([len(name), case])
    run = runs / "changed" / name
    kinds = sorted(path.name for path in run.iterdir() if path.is_dir())
    kind, way = kinds[case % len(kinds)], ["change", "drop", "double"][case // 2 % 3]
    part = rng.choice(sorted((run / kind).iterdir()))
    whole = part.read_bytes()
    table = pq.read_table(part)
    row = int(rng.integers(len(table)))
    seq = table["seq"][row].as_py()
    pq.write_table(damage(table, way, row, rng), part)
    capsys.readouterr()
    try:
        assert cli.status(["trace", "verify", str(run)]) == 1
    finally:
        part.write_bytes(whole)
    told = capsys.readouterr().out
    why = {"change": "was changed", "drop": "is missing", "double": "is there more than once"}[way]
    assert f"\n{kind} row seq={seq}: {why}" in told
