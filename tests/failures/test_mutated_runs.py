"""Whatever a scenario that loads asks for, its run ends in one line or adds up."""

import copy
import itertools
from collections import Counter
from pathlib import Path
from typing import Any

from effort import count, drawn
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from cosim.audit.verify import verify
from cosim.errors import InputError, RunError
from cosim.runner import simulate
from cosim.scenario.load import load

BASE = YAML(typ="safe").load(
    """
name: mutated
duration_s: 1.3
seed: 1
policy: random
statistics: {warmup_s: 0, batches: 3}
mobility: {kind: synthetic, vehicles: 8, roads: 2, length_m: 600, speed_mps: 20, step_s: 0.25, placement: even}
sites: {kind: listed, sites: [{name: a, x_m: 100, y_m: 10}, {name: b, x_m: 500, y_m: 10, cores: 2, core_hz: 1e9}]}
radio:
  bandwidth_hz: 5e6
  downlink_bandwidth_hz: 5e6
  vehicle_power_w: 0.2
  max_vehicle_power_w: 0.4
  site_power_w: 1
  antenna_gain_db: 3
  noise_figure_db: 9
  max_efficiency_bps_hz: 7
  min_snr_db: -6
  outage_s: 0.5
  candidates: 4
  interference: true
  association: strongest
  path_loss: {kind: umi, frequency_ghz: 5.9, site_height_m: 10, vehicle_height_m: 1.5}
  access: {kind: ofdma}
  handover: {hysteresis_db: 1, interruption_s: 0.05, transfer: continue}
  sidelink: {range_m: 200, bandwidth_hz: 1e7, max_neighbours: 2}
backhaul: {kind: star, bandwidth_bps: 1e9, latency_s: 0.001, neighbours: 2}
cloud: {cores: 4, core_hz: 3e9, latency_s: 0.02, bandwidth_bps: 1e9}
compute:
  edge: {cores: 1, core_hz: 3e9, discipline: fifo, queue_limit: 3, kappa: 1e-28}
  vehicle: {core_hz: {kind: uniform, low: 1e9, high: 2e9}, queue_limit: 4, kappa: 1e-27}
energy: {vehicle_budget_j: 3, receive_power_w: 0.1}
tasks:
  on_deadline: finish
  arrivals: {kind: poisson, rate_per_s: 5, profile: [{time_s: 0, factor: 1}, {time_s: 1, factor: 2}]}
  classes:
    - {name: plain, weight: 2, input_bit: 1e6, cycles: {kind: lognormal, mean: 3e8, cv: 1}, deadline_s: 0.5}
    - {name: semantic, deadline_s: {kind: exponential, mean: 0.4}, semantic: {min_efficiency: 0.5, urgency_weight: -1}}
decisions: {kind: periodic, period_s: 0.1, candidates: 2, inference_s: 0.01, knobs: [target, share, power, cpu_share]}
trace: {sample_s: 0.2, part_s: 0.5, positions: true}
"""
)
NUMBERS = [
    0,
    1,
    2,
    3,
    7,
    0.5,
    1.25,
    1e-30,
    1e-9,
    1e-3,
    40.0,
    300.0,
    1e4,
    1e6,
    1e9,
    1e12,
    1e18,
    -1,
    -40.0,
    -300.0,
    -1e18,
]
SECTIONS: dict[str, list[Any]] = {
    "access": [{"kind": "noma"}, {"kind": "noma", "sic": False}, {"kind": "fixed", "slice_share": 0.3}],
    "path_loss": [{"kind": "power_law"}, {"kind": "v2v_urban"}, {"kind": "v2v_highway", "los": "never"}],
    "sites": [
        {"kind": "grid", "spacing_m": 200},
        {"kind": "grid", "spacing_m": 1e-9},
        {"kind": "roads"},
        {"kind": "map"},
    ],
    "decisions": [{"kind": "per_task"}, {"kind": "periodic", "period_s": 10}],
    "backhaul": [{"kind": "mesh", "neighbours": 1}],
    "sidelink": [None],
    "cloud": [None],
    "energy": [{}],
    "policy": [
        "local",
        "nearest",
        "greedy-latency",
        "round-robin",
        {"name": "optimal", "options": {"max_assignments": 4}},
    ],
    "discipline": ["priority", "processor_sharing"],
    "association": ["target"],
    "transfer": ["restart"],
    "on_deadline": ["drop"],
    "placement": ["random"],
    "knobs": [[], ["power"], ["target"]],
    "speed_mps": [0, {"kind": "choice", "values": [0, 3, 1e4]}, {"kind": "exponential", "mean": 1e18}],
    "core_hz": [{"kind": "exponential", "mean": 1e-20}, {"kind": "lognormal", "mean": 1e9, "cv": 1e18}],
    "arrivals": [{"kind": "poisson", "rate_per_s": 1e18}, {"kind": "poisson", "rate_per_s": 0}],
}
TOO_LONG = {"duration_s", "vehicles", "roads", "rate_per_s", "factor", "step_s", "period_s", "sample_s"}
"""Fields whose large or small values are possible and take long."""


def leaves(data: Any) -> list[tuple[Any, Any]]:
    """Every holder with a key of it, in order."""
    below = list(data.items() if isinstance(data, dict) else enumerate(data))
    inner = [item for _, item in below if isinstance(item, dict | list)]
    return [*((data, key) for key, _ in below), *itertools.chain.from_iterable(map(leaves, inner))]


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """The scenario with one to four other numbers, words, sections or switches."""
    data = copy.deepcopy(BASE)
    for _ in range(draw(st.integers(1, 4))):
        able = [
            (holder, key)
            for holder, key in leaves(data)
            if key in SECTIONS or (type(holder[key]) in (int, float, bool) and key not in TOO_LONG)
        ]
        holder, key = draw(st.sampled_from(able))
        numeric = type(holder[key]) in (int, float)
        if isinstance(holder[key], bool):
            holder[key] = not holder[key]
        elif key in SECTIONS and not (numeric and draw(st.booleans())):
            holder[key] = copy.deepcopy(draw(st.sampled_from(SECTIONS[key])))
        else:
            holder[key] = draw(st.sampled_from(NUMBERS))
    return data


def end(path: Path, run: Path) -> str:
    """How the run of a scenario file ended; whatever it is, it has to be told in one line or to add up."""
    told = ""
    try:
        simulate(load(path), run)
    except (InputError, RunError) as error:
        told = str(error)
        how = "refused" if isinstance(error, InputError) else "broken"
    else:
        how = "finished"
    assert told.isprintable()
    assert run.exists() == (how != "refused")
    if how != "refused":
        report = verify(run)
        assert report.ok, report.lines
    return how


def test_mutated_runs(tmp_path: Path) -> None:
    """Mutated scenarios: a run that adds up, or one line and, for bad input, no run folder."""
    ends: Counter[str] = Counter()
    path, numbers = tmp_path / "case.yaml", itertools.count()

    @given(data=mutated())
    @drawn(600, least=30, suppress_health_check=list(HealthCheck))
    def each(data: dict[str, Any]) -> None:
        with path.open("w") as stream:
            YAML(typ="safe").dump(data, stream)
        ends[end(path, tmp_path / f"run{next(numbers)}")] += 1

    each()
    assert ends["finished"] >= count(240, least=12), ends
