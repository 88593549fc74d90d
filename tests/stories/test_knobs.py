"""What a policy turns becomes rates: shares of the band and of the processor, transmit power."""

from math import log2

import pytest
from stories import NEAR_A, Told, tell

PATHS = {"a": [NEAR_A] * 11, "b": [NEAR_A] * 11}
TASKS = [(0.5, "a"), (0.5, "b")]
SHARES = [1.0, 0.5]


def test_bandwidth_shares(tmp_path):
    """Shares of 1 and 0.5 give rates of 2 : 1; alone later, a share of 0.5 is half the band.

    2/3 Mbit/s ends at 2; the other has 0.5 Mbit left and sends them at 0.5 Mbit/s to 3.
    """
    story = tell(tmp_path, PATHS, TASKS, Told("A", share=SHARES), decisions={"knobs": ["target", "share"]})
    assert story.of("uplinked") == ["2 uplinked 0 A", "3 uplinked 1 A"]


def test_cpu_shares(tmp_path):
    """Under processor sharing CPU shares of 1 and 0.5 give speeds of 2 : 1; alone later, 0.5 is half a core."""
    story = tell(
        tmp_path,
        PATHS,
        TASKS,
        Told("A", cpu_share=SHARES),
        decisions={"knobs": ["target", "cpu_share"]},
        compute={"edge": {"discipline": "processor_sharing"}},
    )
    assert story.of("started", "executed") == [
        "2.5 started 0",
        "2.5 started 1",
        "4 executed 0",
        "5 executed 1",
    ]


@pytest.mark.parametrize(("power_w", "snr"), [(0.5, 0.5), (1.0, 1.0), (3.0, 3.0), (9.0, 3.0)])
def test_power(tmp_path, power_w, snr):
    """Power changes the rate as Shannon says, up to the scenario's bound, and is paid for while sending.

    At 100 m each watt is 0 dB: B log2(1 + p), bound 3 W.
    """
    story = tell(
        tmp_path,
        {"a": [(0.0, 100.0)] * 11},
        TASKS[:1],
        Told("A", power_w=[power_w]),
        decisions={"knobs": ["target", "power"]},
        radio={"max_efficiency_bps_hz": None, "min_snr_db": -20.0, "max_vehicle_power_w": 3.0},
    )
    airtime_s = 1.0 / log2(1.0 + snr)
    assert story.number(0, "uplinked_s") == pytest.approx(0.5 + airtime_s)
    assert story.number(0, "transmit_j") == pytest.approx(snr * airtime_s)


def test_knobs_that_the_scenario_keeps(tmp_path):
    """A knob that the scenario does not hand over is not turned: both have the same share and end together."""
    story = tell(tmp_path, PATHS, TASKS, Told("A", share=SHARES))
    assert story.of("uplinked") == ["2.5 uplinked 0 A", "2.5 uplinked 1 A"]


def test_without_the_target_knob_the_least_expected_latency_decides(tmp_path):
    """A policy that may turn the power alone does not choose where: its "local" is not heard, the edge is faster."""
    story = tell(
        tmp_path,
        PATHS,
        TASKS[:1],
        Told("local"),
        decisions={"knobs": ["power"]},
        compute={"vehicle": {"core_hz": 1e7}},
    )
    assert story.of("uplinked") != []
    assert story.number(0, "tier") == 1
