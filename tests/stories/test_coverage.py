"""A vehicle drives through a hole in the coverage, or was never in any."""

import pytest
from physics import seen
from stories import FAR, NEAR_A, NEAR_B, tell

TASK = [(0.5, "a", {"input_bit": 4e6})]


def hole(ticks):
    """In the cell of A until tick 2, then in no cell for some ticks, then in A again."""
    return {"a": [NEAR_A] * 2 + [FAR] * ticks + [NEAR_A] * (9 - ticks)}


def test_a_hole_shorter_than_the_outage(tmp_path):
    """An uplink waits in a hole and goes on where it stopped, without a handover and without paying for the wait.

    tick      0     1     2     3     4
    car a     A-----A-----................A
    uplink      |=========             |=====...    1.5 Mbit, then 2.5 Mbit
    """
    story = tell(tmp_path, hole(2), TASK, radio={"outage_s": 3.0, "handover": {"interruption_s": 0.25}})
    assert story.facts[4:9] == [
        "0.5 uplink 0",
        "2 CellChanged a A->-",
        "2 TransferMoved 0 UPLINK A->- 2500000 bit left",
        "4 CellChanged a -->A",
        "4 TransferMoved 0 UPLINK -->A 2500000 bit left",
    ]
    assert story.facts[9] == "6.5 uplinked 0 A"
    assert story.number(0, "handovers") == 0
    assert story.number(0, "transmit_j") == pytest.approx(4.0)
    seen([story.number(0, "uplinked_s"), story.number(0, "transmit_j")], [6.5, 4.0])


def test_a_hole_longer_than_the_outage(tmp_path):
    """An uplink that is without coverage for outage_s fails at that moment, not at the next tick."""
    story = tell(tmp_path, hole(2), TASK, radio={"outage_s": 1.25})
    assert story.about(0) == [
        "0.5 uplink 0",
        "2 TransferMoved 0 UPLINK A->- 2500000 bit left",
        "3.25 TaskEnded 0 NO_COVERAGE in UPLINK",
    ]
    assert story.number(0, "transmit_j") == pytest.approx(1.5)


def test_two_short_holes_are_not_one_long_hole(tmp_path):
    """Each hole is measured by itself: two holes of 1 s outlast an outage_s of 1.5 s."""
    path = [NEAR_A] * 2 + [FAR] + [NEAR_A] + [FAR] + [NEAR_A] * 6
    story = tell(tmp_path, {"a": path}, TASK, radio={"outage_s": 1.5})
    assert story.of("uplinked") == ["6.5 uplinked 0 A"]


def test_a_result_that_cannot_be_delivered(tmp_path):
    """A result waits at its site for the vehicle; when outage_s is over it is lost on its way back."""
    story = tell(tmp_path, {"a": [NEAR_A] * 2 + [FAR] * 9}, [(0.5, "a")], radio={"outage_s": 2.0})
    assert story.about(0)[-3:] == [
        "2.5 TransferMoved 0 WIRES A->- 500000 bit left",
        "2.5 executed 0",
        "4.5 TaskEnded 0 NO_COVERAGE in RETURN",
    ]


def test_no_site_is_heard_at_all(tmp_path):
    """A vehicle that hears no site waits outage_s for one and loses its task, without having sent anything."""
    story = tell(tmp_path, {"a": [FAR] * 11}, [(0.5, "a")])
    assert story.facts == [
        "0 VehicleEntered a",
        "0.5 TaskReleased 0 a",
        "0.5 TaskDecided 0 EDGE A",
        "0.5 uplink 0",
        "1.5 TaskEnded 0 NO_COVERAGE in UPLINK",
    ]
    assert story.number(0, "transmit_j") == 0.0
    assert story.number(0, "uplink_site") == -1


def test_a_target_that_is_not_heard(tmp_path):
    """Where vehicles send straight to their target (S1, S3), a target out of reach fails beside a serving cell."""
    story = tell(tmp_path, {"a": [NEAR_A] * 11}, [(0.5, "a")], "B", radio={"association": "target"})
    assert story.of("CellChanged", "TaskEnded") == ["0 CellChanged a -->A", "1.5 TaskEnded 0 NO_COVERAGE in UPLINK"]


def test_a_target_that_is_lost(tmp_path):
    """A transfer that is tied to its target does not follow the vehicle into another cell; it waits and is lost."""
    path = [NEAR_A] * 2 + [NEAR_B] * 9
    story = tell(tmp_path, {"a": path}, TASK, radio={"association": "target"})
    assert story.facts[5:] == [
        "2 CellChanged a A->B",
        "2 TransferMoved 0 UPLINK A->- 2500000 bit left",
        "3 TaskEnded 0 NO_COVERAGE in UPLINK",
    ]


def test_a_task_at_home_needs_no_coverage(tmp_path):
    """A vehicle without coverage computes for itself as if nothing were missing."""
    story = tell(tmp_path, {"a": [FAR] * 11}, [(0.5, "a")], "local")
    assert story.facts[-1] == "1.5 TaskEnded 0 COMPLETED"
