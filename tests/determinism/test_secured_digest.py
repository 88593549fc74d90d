"""Keys and ledger keep a digest: over sources, processes, hash seeds, real signatures; policies see the same tasks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from effort import rest_long

from cosim.mobility.connect import connect
from cosim.mobility.record import record_frames
from cosim.runner import RunResult, simulate
from cosim.scenario.load import load
from cosim.trace.store.reader import Trace

ATTACKS = (
    "{kind: cut, ends: [qn-1, qn-2], start_s: 6, end_s: 12}",
    "{kind: eavesdropper, ends: [qn-3, rsu-east], start_s: 5, end_s: 15}",
)
FAULTS = (
    "{kind: equivocate, validator: rsu-east}",
    "{kind: silent, validator: rsu-west, start_s: 3, end_s: 4}",
    "{kind: restart, validator: rsu-north, start_s: 3, end_s: 3.5}",
)
SHORT = (
    "duration_s=25",
    "statistics.warmup_s=0",
    "statistics.batches=4",
    "mobility.begin_s=60",
    f"keys.attacks=[{', '.join(ATTACKS)}]",
    "ledger.block.interval_s=3",
    f"ledger.faults=[{', '.join(FAULTS)}]",
    "ledger.loss=0.1",
    "ledger.partitions=[{start_s: 8, end_s: 13, side: [rsu-west, rsu-north]}]",
)
RUN = """
import json, sys
from pathlib import Path
from cosim.runner import simulate
from cosim.scenario.load import load
result = simulate(load("qib_vec", sys.argv[2:]), Path(sys.argv[1]))
print(json.dumps([result.digest, dict(result.digests), result.facts]))
"""


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """A short run of S3's scenario with all that can happen to links and validators."""
    return simulate(load("qib_vec", list(SHORT)), tmp_path_factory.mktemp("secured") / "run")


def run(folder: Path, *overrides: str) -> RunResult:
    """The short run with changes."""
    return simulate(load("qib_vec", [*SHORT, *overrides]), folder / "run")


def test_what_is_compared(first):
    """The run has what could depend on an order: waits for keys, a link that changed, blocks, an offence."""
    with Trace.open(first.folder) as trace:
        rows = {kind: int(trace.sql(f"SELECT count(*) AS n FROM {kind}").n[0]) for kind in first.digests}
        waited = int(trace.sql("SELECT count(*) AS n FROM task_keyed WHERE up_keyed_s > up_asked_s").n[0])
    assert waited > 0
    for kind in ("key_link_changed", "block_committed", "batch_committed", "offence_found", "validators_parted"):
        assert rows[kind] > 0, kind


@pytest.mark.parametrize("hash_seed", rest_long([4242, 1]))
@pytest.mark.long
def test_another_process_and_hash_seed(tmp_path, first, hash_seed):
    """Keys and blocks of another process with another PYTHONHASHSEED are the same."""
    command = [sys.executable, "-c", RUN, str(tmp_path / "run"), *SHORT]
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    digest, digests, facts = json.loads(done.stdout)
    assert digests == dict(first.digests)
    assert (digest, facts) == (first.digest, first.facts)


def test_another_seed(tmp_path, first):
    """Another seed draws other tasks and other noise at the links."""
    other = run(tmp_path, "seed=2")
    for kind in ("task_released", "key_block_distilled", "block_committed"):
        assert other.digests[kind] != first.digests[kind], kind


@pytest.mark.parametrize("signature", rest_long(["ml_dsa_44", "ed25519"]))
def test_real_signatures_change_nothing(tmp_path, first, signature):
    """With signatures computed and checked the trace is that of the modelled ones, to the last bit."""
    chosen = f"ledger.signature={signature}"
    (tmp_path / "modelled").mkdir()
    modelled = first if signature == "ml_dsa_44" else run(tmp_path / "modelled", chosen)
    assert run(tmp_path, chosen, "ledger.sign=true").digest == modelled.digest


def test_another_policy_sees_the_same_world(tmp_path, first):
    """Under a policy that offloads nothing the tasks are the same, and links make the same key, which nobody uses."""
    other = run(tmp_path, "policy=local")
    for kind in ("task_released", "vehicle_entered", "key_link_changed"):
        assert other.digests[kind] == first.digests[kind], kind
    made = []
    for result in (first, other):
        with Trace.open(result.folder) as trace:
            made.append(trace.sql("SELECT time_s, link, bit, qber FROM key_block_distilled ORDER BY seq"))
    assert len(made[0]) > 20
    assert made[0].equals(made[1])
    assert "task_keyed" in first.digests.keys() - other.digests.keys()


def test_sumo_and_its_recording_agree(tmp_path, first):
    """Keys and blocks through libsumo, through traci and over a replay of its own recording have one digest."""
    scenario = load("qib_vec", list(SHORT)).scenario
    source = connect(scenario.mobility, scenario.map, tmp_path, scenario.seed, scenario.duration_s)
    try:
        record_frames(source, scenario.duration_s, tmp_path / "crossing.parquet")
    finally:
        source.close()
    (tmp_path / "traci").mkdir()
    socket = run(tmp_path / "traci", "mobility.kind=traci")
    replayed = run(tmp_path, f"mobility={{kind: replay, file: {tmp_path / 'crossing.parquet'}}}")
    assert dict(socket.digests) == dict(first.digests)
    assert dict(replayed.digests) == dict(first.digests)
    assert first.digest == socket.digest == replayed.digest
