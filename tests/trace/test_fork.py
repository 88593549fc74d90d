"""A run that is forked: its parent's facts before a time, another future after it."""

import json
import re
import shutil
from pathlib import Path

import pytest
from effort import rest_long
from interrupted_runs import ALL_PARTS, interrupted, stop_at, turner, written

from cosim.audit.verify import verify
from cosim.cli import main as cli
from cosim.errors import InputError
from cosim.resuming import fork, resume
from cosim.runner import simulate
from cosim.scenario.load import load
from cosim.trace.store.provenance import read_provenance
from cosim.trace.store.reader import Trace
from cosim.trace.views.compare import compare_runs

HELPLESS = """
class Helpless:
    def decide(self, observation):
        return observation.demand.nothing


class Late:
    def decide(self, observation):
        if observation.time_s > 2.5:
            raise ValueError("no more")
        import numpy as np
        from cosim import Action
        return Action(option=np.zeros(len(observation), int))
"""


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with keys, ledger and twin under a policy that turns all knobs; to be read only."""
    home = tmp_path_factory.mktemp("parent")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOOD", str(home / "mood"))
        run = simulate(turner(home), home / "run").folder
    (home / "turner.py").unlink()
    return run


def facts_before(run: Path, at_s: float) -> dict[str, list[tuple[object, ...]]]:
    """The rows of each kind of before a time, in their order."""
    with Trace.open(run) as trace:
        return {
            kind: list(
                trace.sql(f'SELECT * EXCLUDE (seq) FROM "{kind}" WHERE time_s < {at_s!r} ORDER BY seq')
                .astype(str)
                .itertuples(index=False, name=None)
            )
            for kind in trace.kinds
        }


@pytest.mark.parametrize("at_s", rest_long([2.3, 0.5, 1.0, 2.0, 3.01, 3.6]))
def test_the_same_past(parent: Path, tmp_path: Path, at_s: float) -> None:
    """All facts before the time are the parent's, its policy is not needed, and the fork says whose past it has."""
    result = fork(parent, at_s, ["policy=local"], tmp_path / "fork")
    there, here = facts_before(parent, at_s), facts_before(result.folder, at_s)
    assert sum(map(len, there.values())) > 20
    assert [kind for kind in there if there[kind] != here[kind]] == []
    with Trace.open(result.folder) as trace:
        tiers = trace.sql(f"SELECT DISTINCT tier FROM task_decided WHERE time_s >= {at_s}").tier.tolist()
    assert tiers == [0]
    assert verify(result.folder).ok, verify(result.folder).lines
    said, whose = read_provenance(result.folder), read_provenance(parent)
    assert said.parent == {
        "run_id": whose.run_id,
        "policy": whose.policy,
        "digest": whose.digest,
        "at_s": at_s,
        "repeated_to_s": at_s,
    }
    assert said.run_id not in (whose.run_id, load("per_task", [*ALL_PARTS, "policy=local"]).run_id)
    again = fork(parent, at_s, ["policy=local"], tmp_path / "again")
    assert (again.digest, again.run_id) == (result.digest, result.run_id)


def test_a_fork_that_changes_nothing(tmp_path: Path) -> None:
    """A policy without a state that takes over from itself, and one that goes on with its own, give the same digest."""
    greedy = simulate(load("per_task", [*ALL_PARTS, "policy=greedy-latency"]), tmp_path / "greedy")
    assert fork(greedy.folder, 1.7, ["policy=greedy-latency"], tmp_path / "a", anew=True).digest == greedy.digest
    turns = simulate(load("per_task", [*ALL_PARTS, "policy=round-robin"]), tmp_path / "turns")
    kept = fork(turns.folder, 1.7, ["statistics.warmup_s=1.7"], tmp_path / "b")
    assert kept.digest == turns.digest
    assert read_provenance(kept.folder).parent["repeated_to_s"] == 0.0
    assert verify(kept.folder).ok


def test_a_fork_of_a_fork_that_was_interrupted(parent: Path, tmp_path: Path) -> None:
    """A fork needs its parent no more: interrupted before or after its time it is resumed, and can be forked again."""
    copy = Path(shutil.copytree(parent, tmp_path / "copy"))
    whole = fork(copy, 2.3, ["policy=random", "decisions.knobs=[target]"], tmp_path / "whole")
    for name, stop_s in (("before", 1.2), ("after", 3.4)):
        with pytest.raises(KeyboardInterrupt):
            fork(copy, 2.3, ["policy=random", "decisions.knobs=[target]"], tmp_path / name, stop_at(stop_s))
    shutil.rmtree(copy)
    for name in ("before", "after"):
        assert verify(tmp_path / name).ok
        assert resume(tmp_path / name).digest == whole.digest
        assert written(tmp_path / name) == written(whole.folder)
    child = fork(whole.folder, 3.1, ["policy=local"], tmp_path / "child")
    assert facts_before(child.folder, 3.1) == facts_before(whole.folder, 3.1)
    own = fork(whole.folder, 3.1, ["statistics.warmup_s=1"], tmp_path / "own")
    assert own.digest == whole.digest
    assert read_provenance(own.folder).parent["repeated_to_s"] == 2.3
    assert verify(own.folder).ok


