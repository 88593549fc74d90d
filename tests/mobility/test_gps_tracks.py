"""Tables of GPS loggers: usual spellings, rows in any order, gaps, times of all kinds."""

import gzip
import random
from datetime import UTC, datetime, timedelta
from math import cos, radians
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from effort import count, drawn
from hypothesis import example, given
from hypothesis import strategies as st
from tracked import Seen, drives, on_globe
from traffic import check_invariants, digest, frames_of

from cosim.errors import InputError
from cosim.maps.demand import Demand
from cosim.maps.importing import import_map
from cosim.mobility.connect import connect
from cosim.scenario.load import load
from cosim.scenario.traffic import ReplayMobility

BEGIN = datetime(2026, 2, 1, 15, 36, 8, tzinfo=UTC)
SPEEDS = {"m/s": 1.0, "km/h": 3.6, "mph": 1 / 0.44704, "knots": 3600 / 1852}


def table(rows: list[Seen], head: str = "id,time,lat,lon,speed", speed: float = 1.0, every: int = 1) -> list[str]:
    """Lines of a CSV without headings: head, then every k-th second of the rows."""
    kept = [row for row in rows if row.time_s % every == 0]
    return [
        head,
        *(f"{row.vehicle},{row.time_s:g},{row.y:.7f},{row.x:.7f},{row.speed_mps * speed:.4f}" for row in kept),
    ]


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join([*lines, ""]))
    return path


def replay(path: Path, duration_s: float = 30.0, **options):
    mobility = ReplayMobility(kind="replay", file=path.name, **options)
    return connect(mobility, "synthetic", path.parent, 1, duration_s)


def frames(path: Path, ticks: int = 31, **options):
    return list(frames_of(replay(path, **options), ticks))


def distances(found):
    """Distances in m of all vehicles from the first, in each frame."""
    return [np.hypot(*(frame.xy_m - frame.xy_m[0]).T) for frame in found]


GLOBE = on_globe(drives(), 48.0, 11.0)


@pytest.mark.parametrize("every", [1, 3, 10])
def test_positions_between_fixes(every, tmp_path):
    """With a fix each k seconds the drive at constant speed comes out at each second as it was, headings included."""
    found = frames(written(tmp_path / "log.csv", table(GLOBE, every=every)))
    check_invariants(found, 1.0)
    for tick, frame in enumerate(found):
        exact = [row for row in drives() if row.time_s == tick]
        flat = np.array([(row.x, row.y) for row in exact])
        np.testing.assert_allclose(
            np.hypot(*(frame.xy_m - frame.xy_m[0]).T), np.hypot(*(flat - flat[0]).T), rtol=8e-3, atol=0.1
        )
        np.testing.assert_allclose(frame.speed_mps, [row.speed_mps for row in exact], atol=0.01)
        turn = (frame.heading_deg - [row.heading_deg for row in exact] + 180.0) % 360.0 - 180.0
        np.testing.assert_allclose(turn, 0.0, atol=0.5)


@pytest.mark.parametrize("seed", range(count(40, least=4)))
def test_the_order_of_rows_makes_no_difference(seed, tmp_path):
    """Any order of the rows gives the same frames, duplicates and contradicting rows included."""
    lines = table(GLOBE, every=5)
    lines += [lines[7], lines[9][:-6] + "9.99"]
    sorted_file = written(tmp_path / "a.csv", lines)
    shuffled = lines[1:]
    random.Random(seed).shuffle(shuffled)
    file = written(tmp_path / "b.csv", [lines[0], *shuffled])
    assert digest(frames(file)) == digest(frames(sorted_file))
    notes = "".join(replay(file).notes)
    assert "2 rows that repeat a vehicle's time" in notes


SPELLINGS = {
    "id": ["id", "Vehicle_ID", "vehicle", "DeviceID", "Taxi ID", "track-id", "IMEI"],
    "time": ["time", "Timestamp", "t", "GPS Time", "time (s)", "time_s"],
    "lat": ["lat", "Latitude", "GPS_LAT", "lat (deg)"],
    "lon": ["lon", "lng", "Long", "LONGITUDE", "gps-lon"],
    "speed": ["speed", "Velocity", "speed_mps", "Speed (m/s)", "GPS Speed [m/s]", "v"],
}


