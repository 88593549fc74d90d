"""`cosim trace schema`, `late`, `diff`, `task` and `export` on the command line."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from small_run import write_small_run

from cosim.cli import main as cli
from cosim.subjects import fact_kinds
from cosim.trace.store.layout import kind_name


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The small run with so many tasks that they queue for longer than they may."""
    write_small_run(tmp_path / "run", count=420)
    return tmp_path / "run"


def answer(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    """What the command says with --json."""
    assert cli.status(["trace", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_schema_lists_all_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    """Every kind with every column, and units where the schema has them; the text names them too."""
    told = answer(capsys, "schema")
    listed = {kind["kind"]: [column["name"] for column in kind["columns"]] for kind in told["kinds"]}
    assert listed == {kind_name(fact): ["seq", *(field.name for field in fields(fact))] for fact in fact_kinds()}
    ended = next(kind for kind in told["kinds"] if kind["kind"] == "task_ended")
    spent = {"name": "transmit_j", "type": "float64", "unit": "J", "meaning": "spent by the vehicle's radio"}
    assert {**spent, "codes": {}} in ended["columns"]
    assert cli.status(["trace", "schema"]) == 0
    text = capsys.readouterr().out
    assert all(f"{kind_name(fact)}: " in text for fact in fact_kinds())


def test_late_counts_what_the_summary_counts(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Late and lost tasks add up over the causes and agree with SQL; --top shortens the list."""
    told = answer(capsys, "late", run)
    rows = answer(capsys, "sql", run, "SELECT count(*) AS n FROM task_ended WHERE status NOT IN (0, 8)")["rows"]
    assert told["late"] + told["lost"] == sum(one["tasks"] for one in told["causes"]) == rows[0]["n"]
    assert sum(one["delay_share"] for one in told["causes"]) == pytest.approx(1.0)
    assert len(answer(capsys, "late", run, "--top", 1)["causes"]) == 1
    assert cli.status(["trace", "late", str(run)]) == 0
    assert "% of time" in capsys.readouterr().out


def test_task_ends_with_its_reason(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An example of `late` is explained by `task` with the same cause."""
    worst = answer(capsys, "late", run)["causes"][0]
    task = worst["examples"][0]
    assert answer(capsys, "task", run, task)["why"]["cause"] == worst["cause"]
    assert cli.status(["trace", "task", str(run), str(task)]) == 0
    assert f"reason: {worst['cause'].replace('_', ' ')}: " in capsys.readouterr().out


def test_diff_speaks(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run against itself is told as zeros, as text and as JSON."""
    assert answer(capsys, "diff", run, run)["latency"]["value"] == 0.0
    assert cli.status(["trace", "diff", str(run), str(run)]) == 0
    assert "latency             0   0  s" in capsys.readouterr().out