def test_what_is_still_to_come(tmp_path: Path) -> None:
    """Events of schedules that begin from the time on may be changed; one that has begun may only end otherwise."""
    plan = {"kind": "cut", "ends": ["rsu0", "rsu1"]}
    home = simulate(
        load("per_task", [*ALL_PARTS, "keys.attacks=" + json.dumps([{**plan, "start_s": 1.0, "end_s": 3.0}])]),
        tmp_path / "cut",
    ).folder
    longer = json.dumps([{**plan, "start_s": 1.0, "end_s": 3.5}, {**plan, "start_s": 3.7, "end_s": 3.9}])
    result = fork(home, 2.0, [f"keys.attacks={longer}"], tmp_path / "longer")
    assert facts_before(result.folder, 2.0) == facts_before(home, 2.0)
    with Trace.open(result.folder) as trace:
        changes = trace.sql("SELECT time_s FROM key_link_changed ORDER BY seq").time_s.tolist()
    assert changes == [1.0, 3.5, 3.7, 3.9]
    for other in ([], [{**plan, "start_s": 1.5, "end_s": 3.0}], [{**plan, "start_s": 1.0, "end_s": 1.5}]):
        with pytest.raises(InputError, match=r"--set keys\.attacks: acts on what was before t=2 s"):
            fork(home, 2.0, [f"keys.attacks={json.dumps(other)}"], tmp_path / "refused")
    assert not (tmp_path / "refused").exists()


def test_the_difference_is_paired(parent: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`trace diff` pairs parent and fork over the tasks released from the time on, which alone can differ."""
    child = fork(parent, 2.0, ["policy=local"], tmp_path / "child").folder
    other = fork(parent, 3.0, ["policy=nearest"], tmp_path / "other").folder
    query = "SELECT task, time_s - released_s AS latency_s, status FROM task_ended WHERE released_s >= 2.0"
    with Trace.open(parent) as a, Trace.open(child) as b, Trace.open(other) as c:
        pairs = a.sql(query).merge(b.sql(query), on="task")
        done = pairs[pairs.status_x.isin([0, 1]) & pairs.status_y.isin([0, 1])]
        found = compare_runs(a, b)
        assert compare_runs(b, a).tasks == found.tasks == len(pairs)
        assert 0 < compare_runs(b, c).tasks == found.tasks
        assert compare_runs(a, c).tasks < found.tasks
    assert found.done == len(done)
    assert found.latency.value == pytest.approx((done.latency_s_y - done.latency_s_x).mean())
    assert cli.status(["trace", "diff", str(parent), str(child)]) == 0
    assert "the runs are one up to t = 2 s" in capsys.readouterr().err


BAD = {
    "--at 0": (["--at", "0", "--policy", "local"], "--at 0: is outside"),
    "--at the end": (
        ["--at", "4", "--policy", "local"],
        "--at 4: is outside of what run holds; give a time between 0 and",
    ),
    "--at -1": (["--at", "-1", "--policy", "local"], "--at -1: is outside"),
    "--at nan": (["--at", "nan", "--policy", "local"], "--at nan: is outside"),
    "--at inf": (["--at", "inf", "--policy", "local"], "--at inf: is outside"),
    "helpless": (["--at", "2", "--policy", "helpless.py:Helpless"], "cannot decide on what run shows at t=0"),
    "nothing": (["--at", "2"], "nothing is to change; give --policy or --set"),
    "no policy": (["--at", "2", "--policy", "nonsense"], "no such policy"),
    "no file": (["--at", "2", "--policy", "missing.py:Mine"], "no file missing.py"),
    "no checkpoint": (["--at", "2", "--policy", "missing.ckpt"], "no such checkpoint"),
    "helpless later": (["--at", "3", "--policy", "helpless.py:Late"], r"cannot decide on what run shows at t=3\."),
    "the past": (["--at", "2", "--set", "radio.bandwidth_hz=1e6"], "--set radio.bandwidth_hz: acts on what was before"),
    "the seed": (["--at", "2", "--set", "seed=2"], "--set seed: acts on what was before"),
    "the duration": (["--at", "2", "--set", "duration_s=5"], "--set duration_s: acts on what was before"),
    "a section": (["--at", "2", "--set", "ledger=null"], "--set ledger: acts on what was before"),
    "no value": (["--at", "2", "--set", "statistics.batches=-1"], "statistics.batches"),
}


@pytest.mark.parametrize("case", rest_long(BAD, keep=11))
def test_bad_input(
    parent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    """What cannot be forked is one line with 2; neither parent nor fork is touched."""
    words, told = BAD[case]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "helpless.py").write_text(HELPLESS)
    shutil.copytree(parent, "run")
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    assert cli.status(["fork", "run", *words, "--out", "deep/new"]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert re.search(told, printed.err), printed.err
    assert not Path("deep").exists()
    assert {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()} == before


def test_a_folder_that_is_taken(parent: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A fork overwrites nothing, not its parent either, and takes no altered parent."""
    assert cli.status(["fork", str(parent), "--at", "2", "--policy", "local", "--out", str(parent)]) == 2
    assert "is not empty" in capsys.readouterr().err
    copy = Path(shutil.copytree(parent, tmp_path / "copy"))
    next(copy.glob("task_ended/*.parquet")).write_bytes(b"x")
    assert cli.status(["fork", str(copy), "--at", "2", "--policy", "local", "--out", str(tmp_path / "new")]) == 2
    assert "was altered: task_ended" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_partial_parent(tmp_path: Path) -> None:
    """A run that was interrupted can be forked at any time that it holds."""
    run = interrupted(load("per_task", [*ALL_PARTS, "policy=round-robin"]), tmp_path / "run", 3.4)
    child = fork(run, 2.9, ["policy=local"], tmp_path / "child")
    assert facts_before(child.folder, 2.9) == facts_before(run, 2.9)
    with pytest.raises(InputError, match=r"give a time between 0 and 3 s"):
        fork(run, 3.2, ["policy=local"], tmp_path / "late")
