"""A car on a road with holes and borders gets its result over wires: whole scenarios from their files.

A car drives 20 m/s along a road from A at 0 m; wires of the star take 0.5 s and carry 1 Mbit in 1 s, the WAN 0.5 s. Its
result of 1 Mbit is ready at 31 s without a cell (B serves from 36.9 s), or at 29 s in B (C serves from 30.5 s).
"""

import math
from pathlib import Path

import pytest
from effort import rest_long

import cosim
from cosim.trace.store.reader import Trace

SCENARIO = """
duration_s: 45
map: intersection
mobility: {kind: synthetic, vehicles: 1, roads: 1, length_m: 1300, speed_mps: 20, step_s: 0.1}
sites: {kind: listed, sites: [%s]}
radio: {bandwidth_hz: 20e6, path_loss: {kind: power_law, exponent: 3.5}, outage_s: 60}
compute: {edge: {cores: 1, core_hz: 1e9}}
statistics: {warmup_s: 0}
policy: there.py:There
decisions: {kind: per_task}
tasks:
  arrivals: {kind: file, file: tasks.csv}
  classes: [{name: t, deadline_s: 100}]
"""
POLICY = """
import cosim
class There:
    def decide(self, observation):
        return cosim.Action(option=(observation.tier == TIER).argmax(axis=1))
"""
SITE = "{name: %s, x_m: %d, y_m: 10, cores: %d}"
GAP = ", ".join((SITE % ("A", 0, 1), SITE % ("B", 1000, 0)))
BORDER = ", ".join((SITE % ("A", 0, 1), SITE % ("B", 500, 0), SITE % ("C", 700, 0)))
WIRE = "backhaul: {bandwidth_bps: 1e6, latency_s: 0.5}"
CLOUD = "cloud: {cores: 1, core_hz: 1e9, latency_s: 0.5}"


def on_the_air_s(along_m: float) -> float:
    """The time of 1 Mbit over 20 MHz, 10 m across and so far along from a site, by Shannon from the link budget.

    30 dBm + 3 dB of antennas - (40 + 35 log10 d) dB, over -174 dBm/Hz + 10 log10 20 MHz + 9 dB = -91.99 dBm of noise;
    7.4063 bit/s/Hz at most.
    """
    loss_db = 40.0 + 35.0 * math.log10(math.hypot(along_m, 10.0))
    noise_dbm = -174.0 + 10.0 * math.log10(20e6) + 9.0
    return 1e6 / (20e6 * min(math.log2(1.0 + 10.0 ** ((30.0 + 3.0 - loss_db - noise_dbm) / 10.0)), 7.4063))


@pytest.mark.parametrize(
    ("sites", "more", "tier", "cycles", "downlink_s", "along_m", "site", "wires"),
    rest_long([
        (GAP, WIRE, 1, 30e9, 39.9, 1000 - 798, 1, 2),
        (BORDER, WIRE, 1, 28e9, 35.0, 700 - 700, 2, 4),
        (GAP, CLOUD, 2, 30e9, 37.4, 1000 - 748, 1, 2),
    ]),
)  # fmt: skip
def test_when_a_result_is_back(
    tmp_path: Path,
    sites: str,
    more: str,
    tier: int,
    cycles: float,
    downlink_s: float,
    along_m: float,
    site: int,
    wires: int,
) -> None:
    """Coverage at 36.9 s + 3 s of wires, or + 0.5 s of WAN; 29 s + 3 s to B + 3 s to C; then its time on the air.

    At 39.9 s the car is at 798 m, 202.2 m from B: 37.6 Mbit/s, 0.0266 s, so that it is back at 39.927 s. At 36.9 s, at
    738 m, the same bits would have taken 0.0473 s: the way is 60 m shorter after 3 s of wires.
    """
    (tmp_path / "one.yaml").write_text((SCENARIO % sites) + more)
    (tmp_path / "there.py").write_text(POLICY.replace("TIER", str(tier)))
    (tmp_path / "tasks.csv").write_text(
        f"time_s,vehicle_id,input_bit,output_bit,cycles,deadline_s\n1,car00000000,1000,1e6,{cycles},100\n"
    )
    run = cosim.simulate(cosim.load(tmp_path / "one.yaml"), tmp_path / "run").folder
    with Trace.open(run) as trace:
        row = trace.sql("SELECT downlink_s, time_s, downlink_from_site, downlink_site, wire_bit FROM task_ended").iloc[
            0
        ]
    assert row.downlink_s == pytest.approx(downlink_s, abs=0.005)
    assert row.time_s - row.downlink_s == pytest.approx(on_the_air_s(along_m), rel=1e-9)
    assert (row.downlink_from_site, row.downlink_site, row.wire_bit) == (site, site, wires * 1e6)
    assert cosim.verify(run).ok
