"""Runs in which the cause of a late or lost task is known by construction; parts are checked to the second.

The usual task: 1 s up, 1 s of work, 0.5 s down (tests/support/stories.py).
"""

from math import log2

import numpy as np
import pytest
from stories import AWAY, FAR, NEAR_A, NEAR_B, Told, sites, tell

from cosim.trace.lateness.causes import attribute_delay, part_names
from cosim.trace.lateness.explain import explain_task
from cosim.trace.lateness.ranking import lateness
from cosim.trace.store.reader import Trace

STAY = [NEAR_A] * 11


def causes(run):
    """The explained tasks, their parts checked to sum up."""
    with Trace.open(run) as trace:
        table = attribute_delay(trace, "true")
    parts = table[[f"{name}_s" for name in part_names()]].to_numpy()
    assert (parts >= 0.0).all()
    np.testing.assert_allclose(parts.sum(axis=1), table.elapsed_s, rtol=0, atol=1e-9)
    return table


def part(table, task, name):
    """One part of one task, in s."""
    return float(table.loc[task, f"{name}_s"])


def spent(table, task):
    """The parts of a task that are not zero, to a millionth."""
    return {name: round(part(table, task, name), 6) for name in part_names() if part(table, task, name) > 1e-9}


def due(deadline_s, **sizes):
    """A task's sizes."""
    return {"deadline_s": deadline_s, **sizes}


def test_a_hole_in_the_coverage(tmp_path):
    """An uplink that waits 2 s in a hole is late by coverage."""
    path = [NEAR_A] + [FAR] * 2 + [NEAR_A] * 8
    table = causes(tell(tmp_path, {"a": path}, [(0.5, "a", due(4.0))], radio={"outage_s": 3.0}).run)
    assert table.cause[0] == "coverage"
    assert spent(table, 0) == {"coverage": 2.0, "sending": 1.0, "execution": 1.0, "receiving": 0.5}


def test_coverage_that_never_comes_back(tmp_path):
    """An uplink that is given up after its outage of 1 s is lost by coverage."""
    path = [NEAR_A] + [AWAY] * 10
    table = causes(tell(tmp_path, {"a": path}, [(0.5, "a")]).run)
    assert table.cause[0] == "coverage"
    assert spent(table, 0) == {"coverage": 1.0, "sending": 0.5}


def test_a_hole_during_the_downlink(tmp_path):
    """A result that waits for coverage on its way back is late by coverage too."""
    path = [NEAR_A] * 3 + [FAR] * 2 + [NEAR_A] * 6
    table = causes(tell(tmp_path, {"a": path}, [(0.5, "a", due(3.0))], radio={"outage_s": 3.0}).run)
    assert table.cause[0] == "coverage"
    assert part(table, 0, "coverage") == pytest.approx(2.0)


@pytest.mark.parametrize(("transfer", "handover_s"), [("continue", 0.25), ("restart", 0.75)])
def test_a_handover(tmp_path, transfer, handover_s):
    """A change of cell costs its interruption, and what is sent again if transfers start again."""
    path = [NEAR_A] + [NEAR_B] * 10
    radio = {"handover": {"interruption_s": 0.25, "transfer": transfer}}
    table = causes(tell(tmp_path, {"a": path}, [(0.5, "a", due(2.6))], "B", radio=radio).run)
    assert table.cause[0] == "handover"
    assert spent(table, 0) == {"handover": handover_s, "sending": 1.0, "execution": 1.0, "receiving": 0.5}


def test_two_users_of_one_cell(tmp_path):
    """Two uplinks at once in one cell last 2 s in place of 1 s each; one after the other would not."""
    paths = {"a": STAY, "b": STAY}
    story = tell(tmp_path, paths, [(0.5, "a", due(3.0)), (0.5, "b", due(3.0))], compute={"edge": {"cores": 2}})
    table = causes(story.run)
    assert table.cause.tolist() == ["shared_cell"] * 2
    assert spent(table, 0) == {"shared_cell": 1.5, "sending": 1.0, "execution": 1.0, "receiving": 0.5}
    with Trace.open(story.run) as trace:
        why = explain_task(trace, 0)
    assert (why.beside_up, why.beside_down, why.ahead) == ((1,), (1,), ())
    assert why.uplink_bps == pytest.approx(0.5e6)
    assert why.downlink_bps == pytest.approx(0.5e6)


