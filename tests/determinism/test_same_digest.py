"""What decides a digest and what does not: seed and policy do; process, hash seed, source and stepping do not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cosim_agents.baselines import GreedyLatency
from effort import rest_long

from cosim.mobility.connect import connect
from cosim.mobility.record import record_frames
from cosim.runner import RunResult, simulate
from cosim.scenario.load import load
from cosim.simulation import Simulation
from cosim.trace.store.writer import TraceWriter

ROADS = """
name: roads
duration_s: 20
policy: greedy-latency
mobility: {kind: synthetic, vehicles: 40, roads: 2, length_m: 1500, speed_mps: {kind: uniform, low: 8, high: 25}}
sites: {kind: grid, spacing_m: 500}
cloud: {}
radio:
  interference: true
  access: {kind: noma}
  sidelink: {range_m: 100, max_neighbours: 2}
  grant_s: {sidelink: 0.015}
compute: {edge: {discipline: priority, cores: 2, queue_limit: 5}}
decisions: {kind: periodic, period_s: 0.1}
tasks:
  on_deadline: drop
  classes:
    - {name: plain, input_bit: {kind: lognormal, mean: 1e6, cv: 1}, cycles: {kind: exponential, mean: 5e8}}
    - {name: semantic, semantic: {}}
"""
CROSSING = """
name: crossing
map: intersection
duration_s: 30
policy: greedy-latency
mobility: {kind: libsumo, begin_s: 60}
sites: {kind: map}
radio: {grant_s: {uplink: 0.0115, downlink: 0.0065}}
tasks: {arrivals: {kind: poisson, rate_per_s: 0.5}}
"""
RUN = """
import json, sys
from pathlib import Path
from cosim.runner import simulate
from cosim.scenario.load import load
result = simulate(load(sys.argv[1], sys.argv[3:]), Path(sys.argv[2]))
print(json.dumps([result.digest, dict(result.digests), result.facts]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both scenarios as files."""
    folder = tmp_path_factory.mktemp("determinism")
    (folder / "roads.yaml").write_text(ROADS)
    (folder / "crossing.yaml").write_text(CROSSING)
    return folder


@pytest.fixture(scope="module")
def first(folder: Path) -> RunResult:
    """One run of the roads in this process."""
    return simulate(load(folder / "roads.yaml"), folder / "first")


def in_process(scenario: Path, run: Path, hash_seed: int, *overrides: str) -> tuple[str, dict[str, str], int]:
    """Digest, digests by kind and number of facts of a run in a process of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    command = [sys.executable, "-c", RUN, str(scenario), str(run), *overrides]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    digest, digests, facts = json.loads(done.stdout)
    return digest, digests, facts


@pytest.mark.parametrize("hash_seed", rest_long([4242, 1]))
def test_other_process_and_hash_seed(folder, tmp_path, first, hash_seed):
    """The same scenario in another process with another PYTHONHASHSEED has the same digest."""
    digest, digests, facts = in_process(folder / "roads.yaml", tmp_path / "run", hash_seed)
    assert digests == dict(first.digests)
    assert digest == first.digest
    assert facts == first.facts > 1000


def test_other_seed(folder, tmp_path, first):
    """Another seed has another digest, and other arrivals."""
    other = simulate(load(folder / "roads.yaml", ["seed=2"]), tmp_path / "run")
    assert other.digest != first.digest
    assert other.digests["task_released"] != first.digests["task_released"]


@pytest.mark.parametrize("policy", rest_long(["random", "local"]))
def test_other_policy_sees_the_same_arrivals(folder, tmp_path, first, policy):
    """Under another policy other things happen, to the very same tasks of the very same vehicles."""
    other = simulate(load(folder / "roads.yaml", [f"policy={policy}"]), tmp_path / "run")
    assert other.digest != first.digest
    for kind in ("task_released", "vehicle_entered", "vehicle_left", "cell_changed"):
        assert other.digests[kind] == first.digests[kind], kind
    assert other.digests["task_ended"] != first.digests["task_ended"]


def test_part_length_does_not_matter(folder, tmp_path, first):
    """How often parts are committed is storage: it changes no digest."""
    assert simulate(load(folder / "roads.yaml", ["trace.part_s=3"]), tmp_path / "run").digest == first.digest


def test_stepping_equals_running(folder, tmp_path, first):
    """advance() and decide() by hand, as a learning environment does, give the digest of run()."""
    scenario = load(folder / "roads.yaml").scenario
    writer = TraceWriter(tmp_path / "run", scenario.trace.part_s)
    simulation = Simulation(scenario, writer)
    policy = GreedyLatency()
    while (epoch := simulation.advance()) is not None:
        simulation.decide(policy.decide(epoch.observation))
    simulation.close()
    writer.close(True, scenario.duration_s)
    assert writer.digest == first.digest


def test_epochs_come_in_order(folder):
    """Stepping visits multiples of the period in order, each with every task that waits, and ends with None."""
    scenario = load(folder / "roads.yaml").scenario
    simulation = Simulation(scenario)
    times_s, seen = [], []
    while (epoch := simulation.advance()) is not None:
        times_s.append(epoch.time_s)
        seen.extend(epoch.observation.task.tolist())
        assert (epoch.observation.released_s <= epoch.time_s).all()
        simulation.decide(GreedyLatency().decide(epoch.observation))
    assert simulation.advance() is None
    assert times_s == sorted(set(times_s))
    assert np.allclose(np.array(times_s) / 0.1, np.rint(np.array(times_s) / 0.1))
    assert len(seen) == len(set(seen))


def test_sumo_and_its_recording_agree(folder, tmp_path):
    """One crossing through libsumo, through traci and as a replay of its own recording: the same facts, one digest."""
    crossing = load(folder / "crossing.yaml")
    scenario = crossing.scenario
    source = connect(scenario.mobility, scenario.map, folder, scenario.seed, scenario.duration_s)
    try:
        assert record_frames(source, scenario.duration_s, tmp_path / "crossing.parquet") > 100
    finally:
        source.close()
    live = simulate(crossing, tmp_path / "libsumo")
    socket = simulate(load(folder / "crossing.yaml", ["mobility={kind: traci, begin_s: 60}"]), tmp_path / "traci")
    replay = f"mobility={{kind: replay, file: {tmp_path / 'crossing.parquet'}}}"
    replayed = simulate(load(folder / "crossing.yaml", [replay]), tmp_path / "replay")
    assert dict(socket.digests) == dict(live.digests)
    assert dict(replayed.digests) == dict(live.digests)
    assert live.digest == socket.digest == replayed.digest
    assert live.kpis["released"].value > 50
    assert "transfer_granted" in live.digests
