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
    assert {**spent, "codes": {}, "can_be_null": False} in ended["columns"]
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


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT statu FROM task_ended", "no column statu in task_ended; did you mean status?"),
        ("SELECT t.stats FROM task_ended t", "no column stats in task_ended; did you mean status?"),
        ("SELECT joy FROM task_ended", "no column joy in task_ended; `cosim trace schema` lists them"),
        ("SELECT * FROM task_end", "no table task_end; did you mean task_ended?"),
        ("SELECT 1 FROM nowhere", "no table nowhere; views: site_deployed, vehicle_entered, cell_changed, "),
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("SELECT 'abc", "unterminated string literal"),
        ("SELECT 1/0 +", "syntax error at "),
        ("", "a trace is read only; give one SELECT statement"),
        ("DROP TABLE task_ended", "a trace is read only; give one SELECT statement"),
        ("DELETE FROM task_ended", "a trace is read only; give one SELECT statement"),
        ("COPY task_ended TO 'x.csv'", "a trace is read only; give one SELECT statement"),
        ("SELECT 1; SELECT 2", "a trace is read only; give one SELECT statement"),
        ("SELECT avg(nope(1))", 'scalar Function with name nope does not exist; did you mean "now"?'),
        ("SELECT avg(status_name(status)) FROM task_ended", "no function matches the given name and argument types"),
        ("SELECT error('hi')", "hi"),
        ("SELECT error(repeat('hi', 4000))", "hihi"),
    ],
)
def test_sql_says_in_one_short_line_what_is_wrong(
    run: Path, capsys: pytest.CaptureFixture[str], query: str, told: str
) -> None:
    """A refused query ends with 2 and one short line: what is wrong and the nearest name, without its candidates."""
    assert cli.status(["trace", "sql", str(run), query]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"cosim: SQL: {told}")
    assert said.err.count("\n") == 1
    assert len(said.err) < 300
    assert "Candidate" not in said.err


def test_sql_of_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is missing, or a file, is named in one line."""
    (tmp_path / "file").write_text("")
    for name in ("gone", "file"):
        assert cli.status(["trace", "sql", str(tmp_path / name), "SELECT 1"]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"cosim: {tmp_path / name}: not a run folder (manifest.json: ")
        assert said.count("\n") == 1