def test_a_share_of_the_band(tmp_path):
    """Who is given half the band and is alone takes twice as long, by the sharing of the cell."""
    policy = Told("A", share=[0.5])
    story = tell(tmp_path, {"a": STAY}, [(0.5, "a", due(3.0))], policy, decisions={"knobs": ["target", "share"]})
    table = causes(story.run)
    assert table.cause[0] == "shared_cell"
    assert part(table, 0, "shared_cell") == pytest.approx(1.0)


def test_fixed_slices_are_not_shared(tmp_path):
    """With slices of half the band two users do not delay each other: the slice is what the task needs."""
    paths, radio = {"a": STAY, "b": STAY}, {"access": {"kind": "fixed", "slice_share": 0.5}}
    table = causes(tell(tmp_path, paths, [(0.5, "a", due(3.0)), (0.5, "b", due(9.0))], radio=radio).run)
    assert spent(table, 0) == {"sending": 2.0, "execution": 1.0, "receiving": 1.0}
    assert table.cause[0] == "deadline"


def test_noma_shares_the_cell(tmp_path):
    """Two equal users without cancellation at 0 dB: log2(1.5) in place of 1 bit/s/Hz, and the excess is the cell's."""
    paths = {"a": [(0.0, 100.0)] * 11, "b": [(0.0, 100.0)] * 11}
    radio = {"access": {"kind": "noma", "sic": False}, "min_snr_db": -20.0}
    tasks = [(0.5, "a", due(3.0)), (0.5, "b", due(9.0))]
    table = causes(tell(tmp_path, paths, tasks, radio=radio, compute={"edge": {"cores": 2}}).run)
    assert table.cause[0] == "shared_cell"
    assert part(table, 0, "sending") == pytest.approx(1.0)
    assert part(table, 0, "shared_cell") == pytest.approx(1.0 / log2(1.5) - 1.0 + 0.5)


def test_interference(tmp_path):
    """Car b has sent all the time in the next cell, so the task of car a is decided knowing 10 dB of interference.

    Alone at 0 dB it would send at log2(1 + 1); beside b's tenth of the noise at log2(1 + 1 / 1.1).
    """
    paths = {"a": [(0.0, 100.0)] * 31, "b": [(300.0, 100.0)] * 31}
    tasks = [(0.5, "b", due(30.0, input_bit=20e6)), (4.5, "a", due(5.6, input_bit=4e6))]
    radio = {"max_efficiency_bps_hz": None, "min_snr_db": -20.0, "interference": True}
    table = causes(tell(tmp_path, paths, tasks, "A", duration_s=30.0, sites=sites(A=0, B=300), radio=radio).run)
    clean_s, disturbed_s = 4.0, 4.0 / log2(1 + 1 / 1.1)
    assert table.cause[1] == "interference"
    assert part(table, 1, "sending") == pytest.approx(clean_s, rel=1e-6)
    assert part(table, 1, "interference") == pytest.approx(disturbed_s - clean_s, rel=1e-5)


def test_driving_away(tmp_path):
    """A link that becomes weaker after the decision is told from one that is shared."""
    path = [NEAR_A] + [(0.0, 95.0)] * 10
    radio = {"max_efficiency_bps_hz": 4.0}
    table = causes(tell(tmp_path, {"a": path}, [(0.5, "a", due(3.0, input_bit=4e6))], radio=radio).run)
    slow_s = 2e6 / (1e6 * log2(1 + 1e4 / 95.0**2))
    assert table.cause[0] == "weaker_link"
    assert part(table, 0, "sending") == pytest.approx(1.0)
    assert part(table, 0, "weaker_link") == pytest.approx(slow_s - 0.5)


def test_a_queue_at_the_edge(tmp_path):
    """One core, two tasks: the second waits for the first, which took 3 s, and `task` says for whom."""
    paths = {"a": STAY, "b": STAY}
    story = tell(tmp_path, paths, [(0.5, "a", due(9.0, cycles=3e9)), (1.5, "b", due(4.0))])
    table = causes(story.run)
    assert table.cause.tolist() == ["", "queue"]
    assert part(table, 1, "queue") == pytest.approx(2.0)
    with Trace.open(story.run) as trace:
        why = explain_task(trace, 1)
    assert why.ahead == (0,)
    assert "queue: its host executed task 0 meanwhile" in why.lines


def test_a_shared_processor(tmp_path):
    """Under processor sharing the same company is shared CPU, not queue."""
    paths = {"a": STAY, "b": STAY}
    compute = {"edge": {"discipline": "processor_sharing"}}
    tasks = [(0.5, "a", due(9.0, cycles=3e9)), (1.5, "b", due(3.0))]
    table = causes(tell(tmp_path, paths, tasks, compute=compute).run)
    assert table.cause[1] == "shared_cpu"
    assert part(table, 1, "shared_cpu") == pytest.approx(1.0)


