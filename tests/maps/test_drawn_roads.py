"""The drawn lines of a map's roads: near the roads, small, and the same bytes for the same map."""

import gzip
import json
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from effort import count, seeds

from cosim.roads.drawn import MOST_BYTE, pack_map, simplified, unpack_map
from cosim.types import FloatArray


def town(seed: int, roads: int, size_m: float) -> list[FloatArray]:
    """Bent roads of 2 to 11 corners, some of them straight or closed, some there in both directions."""
    draw = np.random.default_rng(seed)
    made: list[FloatArray] = []
    for number in range(roads):
        corners = int(draw.integers(2, 12))
        heading = draw.uniform(0.0, 2.0 * np.pi) + np.cumsum(draw.normal(0.0, 0.3, corners))
        length_m = draw.uniform(0.05, 60.0, (corners, 1))
        road = draw.uniform(-size_m, size_m, 2) + np.cumsum(
            np.column_stack([np.cos(heading), np.sin(heading)]) * length_m, axis=0
        )
        match number % 5:
            case 0:
                road = road[0] + np.linspace(0.0, 1.0, corners)[:, None] * (road[-1] - road[0])
            case 1:
                road[-1] = road[0]
            case 2 if made:
                road = made[-1][::-1]
        made.append(road)
    return made


def away_m(points: FloatArray, lines: list[FloatArray]) -> FloatArray:
    """Distance of each point to the nearest of all segments of the lines, (N,)."""
    begins = np.concatenate([line[:-1] for line in lines])
    along = np.concatenate([np.diff(line, axis=0) for line in lines])
    from_begin = points[:, None, :] - begins
    part = np.clip((from_begin * along).sum(axis=2) / np.maximum((along**2).sum(axis=1), 1e-300), 0.0, 1.0)
    found: FloatArray = np.linalg.norm(from_begin - part[..., None] * along, axis=2).min(axis=1)
    return found


def between(line: FloatArray) -> FloatArray:
    """Points along a line, its corners among them."""
    parts = [np.linspace(first, last, 5) for first, last in pairwise(line)]
    return np.concatenate(parts)


@pytest.mark.parametrize("seed", seeds(60))
def test_lines_are_near_the_roads(seed: int) -> None:
    """Whatever the bound of bytes, roads and lines are within `detail_m` of each other, and the bound is held."""
    roads = town(seed, 60, 400.0)
    bound = Random(seed).choice((MOST_BYTE, 3000, 1500, 700))
    packed = pack_map("town", roads, bound)
    drawn = unpack_map(packed)
    assert len(packed) <= bound
    assert drawn.title == "town"
    assert (bound < MOST_BYTE) or drawn.detail_m == 0.1
    lines, slack_m = list(drawn.roads_m), drawn.detail_m + 1e-6
    assert away_m(np.concatenate([between(line) for line in lines]), roads).max() <= slack_m
    large = [road for road in roads if np.ptp(road, axis=0).max() > 2.0 * drawn.detail_m]
    assert large
    assert away_m(np.concatenate([between(road) for road in large]), lines).max() <= slack_m


def test_a_road_in_both_directions_is_drawn_once() -> None:
    """Lines that lie on each other are one, and a road without length is none."""
    road = np.array([(0.0, 0.0), (30.0, 5.0), (60.0, 0.0)])
    drawn = unpack_map(pack_map("town", [road, road[::-1], road, np.array([(9.0, 9.0), (9.01, 9.0)])]))
    assert [line.tolist() for line in drawn.roads_m] == [road.tolist()]


def test_no_roads() -> None:
    """A map without roads has a file too, and so has one whose roads are not finite or have one corner."""
    for roads in ([], [np.array([(1.0, 2.0)])], [np.array([(1.0, np.nan), (1.0, 2.0)])]):
        assert unpack_map(pack_map("gulls", roads)).roads_m == ()


@pytest.mark.parametrize("seed", seeds(20))
def test_simplified_keeps_what_is_needed(seed: int) -> None:
    """No corner left out is farther than the distance from the chord that replaces it, and each kept one was needed."""
    for road in town(seed, 20, 100.0):
        for within_m in (0.0, 0.3, 2.0, 1e9):
            kept = simplified(road, within_m)
            assert np.array_equal(kept[[0, -1]], road[[0, -1]])
            if len(road) < 3 or np.array_equal(road[0], road[-1]):
                continue
            assert away_m(road, [kept]).max() <= within_m + 1e-9
        assert len(simplified(road, 1e9)) == 2


@pytest.mark.long
def test_a_large_city_stays_below_a_megabyte() -> None:
    """60,000 roads in 20 km x 20 km take less than 1 MB, with lines within 2 m."""
    packed = pack_map("city", town(1, 60_000, 10_000.0))
    assert len(packed) < 1_000_000
    assert unpack_map(packed).detail_m <= 2.0


def test_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file has no time stamp: a map has one file at all times, which another map has not."""
    before = pack_map("town", town(3, 20, 90.0))
    monkeypatch.setattr("time.time", lambda: 1e9)
    assert pack_map("town", town(3, 20, 90.0)) == before
    assert pack_map("town", town(3, 20, 90.0)) == pack_map("town", town(3, 20, 90.0))
    assert pack_map("town", town(3, 20, 90.0)) != pack_map("city", town(3, 20, 90.0))


def test_a_damaged_file_is_no_map() -> None:
    """Whatever stands in the file, it is a map or a ValueError."""
    whole, draw = pack_map("town", town(4, 20, 90.0)), Random(5)
    texts = [b"", b"[]", b"{}", b"[" * 100_000, b'{"format": 2}', b'{"format": 1, "title": "", "detail_m": "x"}']
    data = json.loads(gzip.decompress(whole))
    for name, value in (("length", 5), ("length", [1]), ("length", ["x"]), ("dx", [1]), ("dy", None), ("dx", [1e300])):
        texts.append(json.dumps({**data, name: value}).encode())
    for content in (b"", whole[:-9], whole[::-1], *map(gzip.compress, texts)):
        with pytest.raises(ValueError, match=r"."):
            unpack_map(content)
    for _ in range(count(400)):
        place = draw.randrange(len(whole))
        try:
            unpack_map(whole[:place] + bytes([draw.randrange(256)]) + whole[place + 1 :])
        except ValueError:
            continue
