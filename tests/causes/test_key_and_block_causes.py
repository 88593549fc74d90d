"""Keys and the ledger's work as causes, in a run whose rows are written by hand; parts are known to the second."""

from pathlib import Path

import numpy as np
import pytest
from substrate import HZ, change, facts, write

from cosim.trace.facts.keys import TaskKeyed
from cosim.trace.facts.ledger import ConsensusWorked
from cosim.trace.facts.run import SiteDeployed, TaskEnded
from cosim.trace.lateness.causes import attribute_delay, part_names
from cosim.trace.lateness.explain import explain_task
from cosim.trace.lateness.ledger_load import _load
from cosim.trace.lateness.ranking import lateness
from cosim.trace.store.reader import Trace
from cosim.trace.views.timeline import timeline


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run made by hand; to be read only."""
    return write(tmp_path_factory.mktemp("substrate") / "run", facts())


def spent(run, task):
    """The parts of a task that are not zero, and its cause; all parts of all tasks are checked to sum up."""
    with Trace.open(run) as trace:
        table = attribute_delay(trace, "true")
    parts = table[[f"{name}_s" for name in part_names()]].to_numpy()
    assert (parts >= 0.0).all()
    np.testing.assert_allclose(parts.sum(axis=1), table.elapsed_s, rtol=0, atol=1e-9)
    own = {name: round(float(table.loc[task, f"{name}_s"]), 9) for name in part_names()}
    return str(table.cause[task]), {name: part for name, part in own.items() if part > 0.0}


@pytest.mark.parametrize(
    ("task", "cause", "key_s"),
    [(0, "key", 1.5), (1, "key", 1.0), (2, "key", 1.0), (3, "left", 0.5), (4, "", 0.0)],
)
def test_waits_for_keys(run, task, cause, key_s):
    """Waits before uplink and downlink, drawn, downgraded or refused, are the part `key`; NO_KEY has it as cause."""
    said, parts = spent(run, task)
    assert said == cause
    assert parts.get("key", 0.0) == key_s
    assert "decision_wait" not in parts
    assert "backhaul" not in parts


def test_a_queue_behind_a_block(run):
    """1.5 s in the queue of a host whose only core makes a block are the block's, not the queue's."""
    cause, parts = spent(run, 5)
    assert cause == "block"
    assert parts["block"] == 1.5
    assert "queue" not in parts


def test_two_cores_halve_the_block(tmp_path):
    """With two cores, of which the ledger holds one for 1.5 s of the wait, half of the wait is the block's."""
    _, parts = spent(write(tmp_path / "run", change(facts(), SiteDeployed, 0, cores=2)), 5)
    assert (parts["block"], parts["queue"]) == (0.75, 0.75)


def test_work_that_ended_before_is_no_cause(tmp_path):
    """A block that was made before the task came to the queue took nothing of its wait."""
    early = {"queued_s": 10.5, "started_s": 10.5, "time_s": 12.0, "cycles": 1.5 * HZ}
    _, parts = spent(write(tmp_path / "run", change(facts(), ConsensusWorked, 0, **early)), 5)
    assert parts["queue"] == 1.5
    assert "block" not in parts


def test_processor_sharing_beside_a_block(tmp_path):
    """Executed from 12.5 to 14.5 s on 0.5 s of cycles beside work with 1.75 s / 4 of it: the rest is shared CPU."""
    rows = change(facts(), TaskEnded, 5, started_s=12.5)
    share = 1.0 / 4.0
    rows = change(rows, ConsensusWorked, 0, cycles=1.75 * share * HZ)
    _, parts = spent(write(tmp_path / "run", rows), 5)
    assert parts["block"] == pytest.approx(1.5 * share)
    assert parts["shared_cpu"] == pytest.approx(1.5 - 1.5 * share)
    with Trace.open(tmp_path / "run") as trace:
        assert explain_task(trace, 5).blocks == (1,)


def test_the_block_takes_no_more_than_the_excess(tmp_path):
    """Execution that lasted as long as its cycles need owes nothing to the work beside it on another core."""
    rows = change(facts(), TaskEnded, 5, queued_s=13.0, started_s=13.0, executed_s=13.5, uplinked_s=13.0)
    _, parts = spent(write(tmp_path / "run", rows), 5)
    assert "block" not in parts
    assert "shared_cpu" not in parts


def test_blocks_are_named(run):
    """`task` names the heights whose work was in front of a task, and the reason in words."""
    with Trace.open(run) as trace:
        why = explain_task(trace, 5)
    assert why.blocks == (1,)
    assert why.reason == "its host was busy with the ledger's blocks"
    assert "ledger: block 1 used its host meanwhile" in why.lines


def test_the_steps_of_keys(run):
    """The life of a task tells when it asked for keys, what it drew over how many links, and what it did not get."""
    with Trace.open(run) as trace:
        lives = [[f"{time_s:g} {text}" for time_s, text in timeline(trace.sql, task)] for task in range(3)]
    assert [step for step in lives[0] if "key" in step] == [
        "2 asks for a key for its uplink",
        "3 draws 256 bit of key over 2 links for its uplink",
        "4 asks for a key for its downlink",
        "4.5 draws 256 bit of key for its downlink",
    ]
    assert lives[0].index("4 execution ends") < lives[0].index("4 asks for a key for its downlink")
    assert "6 downgraded: its uplink goes without a quantum key" in lives[1]
    assert lives[2][-2:] == [
        "9 refused: the key that it waits for has not come",
        "9 ends NO_KEY in phase KEY after 1.000 s, 500.0 ms before its deadline",
    ]


def test_the_ranking_has_both(run):
    """Keys and blocks are ranked with the other causes, with examples."""
    with Trace.open(run) as trace:
        found = {one.cause: one for one in lateness(trace).causes}
    assert (found["key"].tasks, found["key"].delay_s, found["key"].examples) == (3, pytest.approx(4.0), (0, 1, 2))
    assert (found["block"].tasks, found["block"].delay_s) == (1, pytest.approx(1.5))


def test_the_load_is_the_sum_of_the_overlaps():
    """The load up to a time equals the overlap with each execution, summed one by one, for random times."""
    draw = np.random.default_rng(7)
    started_s = np.sort(draw.uniform(0.0, 100.0, 40))
    ended_s, cores = started_s + draw.uniform(0.01, 5.0, 40), draw.uniform(0.1, 1.0, 40)
    begin_s = draw.uniform(-5.0, 105.0, 300)
    end_s = begin_s + draw.uniform(0.0, 20.0, 300)
    load = _load(started_s, ended_s, cores)
    laps_s = np.minimum(end_s[:, None], ended_s) - np.maximum(begin_s[:, None], started_s)
    one_by_one = (np.maximum(laps_s, 0.0) * cores).sum(axis=1)
    np.testing.assert_allclose(load.between(begin_s, end_s), one_by_one, rtol=0, atol=1e-9)


def test_a_key_that_another_transfer_drew(tmp_path):
    """A transfer that waited and may use a key drawn meanwhile for another one draws no bits."""
    run = write(tmp_path / "run", change(facts(), TaskKeyed, 0, up_bit=0, up_hops=0))
    with Trace.open(run) as trace:
        assert (3.0, "finds a key that another has drawn for its uplink") in timeline(trace.sql, 0)