def test_a_slow_processor(tmp_path):
    """A vehicle with a fifth of a site's speed is late by its CPU: the fastest core of the run had been in time."""
    table = causes(tell(tmp_path, {"a": STAY}, [(0.5, "a", due(2.0))], "local",
                        compute={"vehicle": {"core_hz": 0.2e9}}).run)  # fmt: skip
    assert table.cause[0] == "slow_cpu"
    assert spent(table, 0) == {"execution": 1.0, "slow_cpu": 4.0}


def test_an_impossible_deadline(tmp_path):
    """2.5 s by itself against 2 s allowed: the deadline, though it also queued for longer than that."""
    paths = {"a": STAY, "b": STAY}
    table = causes(tell(tmp_path, paths, [(0.5, "a", due(9.0, cycles=5e9)), (1.5, "b", due(2.0))]).run)
    assert table.cause[1] == "deadline"
    assert (table.needed_s[1], table.allowed_s[1]) == pytest.approx((2.5, 2.0))
    assert part(table, 1, "queue") == pytest.approx(4.0)


def test_the_wait_for_the_decision(tmp_path):
    """Epochs of 4 s: a task released right after one waits for the next; inference counts with it."""
    decisions = {"kind": "periodic", "period_s": 4.0, "inference_s": 0.5}
    table = causes(tell(tmp_path, {"a": STAY}, [(0.5, "a", due(3.0))], decisions=decisions).run)
    assert table.cause[0] == "decision_wait"
    assert part(table, 0, "decision_wait") == pytest.approx(4.0)


def test_the_backhaul(tmp_path):
    """A host behind slow wires: 1 Mbit and 0.5 Mbit over two hops of 1 Mbit/s each."""
    table = causes(tell(tmp_path, {"a": STAY}, [(0.5, "a", due(3.0))], "B",
                        backhaul={"kind": "star", "bandwidth_bps": 1e6, "latency_s": 0.0}).run)  # fmt: skip
    assert table.cause[0] == "backhaul"
    assert part(table, 0, "backhaul") == pytest.approx(3.0)


def test_expired_in_the_queue(tmp_path):
    """A task that is dropped at its deadline while it waits is lost by the queue, needing less than it was allowed."""
    paths = {"a": STAY, "b": STAY}
    tasks = [(0.5, "a", due(9.0, cycles=5e9)), (1.5, "b", due(3.0))]
    table = causes(tell(tmp_path, paths, tasks, tasks={"on_deadline": "drop"}).run)
    assert table.cause[1] == "queue"
    assert spent(table, 1) == {"sending": 1.0, "queue": 2.0}
    assert table.needed_s[1] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("paths", "changes", "cause"),
    [
        ({"a": [NEAR_A] * 2}, {}, "left"),
        ({"a": STAY, "b": STAY}, {"compute": {"edge": {"queue_limit": 0}}}, "rejected"),
        ({"a": STAY}, {"energy": {"vehicle_budget_j": 1e-9}}, "no_energy"),
    ],
)
def test_what_the_status_says(tmp_path, paths, changes, cause):
    """A loss with a status of its own has that cause."""
    arrivals = [(time_s, name) for time_s in (0.25, 5.0) for name in paths]
    table = causes(tell(tmp_path, paths, arrivals, **changes).run)
    assert set(table.cause) - {""} == {cause}


def test_the_ranking_counts_and_shares(tmp_path):
    """One task late by the queue and one by the deadline: counted, their shares of the time sum to 1, with examples."""
    paths = {"a": STAY, "b": STAY, "c": STAY}
    tasks = [(0.5, "a", due(9.0, cycles=3e9)), (1.5, "b", due(4.0)), (5.5, "c", due(0.1))]
    story = tell(tmp_path, paths, tasks)
    with Trace.open(story.run) as trace:
        found = lateness(trace)
    assert (found.late, found.lost) == (2, 0)
    by_cause = {one.cause: one for one in found.causes}
    assert {name: one.tasks for name, one in by_cause.items() if one.tasks} == {"queue": 1, "deadline": 1}
    assert by_cause["deadline"].examples == (2,)
    assert sum(one.delay_share for one in found.causes) == pytest.approx(1.0)


def test_a_run_without_late_tasks(tmp_path):
    """Nothing late, nothing lost: an empty ranking."""
    with Trace.open(tell(tmp_path, {"a": STAY}, [(0.5, "a")]).run) as trace:
        assert lateness(trace).causes == ()
        assert explain_task(trace, 0).lines[0] == "reason: none, it was in time"
