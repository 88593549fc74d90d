"""A vehicle leaves the map while its task is on the way."""

import gc

import pytest
from stories import NEAR_A, Told, tell

from cosim.journey import Journey

START = ["0 VehicleEntered a", "0 CellChanged a -->A", "0.5 TaskReleased 0 a"]


def test_leaves_in_uplink(tmp_path):
    """A vehicle that leaves in the uplink ends its task LEFT at that tick, and has paid for 1.5 s on the air at 1 W.

    tick      0     1     2
    car a     A-----A-----gone
    uplink      |=========x      4 Mbit, 1.5 Mbit sent
    """
    story = tell(tmp_path, {"a": [NEAR_A] * 2}, [(0.5, "a", {"input_bit": 4e6})])
    assert story.facts == [
        *START,
        "0.5 TaskDecided 0 EDGE A",
        "0.5 uplink 0",
        "2 VehicleLeft a",
        "2 TaskEnded 0 LEFT in UPLINK",
    ]
    assert story.number(0, "transmit_j") == pytest.approx(1.5)


def test_leaves_while_waiting_for_a_decision(tmp_path):
    """A task whose vehicle leaves before the next epoch is never decided and ends LEFT."""
    story = tell(tmp_path, {"a": [NEAR_A] * 2}, [(0.5, "a")], decisions={"kind": "periodic", "period_s": 5.0})
    assert story.facts == [*START, "2 VehicleLeft a", "2 TaskEnded 0 LEFT in DECISION"]
    assert story.policy.epochs == []


def test_leaves_while_its_task_is_at_the_edge(tmp_path):
    """The edge works on for a vehicle that has left; the result finds nobody and the task ends LEFT in the downlink.

    tick      0     1     2     3
    car a     A-----A-----gone
    task        |=up==|==edge=|x
    """
    story = tell(tmp_path, {"a": [NEAR_A] * 2}, [(0.5, "a")])
    assert story.facts == [
        *START,
        "0.5 TaskDecided 0 EDGE A",
        "0.5 uplink 0",
        "1.5 uplinked 0 A",
        "1.5 queued 0",
        "1.5 started 0",
        "2 VehicleLeft a",
        "2.5 executed 0",
        "2.5 downlink 0",
        "2.5 TaskEnded 0 LEFT in DOWNLINK",
    ]


def test_leaves_in_downlink(tmp_path):
    """A vehicle that leaves while it receives ends its task LEFT at that tick."""
    story = tell(tmp_path, {"a": [NEAR_A] * 3}, [(0.5, "a", {"output_bit": 2e6})])
    assert story.about(0)[-3:] == ["2.5 executed 0", "2.5 downlink 0", "3 TaskEnded 0 LEFT in DOWNLINK"]


def test_leaves_during_local_execution(tmp_path):
    """A vehicle takes its processor along: its task ends LEFT with the energy of the cycles that were done.

    kappa f^2 C = 1e-27 x (1e9)^2 x 1.5e9 = 1.5 J
    """
    story = tell(tmp_path, {"a": [NEAR_A] * 2}, [(0.5, "a", {"cycles": 4e9})], Told("local"))
    assert story.facts == [
        *START,
        "0.5 TaskDecided 0 LOCAL",
        "0.5 queued 0",
        "0.5 started 0",
        "2 VehicleLeft a",
        "2 TaskEnded 0 LEFT in EXECUTION",
    ]
    assert story.number(0, "vehicle_cpu_j") == pytest.approx(1.5)


def test_leaves_with_tasks_in_its_own_queue(tmp_path):
    """Tasks that wait for the vehicle's own processor end with it, in the queue and unpaid: none of them moves up."""
    arrivals = [(0.5, "a", {"cycles": 4e9}), (0.75, "a")]
    story = tell(tmp_path, {"a": [NEAR_A] * 2}, arrivals, Told("local"))
    assert story.of("TaskEnded") == ["2 TaskEnded 1 LEFT in QUEUE", "2 TaskEnded 0 LEFT in EXECUTION"]
    assert story.number(1, "vehicle_cpu_j") == 0.0


def test_another_vehicle_is_not_disturbed(tmp_path):
    """When one of two senders leaves, the other has the whole band from that tick on.

    a and b share 1 Mbit/s from 0.5 to 2; b has 4 - 0.75 Mbit left and sends them alone in 3.25 s.
    """
    paths = {"a": [NEAR_A] * 2, "b": [NEAR_A] * 11}
    story = tell(tmp_path, paths, [(0.5, "a", {"input_bit": 4e6}), (0.5, "b", {"input_bit": 4e6})])
    assert story.about(0)[-1] == "2 TaskEnded 0 LEFT in UPLINK"
    assert story.about(1)[1] == "5.25 uplinked 1 A"


def test_tasks_that_failed_are_freed_at_once(tmp_path):
    """What a failed task leaves is freed without the garbage collector, which would else walk a whole backlog."""
    tasks = [(0.5 + 0.125 * number, "a", {"input_bit": 4e6}) for number in range(8)]
    gc.collect()
    gc.disable()
    try:
        story = tell(tmp_path, {"a": [NEAR_A] * 2}, tasks)
        assert len([fact for fact in story.facts if "LEFT in" in fact]) == 8
        assert not [thing for thing in gc.get_objects() if isinstance(thing, Journey) and thing.wait is None]
    finally:
        gc.enable()
