"""What the tests of traffic sources share: digests of frames and the invariants of every source."""

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np

from cosim.mobility.source import MobilityFrame, MobilitySource


def frames_of(source: MobilitySource, ticks: int) -> Iterator[MobilityFrame]:
    try:
        for tick in range(ticks):
            yield source.advance(tick)
    finally:
        source.close()


def digest(frames: Iterable[MobilityFrame]) -> str:
    """Every bit of every frame."""
    total = hashlib.sha256()
    for frame in frames:
        total.update(repr((frame.time_s, frame.entered)).encode())
        for array in (frame.numbers, frame.xy_m, frame.speed_mps, frame.heading_deg, frame.left):
            total.update(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def check_invariants(frames: Iterable[MobilityFrame], step_s: float) -> None:
    """What MobilityFrame promises, for a whole stream."""
    present: set[int] = set()
    next_number = 0
    for tick, frame in enumerate(frames):
        assert frame.time_s == tick * step_s
        n = len(frame.numbers)
        assert frame.xy_m.shape == (n, 2)
        assert frame.speed_mps.shape == frame.heading_deg.shape == (n,)
        assert frame.numbers.dtype == frame.left.dtype == np.int64
        assert (np.diff(frame.numbers) > 0).all()
        assert (np.diff(frame.left) > 0).all()
        entered = [entry.number for entry in frame.entered]
        assert entered == list(range(next_number, next_number + len(entered)))
        assert [entry.vehicle_id for entry in frame.entered] == sorted(entry.vehicle_id for entry in frame.entered)
        next_number += len(entered)
        assert set(frame.left.tolist()) <= present
        present = (present - set(frame.left.tolist())) | set(entered)
        assert present == set(frame.numbers.tolist())
        away = ~frame.on_road
        assert np.isnan(frame.xy_m[away]).all()
        assert not frame.speed_mps[away].any()
        assert not frame.heading_deg[away].any()
        assert ((frame.heading_deg >= 0) & (frame.heading_deg < 360)).all()
        for values in (frame.xy_m[frame.on_road], frame.speed_mps, frame.heading_deg):
            assert np.array_equal(np.rint(values * 100) / 100, values)