@drawn(400, least=40)
@given(
    st.fixed_dictionaries({role: st.sampled_from(names) for role, names in SPELLINGS.items()}),
    st.permutations(range(5)),
    st.sampled_from(",;\t|"),
    st.booleans(),
    st.booleans(),
)
def test_spellings(tmp_path_factory, names, order, delimiter, marked, quoted):
    """Usual names of columns in any case and order, and any delimiter, give the same frames as the plain ones."""
    home = tmp_path_factory.mktemp("spelled")
    plain = table(GLOBE, every=5)
    head = [names[role] for role in ("id", "time", "lat", "lon", "speed")]
    lines = [
        [f'"{part}"' if quoted else part for part in row] for row in (head, *(line.split(",") for line in plain[1:]))
    ]
    text = "\n".join(delimiter.join(row[k] for k in order) for row in lines) + "\n"
    (home / "log.csv").write_bytes(("\ufeff" if marked else "").encode() + text.encode())
    assert digest(frames(home / "log.csv")) == digest(frames(written(home / "plain.csv", plain)))


TIMES = {
    "seconds": lambda s: f"{s:g}",
    "late seconds": lambda s: f"{s + 25_200:g}",
    "clock": lambda s: str(timedelta(hours=7, seconds=s)).zfill(8),
    "iso": lambda s: (BEGIN + timedelta(seconds=s)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    "iso with ms": lambda s: (BEGIN + timedelta(seconds=s)).strftime("%Y-%m-%dT%H:%M:%S.000+00:00"),
    "blank between": lambda s: (BEGIN + timedelta(seconds=s)).strftime("%Y-%m-%d %H:%M:%S"),
    "slashes": lambda s: (BEGIN + timedelta(seconds=s)).strftime("%Y/%m/%d %H:%M:%S"),
    "epoch s": lambda s: f"{BEGIN.timestamp() + s:.0f}",
    "epoch ms": lambda s: f"{(BEGIN.timestamp() + s) * 1e3:.0f}",
    "epoch us": lambda s: f"{(BEGIN.timestamp() + s) * 1e6:.0f}",
    "epoch ns": lambda s: f"{int(BEGIN.timestamp() + s) * 10**9}",
}


@pytest.mark.parametrize("kind", TIMES)
def test_times(kind, tmp_path):
    """Seconds, clock times, ISO 8601 and epochs in s, ms, us and ns are the same times."""
    plain = table(GLOBE, every=5)
    lines = [line.split(",") for line in plain[1:]]
    timed = [",".join((name, TIMES[kind](float(time_s)), *rest)) for name, time_s, *rest in lines]
    file = written(tmp_path / "log.csv", [plain[0], *timed])
    assert digest(frames(file)) == digest(frames(written(tmp_path / "plain.csv", plain)))
    if kind[:3] in ("iso", "epo"):
        assert "2026-02-01T15:36:08" in "".join(replay(file).notes)


def test_date_beside_time(tmp_path):
    """A date in a column of its own belongs to the time, so that midnight is none."""
    before = datetime(2026, 2, 1, 23, 59, 50, tzinfo=UTC)
    plain = table(GLOBE, every=5)
    lines = ["id,date,time,lat,lon,speed"]
    for line in plain[1:]:
        name, time_s, *rest = line.split(",")
        at = before + timedelta(seconds=float(time_s))
        lines.append(",".join((name, at.strftime("%Y-%m-%d"), at.strftime("%H:%M:%S"), *rest)))
    file = written(tmp_path / "log.csv", lines)
    assert digest(frames(file)) == digest(frames(written(tmp_path / "plain.csv", plain)))


@pytest.mark.parametrize("unit", SPEEDS)
def test_units_of_speeds(unit, tmp_path):
    """A speed column's unit is read from its name, or told from the movement, and said."""
    plain = frames(written(tmp_path / "plain.csv", table(GLOBE, every=2)))
    for head, known in (("id,time,lat,lon,speed", "by the movement"), (f"id,time,lat,lon,Speed ({unit})", "")):
        file = written(tmp_path / "log.csv", table(GLOBE, head, SPEEDS[unit], every=2))
        for one, other in zip(frames(file), plain, strict=True):
            np.testing.assert_allclose(one.speed_mps, other.speed_mps, atol=0.011)
        assert (f"in {unit}, {known}" if known else "fixes") in "".join(replay(file).notes)
    file = written(tmp_path / "log.csv", table(GLOBE, "id,time,lat,lon,speed_kmh", 3.6 * 3.6, every=2))
    with pytest.raises(InputError, match="correct the unit in the column's name"):
        replay(file)
    file = written(tmp_path / "log.csv", table(GLOBE, speed=10.0, every=2))
    assert "speed: left out: vehicles move 0.1 times as far" in "".join(replay(file).notes)
    for one, other in zip(frames(file), plain, strict=True):
        np.testing.assert_allclose(one.speed_mps, other.speed_mps, rtol=8e-3)


@given(st.integers(1, 120), st.integers(0, 30), st.sampled_from([0.5, 1.0, 2.0]))
@example(60, 5, 1.0)
@example(61, 5, 1.0)
@drawn(400, least=30)
def test_gaps(tmp_path_factory, gap_s, begin_s, step_s):
    """Across a gap up to 60 s a vehicle drives straight on; a larger one it leaves at, and comes again as another."""
    home = tmp_path_factory.mktemp("gaps")
    drive = on_globe([row for row in drives(160, 1) if not begin_s < row.time_s < begin_s + gap_s], 48.0, 11.0)
    found = frames(written(home / "log.csv", table(drive)), int(159 / step_s) + 1, duration_s=159.0, step_s=step_s)
    check_invariants(found, step_s)
    seen = [frame.time_s for frame in found if len(frame.numbers)]
    missing = [frame.time_s for frame in found if not len(frame.numbers)]
    if gap_s <= 60:
        assert not missing
        assert sum(len(frame.entered) for frame in found) == 1
        x_m = np.array([frame.xy_m[0, 0] for frame in found])
        np.testing.assert_allclose(np.diff(x_m), 8.0 * step_s, rtol=8e-3, atol=0.02)
    else:
        assert missing == [t for t in np.arange(0, 159.5, step_s) if begin_s < t < begin_s + gap_s]
        names = [entry.vehicle_id for frame in found for entry in frame.entered]
        assert names == ["car0", "car0#2"]
        assert len(seen) + len(missing) == len(found)


def test_what_is_dropped_is_counted(tmp_path):
    """Rows without a value, without a fix, jumps, and columns that are not read are said with their numbers."""
    lines = [f"{line},{k}" for k, line in enumerate(table(GLOBE, every=5))]
    lines[0] = "id,time,lat,lon,speed,hdop"
    lines += ["car0,7,,11.0,3,1", "car0,8,NaN,11.0,3,1", ",9,48.0,11.0,3,1", "car1,9,0,0,3,1", "car1,9,0.0,0.0,0,1"]
    lines += ["car2,17,48.2,11.0,3,1"]
    notes = "\n".join(replay(written(tmp_path / "log.csv", lines)).notes)
    assert "3 rows without vehicle, time or position" in notes
    assert "2 rows at latitude and longitude 0" in notes
    assert "left out: column hdop" in notes
    assert "2 x a vehicle, at a jump faster than 100 m/s" in notes
    assert "of 4 vehicles" in notes
    assert "headings, from the movement" in notes


def test_headings_turn_the_shorter_way(tmp_path):
    """Between headings of 350 and 10 degrees lies 0; a car at rest keeps its last heading; a column of them is used."""
    rows = [(0, 0.0, 350.0), (2, 20.0, 10.0), (4, 40.0, 10.0), (6, 40.0, ""), (8, 40.0, "")]
    lines = ["id,time,x,y,heading", *(f"a,{t},0,{y},{angle}" for t, y, angle in rows)]
    found = frames(written(tmp_path / "log.csv", lines), 9, duration_s=8.0)
    assert [frame.heading_deg[0] for frame in found] == [350.0, 0.0, 10.0, 10.0, 10.0, 0.0, 0.0, 0.0, 0.0]
    assert [frame.speed_mps[0] for frame in found] == [10.0] * 4 + [0.0] * 5


def test_tracks_in_metres_and_feet(tmp_path):
    """X and y in m, or in feet as their names say, are taken; feet that no name says are refused."""
    metres = ["id,t,x_m,y_m,speed", *(f"{r.vehicle},{r.time_s},{r.x:.3f},{r.y:.3f},{r.speed_mps}" for r in drives())]
    feet = [
        "id,t,x (ft),y (ft),speed (ft/s)",
        *(f"{r.vehicle},{r.time_s},{r.x / 0.3048:.3f},{r.y / 0.3048:.3f},{r.speed_mps / 0.3048:.4f}" for r in drives()),
    ]
    one, other = frames(written(tmp_path / "m.csv", metres)), frames(written(tmp_path / "ft.csv", feet))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a.xy_m, b.xy_m, atol=0.011)
        np.testing.assert_allclose(a.speed_mps, b.speed_mps, atol=0.011)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["a,b", "1,2"], "no column of time nor of lat and lon, or x and y"),
        (["id,time,lat", "a,0,48"], "no column of lat and lon, or x and y"),
        (["id,time,lat,lon", "a,0,48,11", "a,1,far,11"], "row 2: lat='far' is no number"),
        (["id,time,lat,lon", "a,soon,48,11"], "row 1: time='soon' is no time in seconds, no epoch and no ISO 8601"),
        (["id,time,lat,lon", "a,01.02.2026 15:00,48,11"], "no ISO 8601"),
        (["id,time,lat,lon", "a,2026-02-01,48,11", "a,2026-99-01,48,11"], "row 2: time='2026-99-01'"),
        (["id,time,lat,lon", "a,0,121,14", "a,1,121.1,14"], "swap them"),
        (["id,time,lat,lon", "a,0,,11"], "no row has a vehicle, a time and a position"),
        (["id,time,lat,lon", "a,0,48,11", "b,0,48,11"], "no two fixes of a vehicle"),
        (["id,time,lat,lon", "a,0,48,11", "a,90,48,11"], "within 60 s and 100 m/s, the nearest 90 s"),
        (["id,time,lat,lon", "a,0,48,11", "a,5,48,11", "b,0,-30,150"], "not in one region"),
        (["id,time,lat,lon", "a,0,48,11,5,6"], "Expected 4 columns, got 6"),
        (["", "# nothing"], "no line with the names of columns"),
    ],
)
def test_refused_tables(lines, reason, tmp_path):
    """A table that cannot be understood is refused in one line that names row, column, value and remedy."""
    file = written(tmp_path / "log.csv", lines)
    for attempt in (lambda: replay(file), lambda: import_map(file, "map", tmp_path, Demand())):
        with pytest.raises(InputError, match=reason) as error:
            attempt()
        assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


