"""Our own recordings and the synthetic and scripted sources in detail."""

import math
from pathlib import Path

import numpy as np
import pytest
from scripted import TELEPORTING, ScriptedMobility
from traffic import check_invariants, digest, frames_of

from cosim.errors import InputError
from cosim.mobility.connect import connect
from cosim.mobility.record import record_frames
from cosim.scenario.traffic import ReplayMobility, SyntheticMobility

PATHS = {
    "bus": [(0.0, 0.0), (0.0, -10.001), TELEPORTING, (5.0, 5.0), None],
    "car": [None, (-3.005, 1.0), (-0.001, 1.0)],
    "late": [None, None, None, None, (1.0, 1.0)],
}


def test_scripted_keeps_the_promises():
    """A scripted source gives frames like any other: entering, teleporting, leaving."""
    frames = list(frames_of(ScriptedMobility(0.5, PATHS), 6))
    check_invariants(frames, 0.5)
    assert [frame.numbers.tolist() for frame in frames] == [[0], [0, 1], [0, 1], [0], [2], []]
    assert frames[2].on_road.tolist() == [False, True]
    assert math.copysign(1.0, frames[2].xy_m[1, 0]) == 1.0
    assert frames[1].heading_deg[0] == 180.0
    assert frames[1].speed_mps[0] == 20.0


def test_teleports_and_empty_frames_are_recorded(tmp_path):
    """Teleports, empty frames, and vehicles of one tick come back bit for bit."""
    rows = record_frames(ScriptedMobility(0.5, PATHS), 3.0, tmp_path / "rows.parquet")
    mobility = ReplayMobility(kind="replay", file="rows.parquet", step_s=0.5)
    replayed = connect(mobility, "synthetic", tmp_path, 1, 3.0)
    assert replayed.bounds_m == ScriptedMobility(0.5, PATHS).bounds_m
    assert digest(frames_of(replayed, 7)) == digest(frames_of(ScriptedMobility(0.5, PATHS), 7))
    assert rows == 7


def test_empty_recording(tmp_path):
    """A recording without any vehicle replays as empty frames."""
    record_frames(ScriptedMobility(1.0, {}), 3.0, tmp_path / "rows.parquet")
    source = connect(ReplayMobility(kind="replay", file="rows.parquet"), "synthetic", tmp_path, 1, 3.0)
    assert [len(frame.numbers) for frame in frames_of(source, 4)] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("options", "duration_s", "reason"),
    [
        ({"step_s": 0.25}, 1.0, "recorded each 0.5 s"),
        ({"step_s": 0.5, "begin_s": 0.3}, 1.0, "not a multiple"),
        ({"step_s": 0.5}, 4.0, "ends 3 s after"),
        ({"step_s": 0.5, "begin_s": 9}, 1.0, "begin_s=9 is not within the recording, 0 to 3 s"),
    ],
)
def test_recording_that_does_not_fit(options, duration_s, reason, tmp_path):
    """A recording of another step, or too short, is refused in one line."""
    record_frames(ScriptedMobility(0.5, PATHS), 3.0, tmp_path / "rows.parquet")
    with pytest.raises(InputError, match=reason):
        connect(ReplayMobility(kind="replay", file="rows.parquet", **options), "synthetic", tmp_path, 1, duration_s)


def test_begin_of_a_recording(tmp_path):
    """begin_s of a replay is the time of the traffic that was recorded, as that of a live run; 0 is its start."""
    path = tmp_path / "rows.parquet"
    record_frames(ScriptedMobility(0.5, PATHS), 3.0, path, begin_s=430.0)

    def replayed(begin_s, ticks):
        mobility = ReplayMobility(kind="replay", file="rows.parquet", step_s=0.5, begin_s=begin_s)
        return digest(frames_of(connect(mobility, "synthetic", tmp_path, 1, (ticks - 1) * 0.5), ticks))

    assert replayed(430.0, 7) == replayed(0.0, 7) == digest(frames_of(ScriptedMobility(0.5, PATHS), 7))
    assert replayed(431.0, 5) != replayed(430.0, 5)
    for begin_s in (1.0, 429.5, 433.5):
        with pytest.raises(InputError, match=rf"begin_s={begin_s:g} is not within the recording, 430 to 433 s"):
            replayed(begin_s, 1)


def test_recording_that_cannot_be_written(tmp_path):
    """A path that cannot be written is refused and named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"rows\.parquet: cannot be written"):
        record_frames(ScriptedMobility(1.0, PATHS), 3.0, tmp_path / "file" / "rows.parquet")


def synthetic(seed=1, **options):
    return connect(SyntheticMobility(kind="synthetic", **options), "synthetic", Path(), seed, 100)


def test_roads_keep_their_number():
    """With reenter the number at once stays, each arrival brings a new number, and speed is constant."""
    frames = list(frames_of(synthetic(vehicles=10, roads=3, length_m=100, speed_mps=7.0, spacing_m=20), 50))
    assert {len(frame.numbers) for frame in frames} == {10}
    assert sum(len(frame.left) for frame in frames) == sum(len(frame.entered) for frame in frames[1:]) > 0
    assert {float(y) for frame in frames for y in frame.xy_m[:, 1]} == {0.0, 20.0, 40.0}
    assert all((frame.speed_mps == 7.0).all() and (frame.heading_deg == 90.0).all() for frame in frames)
    moved = frames[1].xy_m[: 10 - len(frames[1].left), 0]
    assert np.isin(np.round(moved - 7.0, 2), frames[0].xy_m[:, 0]).all()


def test_roads_empty_without_reenter():
    """Without reenter every vehicle leaves once and nobody comes."""
    frames = list(frames_of(synthetic(vehicles=10, length_m=100, speed_mps=7.0, reenter=False), 50))
    assert sorted(number for frame in frames for number in frame.left.tolist()) == list(range(10))
    assert len(frames[-1].numbers) == 0


def test_roads_by_seed():
    """Random roads depend on the seed alone."""
    options = {"vehicles": 9, "placement": "random", "speed_mps": {"kind": "uniform", "low": 5, "high": 20}}
    same = {digest(frames_of(synthetic(3, **options), 80)) for _ in range(2)}
    assert len(same) == 1
    assert digest(frames_of(synthetic(4, **options), 80)) not in same
