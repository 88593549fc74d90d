"""The batched audit finds what each rule finds by itself."""

from pathlib import Path
from typing import Any

import pytest
from substrate import change, facts, write

from cosim.audit.broken import broken_rows
from cosim.audit.rule import Rule, unknown, where
from cosim.audit.verify import run_rules
from cosim.trace.facts.keys import TaskKeyed
from cosim.trace.facts.run import TaskEnded
from cosim.trace.store.integrity import SHOWN, Finding
from cosim.trace.store.reader import Trace


def one_by_one(trace: Trace, rules: list[Rule]) -> list[Finding]:
    """The findings of each rule, asked alone."""
    return [Finding(rule.kind, seq, rule.why) for rule in rules for seq in sorted(trace.sql(rule.query).seq.tolist())]


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(facts(), marks=pytest.mark.long),
        change(facts(), TaskEnded, 1, status=77, tier=9),
        change(change(facts(), TaskEnded, 0, task=1, queued_s=0.5), TaskKeyed, 0, state=9, up_bit=-1),
    ],
)
def test_together_as_alone(tmp_path: Path, rows: list[Any]) -> None:
    """All rules asked together name the rows that each names alone, in the order of the rules."""
    rules = run_rules(complete=True)
    with Trace.open(write(tmp_path / "run", rows)) as trace:
        assert list(broken_rows(trace, rules)) == one_by_one(trace, rules)


def test_a_sound_run_is_asked_once_for_each_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules about single rows share one reading, and kinds without rows are not asked about."""
    asked = []
    ask = Trace.sql
    monkeypatch.setattr(Trace, "sql", lambda self, query: (asked.append(query), ask(self, query))[1])
    with Trace.open(write(tmp_path / "run", facts())) as trace:
        assert list(broken_rows(trace, run_rules(complete=True))) == []
        kinds = {rule.kind for rule in run_rules(complete=True)} & {part.kind for part in trace.manifest.parts}
    assert len(asked) == len(kinds) > 15


def test_many_rows_are_counted(tmp_path: Path) -> None:
    """Of a rule that many rows break the first are named, and how many more there are."""
    rules = [
        where("key_pool_sampled", "it is there", "true"),
        where("key_pool_sampled", "it is not there", "false"),
        unknown("task_ended", "its task is another", "task", "SELECT 3"),
    ]
    with Trace.open(write(tmp_path / "run", facts())) as trace:
        found = [one.why for one in broken_rows(trace, rules)]
    assert found == ["it is there"] * SHOWN + ["1 more rows: it is there"] + ["its task is another"] * 5
