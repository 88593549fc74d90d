"""A neighbour in range executes the task: out of all coverage, 50 m away, over a sidelink of 1 Mbit/s."""

import pytest
from physics import seen
from stories import FAR, Told, tell

BESIDE, BEYOND = (550.0, 10.0), (800.0, 10.0)
SIDELINK = {
    "sidelink": {
        "range_m": 80.0,
        "bandwidth_hz": 1e6,
        "path_loss": {"kind": "power_law", "exponent": 2.0, "gain_at_1m_db": 0.0},
    }
}
TASK = [(0.5, "a")]


def beside(tmp_path, helper, owner=None, arrivals=TASK, policy="b", **changes):
    """Car b helps car a."""
    return tell(tmp_path, {"a": owner or [FAR] * 11, "b": helper}, arrivals, policy, radio=SIDELINK, **changes)


def test_a_neighbour_helps(tmp_path):
    """A task goes over the sidelink, through the neighbour's processor and back; both radios and its cycles are paid.

    1 s + 0.5 s on the air at 1 W; kappa f^2 C = 1e-27 x (1e9)^2 x 1e9 = 1 J
    """
    story = beside(tmp_path, [BESIDE] * 11)
    assert story.facts == [
        "0 VehicleEntered a",
        "0 VehicleEntered b",
        "0.5 TaskReleased 0 a",
        "0.5 TaskDecided 0 NEIGHBOUR b",
        "0.5 uplink 0",
        "1.5 uplinked 0",
        "1.5 queued 0",
        "1.5 started 0",
        "2.5 executed 0",
        "2.5 downlink 0",
        "3 TaskEnded 0 COMPLETED",
    ]
    assert story.number(0, "transmit_j") == pytest.approx(1.5)
    assert story.number(0, "vehicle_cpu_j") == pytest.approx(1.0)
    names = ("uplinked_s", "executed_s", "time_s", "transmit_j", "vehicle_cpu_j")
    seen([story.number(0, name) for name in names], [1.5, 2.5, 3.0, 1.5, 1.0])
    assert story.number(0, "edge_cpu_j") == 0.0


def test_the_neighbour_leaves_the_map(tmp_path):
    """A task whose helper leaves in the middle of the execution ends HELPER_LOST at that tick."""
    story = beside(tmp_path, [BESIDE] * 2)
    assert story.facts[-3:] == ["1.5 started 0", "2 VehicleLeft b", "2 TaskEnded 0 HELPER_LOST in EXECUTION"]
    assert story.number(0, "vehicle_cpu_j") == pytest.approx(0.5)


def test_the_neighbour_leaves_while_it_receives(tmp_path):
    """A helper that leaves the map in the middle of the transfer is lost at that tick."""
    story = beside(tmp_path, [BESIDE])
    assert story.facts[-2:] == ["1 VehicleLeft b", "1 TaskEnded 0 HELPER_LOST in UPLINK"]
    assert story.number(0, "transmit_j") == pytest.approx(0.5)


def test_the_neighbour_drives_out_of_range(tmp_path):
    """A sidelink ends at the tick at which the two are out of range."""
    story = beside(tmp_path, [BESIDE] + [BEYOND] * 10)
    assert story.facts[-1] == "1 TaskEnded 0 HELPER_LOST in UPLINK"


def test_the_neighbour_is_out_of_range_when_it_is_done(tmp_path):
    """A helper that drives off while it executes works to the end; its result then has no way back."""
    story = beside(tmp_path, [BESIDE] * 2 + [BEYOND] * 9)
    assert story.about(0)[-3:] == ["2.5 executed 0", "2.5 downlink 0", "2.5 TaskEnded 0 HELPER_LOST in DOWNLINK"]


def test_the_neighbour_comes_back_in_time(tmp_path):
    """Between two transfers range does not matter: a helper that is back when it is done delivers its result."""
    story = beside(tmp_path, [BESIDE] * 2 + [BEYOND] + [BESIDE] * 8, arrivals=[(0.5, "a", {"cycles": 2e9})])
    assert story.facts[-1] == "4 TaskEnded 0 COMPLETED"


def test_the_owner_leaves_the_map(tmp_path):
    """A helper works on for a vehicle that has left; its result finds nobody."""
    story = beside(tmp_path, [BESIDE] * 11, owner=[FAR] * 2)
    assert story.about(0)[-3:] == ["2.5 executed 0", "2.5 downlink 0", "2.5 TaskEnded 0 LEFT in DOWNLINK"]


def test_a_helper_has_work_of_its_own(tmp_path):
    """A neighbour's task waits in line behind the helper's own."""
    arrivals = [(0.5, "a"), (0.75, "b", {"cycles": 2e9})]
    story = beside(tmp_path, [BESIDE] * 11, arrivals=arrivals, policy=Told(["b", "local"]))
    assert story.of("queued", "started") == ["0.75 queued 1", "0.75 started 1", "1.5 queued 0", "2.75 started 0"]


def test_two_at_the_very_same_place(tmp_path):
    """Two vehicles at one place are each other's neighbours, not their own."""
    story = beside(tmp_path, [FAR] * 11, arrivals=[(0.5, "a"), (5.0, "b")], policy=Told(["b", "a"]))
    assert story.of("TaskEnded") == ["3 TaskEnded 0 COMPLETED", "7.5 TaskEnded 1 COMPLETED"]
