"""A vehicle comes onto the map, or stands still on it."""

from stories import NEAR_A, tell


def test_served_on_its_first_tick(tmp_path):
    """A task that is released at the very tick at which its vehicle enters is decided and sent at once."""
    story = tell(tmp_path, {"a": [None, None, *[NEAR_A] * 9]}, [(2.0, "a")])
    assert story.facts == [
        "2 VehicleEntered a",
        "2 CellChanged a -->A",
        "2 TaskReleased 0 a",
        "2 TaskDecided 0 EDGE A",
        "2 uplink 0",
        "3 uplinked 0 A",
        "3 queued 0",
        "3 started 0",
        "4 executed 0",
        "4 downlink 0",
        "4.5 TaskEnded 0 COMPLETED through A",
    ]


def test_an_arrival_before_its_vehicle_is_no_task(tmp_path):
    """Arrivals of a vehicle that is not on the map yet are left out."""
    story = tell(tmp_path, {"a": [None, None, *[NEAR_A] * 9]}, [(1.5, "a"), (2.5, "a")])
    assert story.of("TaskReleased") == ["2.5 TaskReleased 0 a"]


def test_a_parked_vehicle_keeps_its_link(tmp_path):
    """A vehicle that stands still for the whole run has one cell change, its first, and is served like any other."""
    story = tell(tmp_path, {"a": [NEAR_A] * 11}, [(0.5, "a"), (5.5, "a")])
    assert story.of("CellChanged", "TransferMoved", "VehicleLeft") == ["0 CellChanged a -->A"]
    assert story.of("TaskEnded") == ["3 TaskEnded 0 COMPLETED through A", "8 TaskEnded 1 COMPLETED through A"]
