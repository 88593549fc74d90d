"""SUMO takes a vehicle off the road and puts it back elsewhere."""

from stories import AWAY, NEAR_A, NEAR_B, tell


def test_teleport_during_uplink(tmp_path):
    """A vehicle that is being teleported has no radio; its uplink goes on when it is back, wherever that is.

    tick      0     1     2     3     4
    car a     A-----A-----~~~~~~~~~~~~B----
    uplink      |=========             |=====...
    """
    path = [NEAR_A] * 2 + [AWAY] * 2 + [NEAR_B] * 7
    story = tell(tmp_path, {"a": path}, [(0.5, "a", {"input_bit": 4e6})], "B", radio={"outage_s": 3.0})
    assert story.facts[4:] == [
        "0.5 uplink 0",
        "2 CellChanged a A->-",
        "2 TransferMoved 0 UPLINK A->- 2500000 bit left",
        "2 TeleportStarted a",
        "4 CellChanged a -->B",
        "4 TransferMoved 0 UPLINK -->B 2500000 bit left",
        "4 TeleportEnded a",
        "6.5 uplinked 0 B",
        "6.5 queued 0",
        "6.5 started 0",
        "7.5 executed 0",
        "7.5 downlink 0",
        "8 TaskEnded 0 COMPLETED through B",
    ]


def test_teleport_while_idle(tmp_path):
    """A task that is released during a teleport is decided, finds no radio, and is sent when the vehicle is back."""
    path = [NEAR_A] * 2 + [AWAY] * 2 + [NEAR_A] * 7
    story = tell(tmp_path, {"a": path}, [(3.5, "a")])
    assert story.facts == [
        "0 VehicleEntered a",
        "0 CellChanged a -->A",
        "2 CellChanged a A->-",
        "2 TeleportStarted a",
        "3.5 TaskReleased 0 a",
        "3.5 TaskDecided 0 EDGE A",
        "3.5 uplink 0",
        "4 CellChanged a -->A",
        "4 TransferMoved 0 UPLINK -->A 1000000 bit left",
        "4 TeleportEnded a",
        "5 uplinked 0 A",
        "5 queued 0",
        "5 started 0",
        "6 executed 0",
        "6 downlink 0",
        "6.5 TaskEnded 0 COMPLETED through A",
    ]


def test_a_teleported_vehicle_computes_on(tmp_path):
    """The vehicle's own processor does not mind a teleport."""
    path = [NEAR_A] * 2 + [AWAY] * 2 + [NEAR_A] * 7
    story = tell(tmp_path, {"a": path}, [(0.5, "a", {"cycles": 3e9})], "local")
    assert story.about(0) == ["0.5 queued 0", "0.5 started 0", "3.5 executed 0", "3.5 TaskEnded 0 COMPLETED"]


def test_a_teleport_that_ends_off_the_map(tmp_path):
    """A vehicle that leaves while it is being teleported ends its task LEFT; no TeleportEnded is stated."""
    story = tell(tmp_path, {"a": [NEAR_A] * 2 + [AWAY]}, [(0.5, "a", {"input_bit": 4e6})], radio={"outage_s": 3.0})
    assert story.facts[5:] == [
        "2 CellChanged a A->-",
        "2 TransferMoved 0 UPLINK A->- 2500000 bit left",
        "2 TeleportStarted a",
        "3 VehicleLeft a",
        "3 TaskEnded 0 LEFT in UPLINK",
    ]


def test_a_vehicle_that_begins_off_the_road(tmp_path):
    """A vehicle whose first frame is a teleport is on the map without a place, and is heard once it has one."""
    story = tell(tmp_path, {"a": [AWAY, AWAY, *[NEAR_A] * 9]}, [(0.5, "a")], radio={"outage_s": 3.0})
    assert story.of("VehicleEntered", "TeleportStarted", "TeleportEnded", "CellChanged", "uplinked") == [
        "0 VehicleEntered a",
        "0 TeleportStarted a",
        "2 CellChanged a -->A",
        "2 TeleportEnded a",
        "3 uplinked 0 A",
    ]


def test_others_do_not_notice(tmp_path):
    """While one vehicle is being teleported another is served as if it were alone."""
    paths = {"a": [NEAR_A] * 2 + [AWAY] * 9, "b": [NEAR_A] * 11}
    story = tell(tmp_path, paths, [(2.5, "b")])
    assert story.of("TaskEnded") == ["5 TaskEnded 0 COMPLETED through A"]
