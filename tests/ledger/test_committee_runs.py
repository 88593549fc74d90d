"""Runs with committees: only who sits proposes and votes, and whatever is changed in that is found."""

import json
import random
from pathlib import Path

import pytest
from chained_run import LEDGER, chained_run
from effort import rest_long
from substrate import facts, named, write
from test_committee import exact_committees

from cosim.audit.ledger_check import check_rows
from cosim.audit.ledger_rows import LedgerRows, read_rows
from cosim.audit.verify import verify
from cosim.cli import main as cli
from cosim.ledger.committee import holds_a_third
from cosim.trace.facts.ledger import CommitteeDrawn
from cosim.trace.store.reader import Trace

SEATED = {**LEDGER, "committee": 3, "dissemination": "tree"}
SAT = "list_contains(string_split(c.validators, ' '), {who}::VARCHAR)"


@pytest.fixture(scope="module")
def seated_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chained_run(tmp_path_factory.mktemp("seated") / "chained", SEATED)


@pytest.fixture(scope="module")
def seated_rows(seated_run: Path) -> LedgerRows:
    with Trace.open(seated_run) as trace:
        return read_rows(trace)


def test_only_the_committee_proposes_and_votes(seated_run: Path) -> None:
    """Every proposal, vote and voter is of the committee of its height, which changes; each block has two thirds."""
    with Trace.open(seated_run) as trace:
        votes, outside = trace.sql(
            f"SELECT count(*) AS n, count_if(NOT {SAT.format(who='v.validator')}) AS outside "
            "FROM vote_cast v JOIN committee_drawn c USING (height)"
        ).iloc[0]
        proposed = trace.sql(
            f"SELECT count_if(NOT {SAT.format(who='p.proposer')}) AS outside "
            "FROM block_proposed p JOIN committee_drawn c USING (height)"
        ).outside.iloc[0]
        committees = trace.sql("SELECT * FROM committee_drawn ORDER BY height")
        blocks = trace.sql("SELECT height, voters FROM block_committed ORDER BY height")
    assert votes > 50
    assert outside == proposed == 0
    assert len(blocks) >= 10
    assert committees.height.tolist() == list(range(1, len(blocks) + 2))
    assert set(committees.seats) == {3}
    assert committees.validators.nunique() >= 3
    sat = dict(zip(committees.height, committees.validators.str.split(), strict=True))
    assert all(set(voters.split()) <= set(sat[height - 1]) for height, voters in blocks.values.tolist() if height > 1)


def test_a_run_with_committees_is_sound(seated_run: Path) -> None:
    """The audit and the ledger's check find nothing, and the one that votes twice where it sits is the one accused."""
    assert verify(seated_run).findings == ()
    with Trace.open(seated_run) as trace:
        accused = trace.sql("SELECT DISTINCT accused FROM evidence_committed").accused.tolist()
    assert accused == [1]


def test_each_change_of_a_committee_is_found(seated_rows: LedgerRows) -> None:
    """Another value in any column of a row, a row less or a row twice is each found."""
    draw = random.Random(3)
    frame = seated_rows.of[CommitteeDrawn]
    assert list(check_rows(seated_rows)) == []

    def found(changed) -> bool:
        return bool(list(check_rows(LedgerRows(seated_rows.plan, True, {**seated_rows.of, CommitteeDrawn: changed}))))

    for name in ("height", "time_s", "seats", "credits"):
        for _ in range(5):
            changed = frame.copy()
            changed.loc[draw.randrange(len(frame)), name] += draw.choice([-1, 1, 7])
            assert found(changed), name
    for text in ("", "0 1", "2 1 0", "0 1 2 3", "0  1 2", "0 1 9"):
        changed = frame.copy()
        changed.loc[draw.randrange(len(frame)), "validators"] = text
        assert found(changed), text
    assert found(frame.iloc[1:])
    assert found(frame.iloc[[0, *range(len(frame))]])


def test_a_chain_read_with_other_seats_is_found(seated_rows: LedgerRows) -> None:
    """A scenario that says other seats, or none, does not fit the chain."""
    for seats in (2, 4, None):
        plan = seated_rows.plan.model_copy(update={"committee": seats})
        assert list(check_rows(LedgerRows(plan, True, seated_rows.of))), seats


def test_shares_are_shown(seated_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`ledger show` counts committees of which b holds a third, beside the mean of the exact probabilities."""
    assert cli.status(["ledger", "show", str(seated_run), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    committee = shown["committee"]
    sat = sum(stake["sat"] for stake in shown["stakes"])
    assert (committee["seats"], committee["faulty"], sat) == (3, 1, 3 * committee["heights"])
    with Trace.open(seated_run) as trace:
        wide = trace.sql("SELECT height, validator, credits FROM stake_changed").pivot(
            index="height", columns="validator", values="credits"
        )
        drawn = trace.sql("SELECT height, validators FROM committee_drawn ORDER BY height")
    stakes = [tuple(map(int, row)) for row in wide.to_numpy()]
    bad = [
        holds_a_third(stake, set(map(int, text.split())), {1})
        for stake, text in zip(stakes, drawn.validators, strict=True)
    ]
    assert committee["third"] == sum(bad) > 0
    exact = [
        sum(chance for seated, chance in exact_committees(stake, 3).items() if holds_a_third(stake, seated, {1}))
        for stake in stakes
    ]
    error = 4.5 * 0.5 / (2000 * len(stakes)) ** 0.5
    assert committee["probability"] == pytest.approx(float(sum(exact) / len(exact)), abs=error)
    assert cli.status(["ledger", "show", str(seated_run)]) == 0
    text = capsys.readouterr().out
    assert f"committees of 3 at {committee['heights']} heights; the one faulty validator" in text
    assert f"expected {100 * committee['probability']:.2f} % (simulated)" in text


def with_committees(folder: Path, *drawn: tuple) -> Path:
    """The small run with committees."""
    rows = [*facts(), *(CommitteeDrawn(*row) for row in drawn)]
    return write(folder, sorted(rows, key=lambda row: (row.time_s, type(row).__name__.endswith("Sampled"))))


BROKEN = [
    ((0.0, 1, 1, 1000, "0"), "its validator had no seat at that height"),
    ((0.0, 1, 1, 1000, "1"), "its proposer had no seat at that height"),
    ((0.0, 1, 1, 1000, "0"), "its accused had no seat at that height"),
    ((0.0, 1, 1, 1000, "1"), "a voter that it names had no seat at the height before"),
    ((0.0, 1, 3, 2000, "0 1"), "its seats are not the number of its validators"),
    ((0.0, 1, 2, 2000, "0 0"), "its seats are not the number of its validators"),
    ((0.0, 1, 2, 2001, "0 1"), "its credits are not those of its validators, or one of them has none"),
    ((0.0, 1, 2, 2000, "0 x"), "its seats are not the number of its validators"),
]


@pytest.mark.parametrize(("drawn", "why"), rest_long(BROKEN, 4))
def test_broken_laws_of_committees_are_found(tmp_path: Path, drawn: tuple, why: str) -> None:
    """A committee that does not fit votes, blocks or stakes is named."""
    assert named(with_committees(tmp_path / "run", drawn), why)


def test_committees_that_fit_are_sound(tmp_path: Path) -> None:
    """No rule names a committee of all who vote; of two for one height the second is named."""
    whole = (0.0, 1, 2, 2000, "0 1")
    run = with_committees(tmp_path / "run", whole)
    assert [why for _, why in BROKEN if named(run, why)] == []
    assert len(named(with_committees(tmp_path / "two", whole, whole), "its height has a committee already")) == 1
