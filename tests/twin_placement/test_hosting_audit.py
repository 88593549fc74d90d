"""The audit finds what a false report of homes would say, and a study is a command."""

import json
from dataclasses import replace

import pytest
from hosting_cases import placed
from stories import NEAR_A, NEAR_B, Told, perform, write_arrivals
from typer.testing import CliRunner

from cosim.audit.verify import verify
from cosim.cli.twin import app
from cosim.trace.facts.twin import TwinMoved
from cosim.trace.store.writer import TraceWriter


@pytest.mark.parametrize(
    ("false", "told"),
    [
        ({"from_node": 1}, "it leaves a host on which it was not"),
        ({"still_s": -1.0}, "it stood still before or after its move"),
        ({"to_node": 7}, "its to_node is no deployed site or cloud"),
    ],
)
def test_false_moves_are_found(tmp_path, monkeypatch, false, told):
    """A move from a host on which the twin was not, with an impossible silence or to no node, breaks a rule."""
    honest = TraceWriter.recorder

    def recorder(self, fact):
        record = honest(self, fact)
        if fact is not TwinMoved:
            return record

        def lie(*values):
            moved = replace(TwinMoved(*values), **false)
            record(*(getattr(moved, name) for name in TwinMoved.__dataclass_fields__))

        return lie

    monkeypatch.setattr(TraceWriter, "recorder", recorder)
    write_arrivals(tmp_path, [])
    perform(placed(), tmp_path / "run", tmp_path, {"car": [NEAR_A] * 10 + [NEAR_B] * 11}, Told("A"))
    assert any(told in line for line in verify(tmp_path / "run").lines)


def test_gap_command():
    """`cosim twin gap` prints every policy, and as JSON the same numbers."""
    text = CliRunner().invoke(app, ["gap", "physical", "--count", "20", "--set", "users=3"])
    assert text.exit_code == 0
    assert "local_search" in text.output
    table = json.loads(CliRunner().invoke(app, ["gap", "physical", "--count", "20", "--json"]).output)
    gaps = {row["policy"]: row["gap"]["value"] for row in table["rows"]}
    assert gaps["exact"] == 0 < gaps["random"]
