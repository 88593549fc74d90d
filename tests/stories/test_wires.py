"""A task goes over wires: to a host behind another site, to a vehicle that has moved on, to the cloud."""

from physics import seen
from stories import FAR, NEAR_A, NEAR_B, Told, tell

WIRE = {"kind": "star", "bandwidth_bps": 1e6, "latency_s": 0.1}
"""Two hops between sites: 1 Mbit takes 2.2 s, 0.5 Mbit takes 1.2 s."""


def test_result_after_the_vehicle_has_moved_on(tmp_path):
    """A result crosses the star to the cell where the vehicle is now, and goes down there.

    tick      0     1     2     3     4
    car a     A-----A-----B----------------
    task        |=up==|==edge=|
    wires                     |A-core-B|      2 x 0.5 s + 2 x 0.1 s
    downlink                           |==|   in B
    """
    story = tell(tmp_path, {"a": [NEAR_A] * 2 + [NEAR_B] * 9}, [(0.5, "a")], backhaul=WIRE)
    assert story.facts[4:] == [
        "0.5 uplink 0",
        "1.5 uplinked 0 A",
        "1.5 queued 0",
        "1.5 started 0",
        "2 CellChanged a A->B",
        "2.5 executed 0",
        "3.7 downlink 0",
        "4.2 TaskEnded 0 COMPLETED through B",
    ]


def test_vehicle_moves_on_while_the_result_returns(tmp_path):
    """A result for B whose vehicle is back in A as it arrives there crosses the wires back, and goes down in A."""
    path = [NEAR_A] * 2 + [NEAR_B] + [NEAR_A] * 8
    story = tell(tmp_path, {"a": path}, [(0.5, "a")], backhaul=WIRE)
    assert story.of("CellChanged")[1:] == ["2 CellChanged a A->B", "3 CellChanged a B->A"]
    assert story.about(0)[-3:] == [
        "3.7 TransferMoved 0 WIRES B->A 500000 bit left",
        "4.9 downlink 0",
        "5.4 TaskEnded 0 COMPLETED through A",
    ]


def test_vehicle_without_coverage_has_no_way_back_yet(tmp_path):
    """A result for a vehicle in a hole stays where it was computed and waits there for the vehicle."""
    path = [NEAR_A] * 2 + [FAR] + [NEAR_A] * 8
    story = tell(tmp_path, {"a": path}, [(0.5, "a")], backhaul=WIRE)
    assert story.about(0)[-3:] == [
        "3 TransferMoved 0 WIRES -->A 500000 bit left",
        "3 downlink 0",
        "3.5 TaskEnded 0 COMPLETED through A",
    ]


def test_host_behind_another_site(tmp_path):
    """A task for a host elsewhere goes up in the serving cell and over the wires both ways.

    0.5 + 1 uplink + 2.2 wires + 1 execution + 1.2 wires + 0.5 downlink = 6.4
    """
    story = tell(tmp_path, {"a": [NEAR_A] * 11}, [(0.5, "a")], "B", backhaul=WIRE)
    assert story.about(0) == [
        "0.5 uplink 0",
        "1.5 uplinked 0 A",
        "3.7 queued 0",
        "3.7 started 0",
        "4.7 executed 0",
        "5.9 downlink 0",
        "6.4 TaskEnded 0 COMPLETED through A",
    ]


def test_a_site_that_is_radio_only(tmp_path):
    """A site without cores carries tasks for others' hosts, and rejects a task that is meant for itself."""
    listed = {
        "kind": "listed",
        "sites": [{"name": "A", "x_m": 0, "y_m": 0, "cores": 0}, {"name": "B", "x_m": 1000, "y_m": 0}],
    }
    story = tell(
        tmp_path, {"a": [NEAR_A] * 11}, [(0.5, "a"), (7.0, "a")], Told(["B", "A"]), backhaul=WIRE, sites=listed
    )
    assert story.of("TaskEnded") == ["6.4 TaskEnded 0 COMPLETED through A", "8 TaskEnded 1 REJECTED in QUEUE"]


def test_a_wire_is_shared(tmp_path):
    """Two tasks that cross the same wires at once take twice as long on each hop.

    Both uplinks end at 2.5 (half the band each); each of two hops then takes 2 s for both, and 0.2 s latency.
    """
    paths = {"a": [NEAR_A] * 11, "b": [NEAR_A] * 11}
    story = tell(tmp_path, paths, [(0.5, "a"), (0.5, "b")], "B", backhaul=WIRE, compute={"edge": {"cores": 2}})
    assert story.of("uplinked", "queued") == [
        "2.5 uplinked 0 A",
        "2.5 uplinked 1 A",
        "6.7 queued 0",
        "6.7 queued 1",
    ]


def test_cloud_behind_the_wan(tmp_path):
    """The cloud is two hops away: the site's wire and the WAN, each with its own delay and rate, both ways.

    0.5 + 1 uplink + (1 + 0.5 + 0.1 + 0.4) + 0.5 execution + (0.5 + 0.25 + 0.1 + 0.4) + 0.5 downlink = 5.75
    """
    cloud = {"cores": 1, "core_hz": 2e9, "latency_s": 0.4, "bandwidth_bps": 2e6}
    story = tell(tmp_path, {"a": [NEAR_A] * 11}, [(0.5, "a")], "cloud", backhaul=WIRE, cloud=cloud)
    assert story.facts[3] == "0.5 TaskDecided 0 CLOUD cloud"
    assert story.about(0) == [
        "0.5 uplink 0",
        "1.5 uplinked 0 A",
        "3.5 queued 0",
        "3.5 started 0",
        "4 executed 0",
        "5.25 downlink 0",
        "5.75 TaskEnded 0 COMPLETED through A",
    ]
    seen([story.number(0, name) for name in ("queued_s", "downlink_s", "time_s")], [3.5, 5.25, 5.75])
