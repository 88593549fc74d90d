"""A run with real traffic, changed in one row afterwards: `cosim trace verify` ends with 1 and names the row."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hashes import rehashed

from cosim.cli import main as cli

CHANGES = [
    ("task_released", "input_bit", 1.0),
    ("task_released", "seq", 1),
    ("task_decided", "expected_s", 1e-9),
    ("task_decided", "power_w", 0.01),
    ("task_ended", "transmit_j", 1e-9),
    ("task_ended", "handovers", 1),
    ("host_sampled", "number_s", 1e-12),
    ("host_sampled", "served", 1),
    ("cell_changed", "time_s", 1e-9),
    ("cell_changed", "vehicle", 1),
    ("vehicle_moved", "x_m", 1e-9),
]
"""Kind, column, and what is added to a value of it."""
KINDS = sorted({kind for kind, _, _ in CHANGES})


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of the bundled intersection."""
    run = tmp_path_factory.mktemp("sound") / "run"
    shorter = ("--set", "duration_s=10", "--set", "statistics.warmup_s=0", "--set", "trace.part_s=4")
    assert cli.status(["run", "intersection", "--out", str(run), "--no-picture", *shorter]) == 0
    return run


@pytest.fixture
def run(sound: Path, tmp_path: Path) -> Path:
    """A copy of that run to change."""
    return Path(shutil.copytree(sound, tmp_path / "run"))


def rewrite(run: Path, kind: str, edit: Callable[[list[dict[str, Any]], int], object]) -> int:
    """Edit the rows of the kind's last part at its middle row and store it again; the number of that row."""
    path = max((run / kind).glob("part-*.parquet"))
    table = pq.read_table(path)
    rows = table.to_pylist()
    middle = len(rows) // 2
    seq = int(rows[middle]["seq"])
    edit(rows, middle)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    return seq


def findings(capfd: pytest.CaptureFixture[str], run: Path) -> list[str]:
    """What `trace verify` prints below its verdict when it ends with 1."""
    capfd.readouterr()
    assert cli.status(["trace", "verify", str(run)]) == 1
    printed = capfd.readouterr()
    assert printed.err == ""
    verdict, *found = printed.out.splitlines()
    assert verdict.startswith(f"{run}: {len(found)} findings: complete run, ")
    return found


def test_the_run_is_sound(capfd: pytest.CaptureFixture[str], run: Path) -> None:
    """Untouched the run verifies; stored again with the same rows it only lacks the bytes that were written."""
    verdict = f"{run}: ok: complete run, "
    assert cli.status(["trace", "verify", str(run)]) == 0
    assert capfd.readouterr().out.startswith(verdict)
    for kind in KINDS:
        rewrite(run, kind, list.__getitem__)
    assert sorted(line.split(" holds other bytes")[0] for line in findings(capfd, run)) == [
        f"{kind}: {max((run / kind).glob('*')).relative_to(run)}" for kind in sorted(KINDS)
    ]
    assert cli.status(["trace", "verify", str(rehashed(run))]) == 0
    assert capfd.readouterr().out.startswith(verdict)


@pytest.mark.parametrize(("kind", "column", "more"), CHANGES)
def test_a_changed_value(capfd: pytest.CaptureFixture[str], run: Path, kind: str, column: str, more: float) -> None:
    """One value of one row that is another, by however little, is found and its row named."""

    def edit(rows: list[dict[str, Any]], middle: int) -> None:
        before = rows[middle][column]
        rows[middle][column] += more
        assert rows[middle][column] != before

    seq = rewrite(run, kind, edit)
    named = seq + 1 if column == "seq" else seq
    assert any(
        line.startswith(f"{kind} row seq={named}: was changed: it does not fit its check")
        for line in findings(capfd, run)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_dropped_row(capfd: pytest.CaptureFixture[str], run: Path, kind: str) -> None:
    """One row that is gone is named."""

    def edit(rows: list[dict[str, Any]], middle: int) -> None:
        del rows[middle]

    seq = rewrite(run, kind, edit)
    assert f"{kind} row seq={seq}: is missing" in findings(capfd, run)


@pytest.mark.parametrize("kind", KINDS)
def test_a_doubled_row(capfd: pytest.CaptureFixture[str], run: Path, kind: str) -> None:
    """One row that is there twice is named."""

    def edit(rows: list[dict[str, Any]], middle: int) -> None:
        rows.insert(middle, rows[middle])

    seq = rewrite(run, kind, edit)
    assert f"{kind} row seq={seq}: is there more than once" in findings(capfd, run)


@pytest.mark.parametrize("kind", KINDS)
def test_two_rows_that_changed_places(capfd: pytest.CaptureFixture[str], run: Path, kind: str) -> None:
    """Two rows with each other's numbers are both named, as a row's check covers its number."""
    numbers: list[int] = []

    def edit(rows: list[dict[str, Any]], middle: int) -> None:
        first, second = rows[middle - 1], rows[middle]
        first["seq"], second["seq"] = second["seq"], first["seq"]
        numbers.extend((first["seq"], second["seq"]))

    rewrite(run, kind, edit)
    found = findings(capfd, run)
    for seq in numbers:
        assert any(line.startswith(f"{kind} row seq={seq}: was changed") for line in found)


def test_a_part_in_the_place_of_another(capfd: pytest.CaptureFixture[str], run: Path) -> None:
    """A part copied over another of the same run brings rows that do not belong there and lacks its own."""
    folder = run / "task_released"
    lost = int(pq.read_table(folder / "part-00001.parquet")["seq"][0].as_py())
    shutil.copy(folder / "part-00000.parquet", folder / "part-00001.parquet")
    found = findings(capfd, run)
    assert f"task_released row seq={lost}: is missing" in found
    assert any(line.endswith("does not belong to task_released/part-00001.parquet") for line in found)


def test_a_changed_partial_run(capfd: pytest.CaptureFixture[str], run: Path) -> None:
    """A run that was stopped is audited too: one changed row of it is named."""
    for name in ("manifest.json", "provenance.json"):
        (run / name).write_text((run / name).read_text().replace('"complete"', '"partial"'))
    rehashed(run)
    capfd.readouterr()
    assert cli.status(["trace", "verify", str(run)]) == 0
    assert "partial run, complete to t = 10 s" in capfd.readouterr().out

    def edit(rows: list[dict[str, Any]], middle: int) -> None:
        rows[middle]["input_bit"] += 1.0

    seq = rewrite(run, "task_released", edit)
    assert cli.status(["trace", "verify", str(run)]) == 1
    assert f"task_released row seq={seq}: was changed" in capfd.readouterr().out
