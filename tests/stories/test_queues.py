"""Tasks meet at a host: its queue is full, its order matters, deadlines pass in it.

Each transfer has a band of its own here, so that tasks come to the host 1 s after their release.
"""

import pytest
from stories import NEAR_A, Told, tell

CARS = {name: [NEAR_A] * 21 for name in "abc"}
OWN_BAND = {"access": {"kind": "fixed", "slice_share": 1.0}}
LONG = {"cycles": 3e9}


def at_host(tmp_path, arrivals, policy="A", **changes):
    """Three cars near A."""
    return tell(tmp_path, CARS, arrivals, policy, **{"duration_s": 20.0, "radio": OWN_BAND, **changes})


def test_edge_queue_full(tmp_path):
    """With one core and room for one in the queue, the third task is rejected at the moment at which it comes.

    host A   |0=========|1=========|
    queue      1
    at door      2: REJECTED
    """
    edge = {"edge": {"queue_limit": 1}}
    arrivals = [(0.5, "a", LONG), (0.75, "b", LONG), (1.0, "c", LONG)]
    story = at_host(tmp_path, arrivals, compute=edge)
    assert story.of("uplinked", "queued", "started", "executed", "TaskEnded") == [
        "1.5 uplinked 0 A",
        "1.5 queued 0",
        "1.5 started 0",
        "1.75 uplinked 1 A",
        "1.75 queued 1",
        "2 uplinked 2 A",
        "2 TaskEnded 2 REJECTED in QUEUE",
        "4.5 executed 0",
        "4.5 started 1",
        "5 TaskEnded 0 COMPLETED through A",
        "7.5 executed 1",
        "8 TaskEnded 1 COMPLETED through A",
    ]


def test_no_queue_at_all(tmp_path):
    """A host without a queue still serves as many tasks as it has cores."""
    edge = {"edge": {"queue_limit": 0}}
    story = at_host(tmp_path, [(0.5, "a", LONG), (0.75, "b", LONG)], compute=edge)
    assert story.of("TaskEnded") == ["1.75 TaskEnded 1 REJECTED in QUEUE", "5 TaskEnded 0 COMPLETED through A"]


@pytest.mark.parametrize(("discipline", "second"), [("fifo", 1), ("priority", 2)])
def test_urgent_tasks_go_first(tmp_path, discipline, second):
    """By S1 eq 7 with beta < 0 the waiting task with the earlier deadline is next; first come first served it is not.

    host A   |0=========|2=====|1=====|     deadlines: 1 at 15.75, 2 at 6
    """
    arrivals = [
        (0.5, "a", LONG),
        (0.75, "b", {"deadline_s": 15.0}),
        (1.0, "c", {"deadline_s": 5.0}),
    ]
    story = at_host(tmp_path, [_all(arrival) for arrival in arrivals], compute={"edge": {"discipline": discipline}})
    third = 3 - second
    assert story.of("started") == ["1.5 started 0", f"4.5 started {second}", f"5.5 started {third}"]


def _all(arrival):
    time_s, vehicle, given = arrival
    return time_s, vehicle, {"cycles": 1e9, "deadline_s": 9.0, **given}


def test_a_late_task_is_finished(tmp_path):
    """With `finish` a task whose deadline passes in the queue is executed all the same and ends LATE."""
    story = at_host(tmp_path, [(0.5, "a", LONG), (0.75, "b", {"cycles": 1e9, "deadline_s": 2.0})])
    assert story.about(1) == [
        "0.75 uplink 1",
        "1.75 uplinked 1 A",
        "1.75 queued 1",
        "4.5 started 1",
        "5.5 executed 1",
        "5.5 downlink 1",
        "6 TaskEnded 1 LATE through A",
    ]


def test_a_late_task_is_dropped_from_the_queue(tmp_path):
    """With `drop` it ends EXPIRED at its deadline in the queue, and the core goes to the next in line.

    host A   |0=========|2=====
    queue      1--x            deadline of 1 at 2.75
                 2------|
    """
    arrivals = [_all((0.5, "a", LONG)), _all((0.75, "b", {"deadline_s": 2.0})), _all((1.0, "c", {}))]
    story = at_host(tmp_path, arrivals, tasks={"on_deadline": "drop"})
    assert story.of("queued", "started", "executed", "TaskEnded") == [
        "1.5 queued 0",
        "1.5 started 0",
        "1.75 queued 1",
        "2 queued 2",
        "2.75 TaskEnded 1 EXPIRED in QUEUE",
        "4.5 executed 0",
        "4.5 started 2",
        "5 TaskEnded 0 COMPLETED through A",
        "5.5 executed 2",
        "6 TaskEnded 2 COMPLETED through A",
    ]


def test_a_late_task_is_dropped_from_the_core(tmp_path):
    """Dropped in execution it leaves its core at its deadline, having paid for the cycles until then.

    kappa f^2 C = 1e-28 x (1e9)^2 x 1e9 = 0.1 J
    """
    arrivals = [_all((0.5, "a", {"cycles": 3e9, "deadline_s": 2.0})), _all((0.75, "b", {}))]
    story = at_host(tmp_path, arrivals, tasks={"on_deadline": "drop"})
    assert story.of("started", "TaskEnded") == [
        "1.5 started 0",
        "2.5 TaskEnded 0 EXPIRED in EXECUTION",
        "2.5 started 1",
        "4 TaskEnded 1 COMPLETED through A",
    ]
    assert story.number(0, "edge_cpu_j") == pytest.approx(0.1)


def test_a_late_task_is_dropped_before_its_decision(tmp_path):
    """A task whose deadline passes before the next epoch ends EXPIRED undecided, at its deadline."""
    decisions = {"kind": "periodic", "period_s": 5.0}
    arrivals = [_all((0.5, "a", {"deadline_s": 2.0}))]
    story = at_host(tmp_path, arrivals, tasks={"on_deadline": "drop"}, decisions=decisions)
    assert story.facts[-1] == "2.5 TaskEnded 0 EXPIRED in DECISION"
    assert story.policy.epochs == []


def test_a_result_at_the_very_deadline_is_in_time(tmp_path):
    """A task that ends exactly at its deadline is COMPLETED, finished or dropped alike."""
    arrivals = [_all((0.5, "a", {"deadline_s": 1.0}))]
    for name, on_deadline in (("one", "finish"), ("two", "drop")):
        (tmp_path / name).mkdir()
        story = at_host(tmp_path / name, arrivals, Told("local"), tasks={"on_deadline": on_deadline})
        assert story.facts[-1] == "1.5 TaskEnded 0 COMPLETED", on_deadline


def test_more_cores_than_tasks(tmp_path):
    """Two tasks on two cores run side by side, each at a core's full speed."""
    story = at_host(tmp_path, [(0.5, "a"), (0.75, "b")], compute={"edge": {"cores": 2}})
    assert story.of("started", "executed") == ["1.5 started 0", "1.75 started 1", "2.5 executed 0", "2.75 executed 1"]


def test_processor_sharing(tmp_path):
    """Under processor sharing two tasks on one core slow each other down and start at once.

    0 runs alone from 1.5 to 2 and halves with 1 to 3; 1 has 0.5e9 cycles left then and ends at 3.5.
    """
    story = at_host(tmp_path, [(0.5, "a"), (1.0, "b")], compute={"edge": {"discipline": "processor_sharing"}})
    assert story.of("started", "executed") == ["1.5 started 0", "2 started 1", "3 executed 0", "3.5 executed 1"]