def test_packed_and_parquet(tmp_path):
    """The same table gzipped, as Parquet with numbers or time stamps, with decimal commas; and one car without id."""
    plain = table(GLOBE, every=5)
    exact = digest(frames(written(tmp_path / "plain.csv", plain)))
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress("\n".join(plain).encode()))
    assert digest(frames(tmp_path / "log.csv.gz")) == exact
    commas = [line.replace(",", ";").replace(".", ",") for line in plain]
    assert digest(frames(written(tmp_path / "log.csv", commas))) == exact
    ids, times, lats, lons, speeds = zip(*(line.split(",") for line in plain[1:]), strict=True)
    columns = {"id": ids, "lat": [float(x) for x in lats], "lon": [float(x) for x in lons]}
    columns |= {"speed": [float(x) for x in speeds]}
    stamps = pa.array([BEGIN + timedelta(seconds=float(x)) for x in times], pa.timestamp("ms", "UTC"))
    for time in (stamps, [float(x) for x in times], [int(x) for x in times]):
        pq.write_table(pa.table({**columns, "timestamp": time}), tmp_path / "log.parquet")
        assert digest(frames(tmp_path / "log.parquet")) == exact
    one = [line.split(",", 1)[1] for line in plain if line.startswith(("id", "car0"))]
    alone = replay(written(tmp_path / "one.csv", one))
    assert "one, as no column names them" in "".join(alone.notes)
    assert [entry.vehicle_id for entry in alone.advance(0).entered] == ["vehicle"]


def test_import_of_a_log(tmp_path):
    """A log becomes a map with sites, whose replay is that of the log itself; 10 Hz give a step of 0.1 s."""
    file = written(tmp_path / "log.csv", table(GLOBE, every=5))
    made = import_map(file, "town", tmp_path, Demand())
    assert ("fixes", "32 of 4 vehicles") in made.report
    assert any(label == "interpolated" and text.startswith("112 of 144") for label, text in made.report)
    assert made.source["projection"].startswith("+proj=tmerc")
    loaded = load(tmp_path / "town" / "scenario.yaml")
    source = connect(loaded.scenario.mobility, loaded.scenario.map, loaded.folder, 1, 30.0)
    assert digest(frames_of(source, 31)) == digest(frames(file))
    fast = [f"a,{k / 10:g},48.0,{11.0 + k * 1e-5:.6f},{1e-4 * 111195 * cos(radians(48)):.3f}" for k in range(50)]
    made = import_map(written(tmp_path / "fast.csv", ["id,time,lat,lon,speed", *fast]), "fast", tmp_path, Demand())
    assert made.mobility["step_s"] == 0.1
