"""What a code stands for is told once, beside the code; store, SQL, schema, CSV, audit and page say the same."""

import csv
import json
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import pyarrow.parquet as pq
import pytest
from substrate import change, facts, write

from cosim import types
from cosim.audit.verify import run_rules
from cosim.cli.main import status
from cosim.errors import InputError
from cosim.report.page import payload
from cosim.subjects import fact_kinds
from cosim.trace.facts.codes import code_names, code_tables, table_name
from cosim.trace.facts.column import Column, columns
from cosim.trace.facts.keys import TaskKeyed
from cosim.trace.store import layout
from cosim.trace.store.layout import kind_name
from cosim.trace.store.reader import Trace
from cosim.trace.views.export import export_trace
from cosim.types import KeyState, Offence, Status, word

CODED = [
    (kind_name(fact), name, column.codes)
    for fact in fact_kinds()
    for name, column in columns(fact).items()
    if column.codes is not None
]
Longer = IntEnum("KeyState", {**KeyState.__members__, "BORROWED": 3})


@pytest.fixture
def borrowed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keys can be borrowed, too; a process that started so would have made its layouts so."""
    monkeypatch.setitem(TaskKeyed.__annotations__, "state", Annotated[int, Column("<i1", "", "", Longer)])
    layout._layout_of.cache_clear()
    yield
    layout._layout_of.cache_clear()


def said(run: Path, folder: Path) -> dict[str, dict[tuple[str, str], dict[int, str]]]:
    """The names of all codes by place, then by kind and column."""
    found: dict[str, dict[tuple[str, str], dict[int, str]]] = {"parquet": {}, "sql": {}, "csv": {}, "page": {}}
    with Trace.open(run) as trace:
        export_trace(trace, "csv", folder)
        for kind, name, codes in [
            (kind_name(fact), name, column.codes) for fact in fact_kinds() for name, column in columns(fact).items()
        ]:
            if codes is None:
                continue
            table = table_name(codes)
            for part in trace.manifest.parts:
                if part.kind == kind:
                    stored = json.loads(pq.read_schema(run / part.file).field(name).metadata[b"codes"])
                    found["parquet"][kind, name] = {int(code): text for code, text in stored.items()}
            rows = trace.sql(f"SELECT c, {table}_name(c) AS name FROM range(100) r(c)").dropna()
            found["sql"][kind, name] = dict(zip(rows.c.tolist(), rows.name.tolist(), strict=True))
            found["page"][kind, name] = {code: names[0] for code, names in payload.code_dictionary()[table].items()}
    with (folder / "codes.csv").open(encoding="utf-8") as source:
        for row in csv.DictReader(source):
            found["csv"].setdefault((row["kind"], row["column"]), {})[int(row["code"])] = row["name"]
    return found


def test_every_table_of_codes_is_stored() -> None:
    """The tables of cosim.types are those of the columns."""
    known = {one for one in vars(types).values() if isinstance(one, type) and issubclass(one, IntEnum)} - {IntEnum}
    assert set(code_tables().values()) == known
    assert {("task_ended", "status", Status), ("evidence_committed", "offence", Offence)} <= set(CODED)


def test_all_places_say_the_same(tmp_path: Path) -> None:
    """Parquet's metadata, SQL, CSV and page have every name of every column with codes."""
    wanted = {(kind, name): code_names(codes) for kind, name, codes in CODED}
    found = said(write(tmp_path / "run", facts()), tmp_path / "csv")
    assert found["sql"] == found["csv"] == found["page"] == wanted
    assert len(found["parquet"]) > 8
    assert found["parquet"].items() <= wanted.items()


@pytest.mark.usefixtures("borrowed")
def test_a_new_code_is_known_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A code more in the table of a column is a name in all places, and no finding of the audit."""
    run = write(tmp_path / "run", change(facts(), TaskKeyed, 0, state=3))
    found = said(run, tmp_path / "csv")
    assert [place["task_keyed", "state"][3] for place in found.values()] == ["BORROWED"] * 4
    assert status(["trace", "schema"]) == 0
    assert "2 REFUSED, 3 BORROWED" in capsys.readouterr().out
    assert unknown(run) == 0


def test_an_unknown_code_is_found(tmp_path: Path) -> None:
    """Without that code the same rows break a rule."""
    assert unknown(write(tmp_path / "run", change(facts(), TaskKeyed, 0, state=3))) == 1


def unknown(run: Path) -> int:
    """How many rows have a state that the audit does not know."""
    (rule,) = [rule for rule in run_rules(True) if (rule.kind, rule.why) == ("task_keyed", "its state is unknown")]
    with Trace.open(run) as trace:
        return len(trace.sql(rule.query))


def test_two_tables_of_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes whose name in SQL would be another table's are refused."""
    other = Annotated[int, Column("<i1", "", "", IntEnum("Status", {"FINE": 0}))]
    monkeypatch.setitem(TaskKeyed.__annotations__, "state", other)
    with pytest.raises(InputError, match="codes status: TaskKeyed has another table of that name"):
        code_tables()


def test_words() -> None:
    """People read names in small letters, and another word where the name does not say it."""
    assert word(Status.NO_COVERAGE) == "no coverage"
    assert word(Status.LEFT) == "vehicle left"
    assert [word(offence) for offence in Offence] == ["two proposals", "two votes", "an invalid proposal"]
