"""libsumo, traci and a replay of a recording show the same traffic, bit for bit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from traffic import check_invariants, digest, frames_of

from cosim.mobility.connect import connect
from cosim.mobility.record import record_frames
from cosim.scenario.traffic import LibsumoMobility, ReplayMobility, SyntheticMobility, TraciMobility

DURATION_S = 120.0
TICKS = 121
HERE = Path()


def intersection(mobility, seed=1, folder=HERE):
    return connect(mobility, "intersection", folder, seed, DURATION_S)


SOURCES = {
    "libsumo": LibsumoMobility(),
    "libsumo from 60 s": LibsumoMobility(begin_s=60),
    "libsumo half steps": LibsumoMobility(step_s=0.5),
    "traci": TraciMobility(kind="traci"),
    "traci from 60 s": TraciMobility(kind="traci", begin_s=60),
}


@pytest.mark.parametrize("name", SOURCES)
def test_live_invariants(name):
    """A live source numbers vehicles in order of entry and says consistently who entered and who left."""
    mobility = SOURCES[name]
    check_invariants(frames_of(intersection(mobility), TICKS), mobility.step_s)


@pytest.mark.parametrize("roads", [{}, {"placement": "random", "speed_mps": {"kind": "uniform", "low": 5, "high": 40}}])
@pytest.mark.parametrize("reenter", [True, False])
def test_synthetic_invariants(roads, reenter):
    """Synthetic roads keep the same promises, with and without vehicles that come again."""
    mobility = SyntheticMobility(kind="synthetic", vehicles=23, roads=3, reenter=reenter, **roads)
    check_invariants(frames_of(connect(mobility, "synthetic", HERE, 1, 600), 200), 1.0)


@pytest.mark.parametrize("begin_s", [0, 60])
def test_three_sources_agree(begin_s, tmp_path):
    """libsumo, traci and a replay of libsumo's recording give the same bits."""
    live = digest(frames_of(intersection(LibsumoMobility(begin_s=begin_s)), TICKS))
    over_socket = digest(frames_of(intersection(TraciMobility(kind="traci", begin_s=begin_s)), TICKS))
    source = intersection(LibsumoMobility(begin_s=begin_s))
    record_frames(source, DURATION_S, tmp_path / "traffic.parquet")
    source.close()
    replayed = intersection(ReplayMobility(kind="replay", file="traffic.parquet"), folder=tmp_path)
    assert live == over_socket == digest(frames_of(replayed, TICKS))


def test_replay_invariants(tmp_path):
    """A replay that starts in the middle, on every second tick, keeps the promises too."""
    source = intersection(LibsumoMobility())
    record_frames(source, DURATION_S, tmp_path / "traffic.parquet")
    source.close()
    mobility = ReplayMobility(kind="replay", file="traffic.parquet", step_s=2, begin_s=40)
    check_invariants(frames_of(connect(mobility, "intersection", tmp_path, 1, 80), 41), 2.0)


def test_synthetic_replay(tmp_path):
    """A recording of synthetic roads replays bit for bit as well."""
    mobility = SyntheticMobility(kind="synthetic", vehicles=12, roads=2, speed_mps=22.2)
    record_frames(connect(mobility, "synthetic", HERE, 1, 100), 100, tmp_path / "roads.parquet")
    replayed = connect(ReplayMobility(kind="replay", file="roads.parquet"), "synthetic", tmp_path, 1, 100)
    assert digest(frames_of(connect(mobility, "synthetic", HERE, 1, 100), 101)) == digest(frames_of(replayed, 101))


def test_seed_matters():
    """Another seed gives other traffic."""
    first, second = (digest(frames_of(intersection(LibsumoMobility(), seed), TICKS)) for seed in (1, 2))
    assert first != second


def test_traffic_before_begin_is_not_kept(monkeypatch, tmp_path):
    """SUMO drives to begin_s each time: nothing is kept of it, and the cache changes no frame."""
    monkeypatch.setenv("COSIM_CACHE", str(tmp_path))
    kept = digest(frames_of(intersection(LibsumoMobility(begin_s=60)), TICKS))
    assert kept == digest(frames_of(intersection(LibsumoMobility(begin_s=60, cache=False)), TICKS))
    assert not list(tmp_path.iterdir())


def test_traffic_goes_on_as_unbroken():
    """Begun at 60 s the vehicles are where a run from the start has them."""
    begun_late = list(frames_of(intersection(LibsumoMobility(begin_s=60)), 61))
    unbroken = list(frames_of(intersection(LibsumoMobility()), TICKS))
    for early, late in zip(begun_late, unbroken[60:], strict=True):
        assert sorted(map(tuple, early.xy_m.tolist())) == sorted(map(tuple, late.xy_m.tolist()))


@pytest.mark.long
def test_hash_seed_does_not_matter():
    """Two processes with different PYTHONHASHSEED see the same frames."""
    program = (
        "from pathlib import Path; from traffic import *; from cosim.mobility.connect import connect;"
        "from cosim.scenario.traffic import LibsumoMobility;"
        "print(digest(frames_of(connect(LibsumoMobility(begin_s=30), 'intersection', Path(), 1, 60), 61)))"
    )
    places = os.pathsep.join(path for path in sys.path if path)
    printed = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": places, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        for seed in ("1", "77")
    ]
    assert printed[0].stdout == printed[1].stdout
    assert printed[0].stderr == printed[1].stderr == ""
    assert len(printed[0].stdout.strip()) == 64
