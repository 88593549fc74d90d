"""A car on a road with holes and borders gets its result over wires: whole scenarios from their files.

A car drives 20 m/s along a road from A at 0 m; wires of the star take 0.5 s and carry 1 Mbit in 1 s, the WAN 0.5 s. Its
result of 1 Mbit is ready at 31 s without a cell (B serves from 36.9 s), or at 29 s in B (C serves from 30.5 s).
"""

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


@pytest.mark.parametrize(
    ("sites", "more", "tier", "cycles", "downlink_s", "site", "wires"),
    rest_long([
        (BORDER, WIRE, 1, 28e9, 35.0, 2, 4),
        (GAP, WIRE, 1, 30e9, 39.9, 1, 2),
        (GAP, CLOUD, 2, 30e9, 37.4, 1, 2),
    ]),
)  # fmt: skip
def test_when_the_downlink_starts(
    tmp_path: Path, sites: str, more: str, tier: int, cycles: float, downlink_s: float, site: int, wires: int
) -> None:
    """Coverage at 36.9 s + 3 s of wires, or + 0.5 s of WAN; 29 s + 3 s to B + 3 s to C."""
    (tmp_path / "one.yaml").write_text((SCENARIO % sites) + more)
    (tmp_path / "there.py").write_text(POLICY.replace("TIER", str(tier)))
    (tmp_path / "tasks.csv").write_text(
        f"time_s,vehicle_id,input_bit,output_bit,cycles,deadline_s\n1,car00000000,1000,1e6,{cycles},100\n"
    )
    run = cosim.simulate(cosim.load(tmp_path / "one.yaml"), tmp_path / "run").folder
    with Trace.open(run) as trace:
        row = trace.sql("SELECT downlink_s, downlink_from_site, downlink_site, wire_bit FROM task_ended").iloc[0]
    assert row.downlink_s == pytest.approx(downlink_s, abs=0.005)
    assert (row.downlink_from_site, row.downlink_site, row.wire_bit) == (site, site, wires * 1e6)
    assert cosim.verify(run).ok
