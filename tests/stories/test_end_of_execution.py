"""An execution ends at the very instant at which something else happens."""

from stories import NEAR_A, tell


def test_vehicle_leaves_as_its_execution_ends(tmp_path):
    """Vehicles move before anything else happens at an instant: who leaves at it does not see its execution end."""
    story = tell(tmp_path, {"a": [NEAR_A] * 2}, [(1.0, "a")], "local")
    assert story.facts[-2:] == ["2 VehicleLeft a", "2 TaskEnded 0 LEFT in EXECUTION"]


def test_run_ends_as_the_execution_ends(tmp_path):
    """What is done at the last instant of a run still counts."""
    story = tell(tmp_path, {"a": [NEAR_A] * 11}, [(9.0, "a")], "local")
    assert story.facts[-1] == "10 TaskEnded 0 COMPLETED"


def test_a_core_is_handed_over_without_a_gap(tmp_path):
    """A task that comes at the instant at which the core falls free starts at it."""
    radio = {"access": {"kind": "fixed", "slice_share": 1.0}}
    story = tell(tmp_path, {"a": [NEAR_A] * 11}, [(0.5, "a"), (1.5, "a")], radio=radio)
    assert story.of("queued", "executed", "started") == [
        "1.5 queued 0",
        "1.5 started 0",
        "2.5 executed 0",
        "2.5 queued 1",
        "2.5 started 1",
        "3.5 executed 1",
    ]
