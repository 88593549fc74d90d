"""A finished run's ledger is hashed again from its rows, and whatever was changed in them is found."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from chained_run import chained_run

from cosim.audit.ledger_blocks import rebuild
from cosim.audit.ledger_check import chain_findings, check_rows
from cosim.audit.ledger_rows import LedgerRows, read_rows
from cosim.trace.facts.keys import KeyBlockDistilled, TaskKeyed, VehicleKeysFilled
from cosim.trace.facts.ledger import BatchCommitted, BatchSealed, BlockCommitted, EvidenceCommitted, StakeChanged
from cosim.trace.facts.run import TaskEnded, TrafficSampled
from cosim.trace.store.reader import Trace
from cosim.types import Tier

RECORD = ("time_s", "task", "vehicle", "status", "released_s", "edge_cpu_j")
BOUND: dict[type[Any], tuple[str, ...]] = {
    TaskEnded: (*RECORD, "tier", "site"),
    TaskKeyed: ("task", "up_bit", "down_bit"),
    KeyBlockDistilled: ("time_s", "link", "bit", "qber"),
    VehicleKeysFilled: ("time_s", "vehicle", "node", "bit"),
    BatchSealed: ("site", "batch", "records", "bit", "root"),
    BatchCommitted: ("time_s", "height", "site", "batch", "records", "served", "root"),
    EvidenceCommitted: (
        "time_s", "height", "offence_height", "offence_round", "accused", "offence", "first", "second",
    ),
    StakeChanged: (
        "time_s", "height", "validator", "member", "credits", "earned", "settled", "slashed", "joined",
    ),
    BlockCommitted: (
        "time_s", "height", "proposer", "proposed_s", "records", "bit", "stakes", "treasury", "minted", "burned",
        "voters", "previous", "hash",
    ),
}  # fmt: skip
"""The columns that the chain binds; `site` stands for target or uplink_site, whichever names the record's site."""
SAME: dict[type[Any], str] = {
    TaskEnded: "site",
    KeyBlockDistilled: "link",
    BatchSealed: "site",
    BatchCommitted: "height",
    EvidenceCommitted: "height",
    StakeChanged: "height",
}
"""The order of rows that agree in this is bound; that of any two blocks is."""
ALL_FAULTS = {
    "validators": ["a", "b", "c", "d"],
    "block": {"interval_s": 3},
    "faults": [
        {"kind": "invalid", "validator": "a", "start_s": 5, "end_s": 30},
        {"kind": "equivocate", "validator": "b", "start_s": 20, "end_s": 50},
    ],
}
MOVES = {
    "validators": ["a", "b", "c"],
    "proposer": "sortition",
    "block": {"interval_s": 2, "capacity_byte": 512, "batch_records": 7},
    "membership": [
        {"height": 3, "validator": "d", "action": "join"},
        {"height": 9, "validator": "a", "action": "leave"},
    ],
    "partitions": [{"start_s": 20, "end_s": 31, "side": ["a", "b"]}],
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chained_run(tmp_path_factory.mktemp("verify") / "chained")


@pytest.fixture(scope="module")
def rows(run: Path) -> LedgerRows:
    with Trace.open(run) as trace:
        return read_rows(trace)


def with_frame(rows: LedgerRows, fact: type[Any], frame: pd.DataFrame) -> LedgerRows:
    """The rows with other ones of one kind, in the order in which they would be read."""
    return replace(rows, of={**rows.of, fact: frame.sort_values("seq", kind="stable", ignore_index=True)})


def named_site(frame: pd.DataFrame) -> pd.Series:
    """Column that names the site of each task's record; empty for a task that is in none."""
    cloud = (frame.tier == Tier.CLOUD) & (frame.uplink_site >= 0)
    names = np.where(frame.tier == Tier.EDGE, "target", np.where(cloud, "uplink_site", ""))
    return pd.Series(names, index=frame.index)


def bound_rows(rows: LedgerRows, fact: type[Any]) -> list[int]:
    """Places of the rows that stand in the ledger."""
    frame, ended = rows.of[fact], rows.of[TaskEnded]
    if fact is TaskEnded:
        return np.flatnonzero(named_site(ended) != "").tolist()
    if fact is TaskKeyed:
        offloaded = frame.task.isin(ended.task[named_site(ended) != ""])
        return np.flatnonzero(offloaded & (frame.up_bit + frame.down_bit > 0)).tolist()
    return list(range(len(frame)))


def other(value: Any, draw: random.Random) -> Any:
    """Another value of the same type."""
    if isinstance(value, str):
        spelled = [value + "0", value[:-1] if value else "1", value.upper(), value.replace(value[-1:], "7"), ""]
        return draw.choice([text for text in spelled if text != value])
    if isinstance(value, float | np.floating):
        return draw.choice([np.nextafter(value, np.inf), value + 1.0, 2.0 * value + 1e-9, -1.0 - abs(value)])
    return int(value) + draw.choice([-1, 1, 2, 100])


def change_value(rows: LedgerRows, fact: type[Any], draw: random.Random) -> tuple[str, LedgerRows]:
    """Another value in one bound column of one row."""
    frame, name, place = rows.of[fact].copy(), draw.choice(BOUND[fact]), draw.choice(bound_rows(rows, fact))
    column = named_site(frame).iloc[place] if name == "site" and fact is TaskEnded else name
    old = frame[column].iloc[place]
    new = int(Tier.LOCAL) if column == "tier" else other(old, draw)
    frame[column] = [new if at == place else value for at, value in enumerate(frame[column].tolist())]
    return f"{fact.__name__}.{column} of row {place}: {old} -> {new}", with_frame(rows, fact, frame)


def drop(rows: LedgerRows, fact: type[Any], draw: random.Random) -> tuple[str, LedgerRows]:
    """One row less."""
    place = draw.choice(bound_rows(rows, fact))
    frame = rows.of[fact]
    return f"{fact.__name__} without row {place}", with_frame(rows, fact, frame.drop(index=place))


def double(rows: LedgerRows, fact: type[Any], draw: random.Random) -> tuple[str, LedgerRows]:
    """One row twice."""
    place = draw.choice(bound_rows(rows, fact))
    frame = rows.of[fact]
    return f"{fact.__name__} with row {place} twice", with_frame(rows, fact, pd.concat([frame, frame.iloc[[place]]]))


def swap(rows: LedgerRows, fact: type[Any], draw: random.Random) -> tuple[str, LedgerRows]:
    """Two rows whose order is bound change places."""
    frame, places = rows.of[fact].copy(), bound_rows(rows, fact)
    first = draw.choice(places)
    keys = pd.Series(0, index=frame.index)
    if fact is TaskEnded:
        keys = pd.Series(np.where(named_site(frame) == "target", frame.target, frame.uplink_site), index=frame.index)
    elif fact in SAME:
        keys = frame[SAME[fact]]
    elif fact is VehicleKeysFilled:
        keys = frame.node
    mates = [place for place in places if keys[place] == keys[first] and place != first]
    if fact is TaskKeyed or not mates:
        return drop(rows, fact, draw)
    second = draw.choice(mates)
    frame.loc[[first, second], "seq"] = frame.loc[[second, first], "seq"].to_numpy()
    return f"{fact.__name__}: rows {first} and {second} swapped", with_frame(rows, fact, frame)


CHANGES: tuple[Callable[[LedgerRows, type[Any], random.Random], tuple[str, LedgerRows]], ...] = (
    change_value, change_value, change_value, drop, double, swap,
)  # fmt: skip


def test_a_finished_run_is_sound(run: Path, rows: LedgerRows) -> None:
    """A run as it was written has no finding; it has rows of every kind that the ledger binds, and pending batches."""
    with Trace.open(run) as trace:
        assert [str(finding) for finding in chain_findings(trace)] == []
    sizes = {fact: len(bound_rows(rows, fact)) for fact in BOUND}
    assert min(sizes.values()) > 0, sizes
    assert sizes[TaskEnded] >= 100
    assert sizes[BatchSealed] > sizes[BatchCommitted]


def test_each_of_200_changes_is_found(rows: LedgerRows) -> None:
    """200 random changes of records or blocks, drawn with a fixed seed, are each found."""
    draw = random.Random(11)
    missed, kinds = [], Counter[str]()
    for _ in range(200):
        fact = draw.choice(list(BOUND))
        told, changed = draw.choice(CHANGES)(rows, fact, draw)
        kinds[fact.__name__] += 1
        if not list(check_rows(changed)):
            missed.append(told)
    assert missed == []
    assert min(kinds.values()) >= 10


@pytest.mark.parametrize("ledger", [ALL_FAULTS, MOVES])
def test_runs_with_faults_are_sound(tmp_path: Path, ledger: dict[str, Any]) -> None:
    """Stakes computed again agree through penalties, slashing, joining, leaving, partitions and small batches."""
    with Trace.open(chained_run(tmp_path / "chained", ledger)) as trace:
        read = read_rows(trace)
    assert [str(finding) for finding in check_rows(read)] == []
    assert len(read.of[BlockCommitted]) >= 8
    assert len(read.of[EvidenceCommitted]) > 0 or "membership" in ledger


def test_a_run_that_was_killed_is_checked_up_to_there(run: Path, rows: LedgerRows) -> None:
    """What a kill leaves is sound as a partial run; said to be complete, it has records that are in no batch."""
    with Trace.open(run) as trace:
        sampled = trace.table(TrafficSampled)
    for time_s in range(3, 58, 7):
        seq = int(sampled.seq[sampled.time_s == time_s].iloc[0])
        cut = {
            fact: frame[frame.seq < seq].reset_index(drop=True) if "seq" in frame else frame
            for fact, frame in rows.of.items()
        }
        assert list(check_rows(replace(rows, complete=False, of=cut))) == []
        assert any("are in no batch" in str(finding) for finding in check_rows(replace(rows, complete=True, of=cut)))


def test_a_new_hash_does_not_hide_missing_voters(rows: LedgerRows) -> None:
    """A last block that names too few voters is found although its hash was made again."""
    frame = rows.of[BlockCommitted].copy()
    last = frame.index[-1]
    frame.loc[last, "voters"] = "0"
    block = rebuild(with_frame(rows, BlockCommitted, frame)).blocks[-1]
    frame.loc[last, "hash"] = block.digest.hex()
    found = [str(finding) for finding in check_rows(with_frame(rows, BlockCommitted, frame))]
    assert any(f"height {block.height}: its voters are no quorum" in line for line in found), found


def test_a_finding_names_the_place(rows: LedgerRows) -> None:
    """A changed record is told by the site, batch and height that hold it, and by no other batch."""
    frame = rows.of[TaskEnded].copy()
    place = bound_rows(rows, TaskEnded)[0]
    frame.loc[place, "vehicle"] += 1
    (found,) = check_rows(with_frame(rows, TaskEnded, frame))
    site = frame[named_site(frame)[place]][place]
    assert str(found) == f"batch_committed: height 1, site {site}: batch 0: a record has changed, the roots differ"
