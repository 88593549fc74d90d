"""Positions in degrees are projected; other units, and other places, are refused."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from effort import rest_long
from tracked import drives, on_globe, write_fcd

from cosim.errors import InputError
from cosim.maps.demand import Demand
from cosim.maps.importing import import_map
from cosim.mobility.connect import connect
from cosim.mobility.programs import run_program
from cosim.mobility.record import record_frames
from cosim.resources import bundled
from cosim.scenario.load import load
from cosim.scenario.traffic import ReplayMobility

CROSSING = bundled("sumo_maps") / "intersection"
NODES = ((48.0, 11.0), (48.0, 11.006), (48.004, 11.006))
TOWN = '<osm version="0.6">'
TOWN += "".join(f'<node id="{k + 1}" lat="{y}" lon="{x}" version="1"/>' for k, (y, x) in enumerate(NODES))
TOWN += '<way id="10" version="1"><nd ref="1"/><nd ref="2"/><nd ref="3"/><tag k="highway" v="residential"/></way></osm>'


def replayed(file, map_name="synthetic", folder=None, duration_s=30.0, **options):
    mobility = ReplayMobility(kind="replay", file=file.name, **options)
    return connect(mobility, map_name, folder or file.parent, 1, duration_s)


def refused(file, reason, **options):
    with pytest.raises(InputError, match=reason) as error:
        replayed(file, **options)
    assert "\n" not in str(error.value)
    assert file.name in str(error.value)


@pytest.mark.parametrize(
    ("lat", "lon"), [(48.0, 11.0), (-1.28, 36.8), (14.6, 121.0), (0.0, 179.999), (69.6, 18.9), (-0.001, -0.001)]
)
def test_degrees_move_as_far_as_the_speeds_say(lat, lon, tmp_path):
    """Rows in degrees anywhere on the globe become metres: what drove 100 m in degrees drives 100 m in the replay."""
    rows = drives()
    source = replayed(write_fcd(tmp_path / "geo.csv", on_globe(rows, lat, lon)))
    assert "projected to m by +proj=tmerc" in "".join(source.notes)
    with closing(source):
        first, last = source.advance(0), [source.advance(tick) for tick in range(1, 31)][-1]
    moved_m = np.hypot(*(last.xy_m - first.xy_m).T)
    np.testing.assert_allclose(moved_m, first.speed_mps * 30.0, rtol=8e-3, atol=0.3)  # a sphere, and 6 decimals
    left, bottom, right, top = source.bounds_m
    assert right - left == pytest.approx(482, rel=8e-3)
    assert top - bottom == pytest.approx(480, rel=8e-3)


@pytest.mark.parametrize("name", rest_long(["fcd.xml", "fcd.csv", "fcd.parquet"]))
def test_geo_of_sumo_on_its_own_net(name, tmp_path):
    """SUMO's --fcd-output.geo on a net replays on that net where its output in metres does, whatever the format."""
    (tmp_path / "town.osm").write_text(TOWN)
    import_map(tmp_path / "town.osm", "town", tmp_path, Demand(vehicles_per_hour=900, end_s=600), placing="none")
    home = tmp_path / "town"
    options = [
        "-n",
        str(home / "net.net.xml.gz"),
        "-r",
        str(home / "rou.xml.gz"),
        "--end",
        "40",
        "--no-step-log",
        "true",
    ]
    run_program("sumo", [*options, "--fcd-output", str(tmp_path / "m.csv")], "test")
    geo = ["--fcd-output", str(tmp_path / name), "--fcd-output.geo", "true", "--precision.geo", "7"]
    run_program("sumo", [*options, *geo], "test")
    with (
        closing(replayed(tmp_path / name, "./town")) as degrees,
        closing(replayed(tmp_path / "m.csv", "./town")) as metres,
    ):
        assert "the net's UTM" in degrees.notes[0]
        assert not metres.notes
        for tick in range(31):
            one, other = degrees.advance(tick), metres.advance(tick)
            np.testing.assert_allclose(one.xy_m, other.xy_m, atol=0.021)
    imported = import_map(tmp_path / name, "seen", tmp_path, Demand())
    assert imported.source["projection"] in "".join(text for _, text in imported.report)
    mobility = load(tmp_path / "seen" / "scenario.yaml").scenario.mobility
    assert isinstance(mobility, ReplayMobility)
    first = round(mobility.begin_s / mobility.step_s)  # the tick at which a vehicle is there
    with closing(connect(mobility, ".", tmp_path / "seen", 1, 30 - first)) as own:
        step = [own.advance(tick) for tick in range(31 - first)][-1]
        with closing(replayed(tmp_path / "m.csv")) as metres:
            same = [metres.advance(tick) for tick in range(31)][-1]
    for k in range(1, len(step.numbers)):  # distances between vehicles, whatever the origin and the UTM's scale
        ours, exact = np.hypot(*(step.xy_m[k] - step.xy_m[0])), np.hypot(*(same.xy_m[k] - same.xy_m[0]))
        assert ours == pytest.approx(exact, rel=1e-3, abs=0.05)


def test_swapped_degrees(tmp_path):
    """Latitude in x and longitude in y are refused: by their size, or by the headings, which are those of a mirror."""
    for lat, lon in ((14.6, 121.0), (48.0, 11.0), (-1.28, 36.8)):
        rows = [row._replace(x=row.y, y=row.x) for row in on_globe(drives(), lat, lon)]
        refused(write_fcd(tmp_path / "geo.csv", rows), "x seems to hold latitudes and y longitudes; swap them")


@pytest.mark.parametrize(
    ("positions", "speeds", "guess"),
    [
        (3.28084, 1.0, "positions are in feet"),
        (100.0, 1.0, "positions are in cm"),
        (0.001, 1.0, "positions are in km|degrees with"),
        (1.0, 3.6, "speeds are in km/h"),
        (1.0, 2.23694, "speeds are in mph"),
        (1.0, 1.94384, "speeds are in knots"),
        (3.28084, 2.23694, "positions are in feet and speeds in mph"),
    ],
)
def test_other_units(positions, speeds, guess, tmp_path):
    """Rows that move as far as in another usual unit are refused, by replay and import, with the unit's name."""
    rows = [
        row._replace(x=row.x * positions, y=row.y * positions, speed_mps=row.speed_mps * speeds) for row in drives()
    ]
    file = write_fcd(tmp_path / "other.csv", rows)
    refused(file, guess)
    with pytest.raises(InputError, match=guess):
        import_map(file, "map", tmp_path, Demand())
    assert [path.name for path in tmp_path.iterdir()] == ["other.csv"]


def test_degrees_and_km_h(tmp_path):
    """Degrees with speeds in km/h are refused for their speeds."""
    rows = [row._replace(speed_mps=row.speed_mps * 3.6) for row in on_globe(drives(), 48.0, 11.0)]
    refused(write_fcd(tmp_path / "geo.csv", rows), "taken as degrees.*speeds are in km/h")


@pytest.mark.parametrize("decimals", [1, 2, 3, 4])
def test_degrees_of_few_decimals(decimals, tmp_path):
    """Degrees with fewer than five decimals, 11 m apart or more, are refused with the remedy."""
    file = write_fcd(tmp_path / "geo.csv", on_globe(drives(), 48.13715, 11.57612), decimals)
    refused(file, rf"degrees with {decimals} decimals.*--precision\.geo 6")


def test_metres_stay(tmp_path):
    """Rows in metres near the origin, negative ones, and UTM coordinates stay what they are, without a remark."""
    for x_m, y_m in ((0.0, 0.0), (-200.0, -100.0), (691_000.0, 5_334_000.0)):
        rows = [row._replace(x=row.x + x_m, y=row.y + y_m) for row in drives()]
        with closing(replayed(write_fcd(tmp_path / "m.csv", rows))) as source:
            assert source.notes == ()
            assert source.advance(0).xy_m[0].tolist() == [x_m + 20.0, y_m]


def test_a_parked_car_tells_no_unit(tmp_path):
    """Where nothing moves, positions of one place with six decimals are degrees, others metres; a remark says so."""
    parked = [row._replace(x=11.123456, y=48.654321, speed_mps=0.0) for row in drives(vehicles=1)]
    assert "degrees by their decimals" in "".join(replayed(write_fcd(tmp_path / "a.csv", parked)).notes)
    parked = [row._replace(x=50.5, y=20.25) for row in parked]
    assert "taken as metres" in "".join(replayed(write_fcd(tmp_path / "b.csv", parked, 2)).notes)


def test_vehicles_of_another_place(tmp_path):
    """Vehicles outside the map, or inside it but off its roads, are refused; a few of them are told."""
    rows = drives()
    for x_m, y_m, reason in ((5000.0, 0.0, "are not on this map, x 0..600"), (80.0, 80.0, "away from the roads")):
        file = write_fcd(tmp_path / "off.csv", [row._replace(x=row.x + x_m, y=row.y + y_m) for row in rows])
        with pytest.raises(InputError, match=reason) as error:
            replayed(file, "intersection")
        assert "map: synthetic" in str(error.value)
    on_arms = [row._replace(x=row.x + 60.0, y=300.0) for row in rows if row.vehicle == "car0"]
    some = [row._replace(vehicle="off", x=500.0, y=500.0) for row in on_arms[:10]]
    with closing(replayed(write_fcd(tmp_path / "m.csv", [*on_arms, *some]), "intersection")) as source:
        assert source.notes == ("m.csv: 20 % of positions are off the map's roads",)


def test_own_recording_of_another_map(tmp_path):
    """A recording of cosim on one map is refused on another."""
    rows = [row._replace(x=row.x + 5000.0) for row in drives()]
    with closing(replayed(write_fcd(tmp_path / "m.csv", rows))) as source:
        record_frames(source, 30.0, tmp_path / "own.parquet")
    assert pq.read_table(tmp_path / "own.parquet").num_rows > 0
    with pytest.raises(InputError, match="are not on this map"):
        replayed(tmp_path / "own.parquet", "intersection")


def test_degrees_on_a_net_without_projection(tmp_path):
    """Degrees on a net that states no projection are refused."""
    file = write_fcd(tmp_path / "geo.csv", on_globe(drives(), 48.0, 11.0))
    with pytest.raises(InputError, match="not UTM"):
        replayed(file, "intersection")


def test_clock_times(tmp_path):
    """Times as SUMO's --human-readable-time writes them, HH:MM:SS with days before, are those in seconds."""
    file = write_fcd(tmp_path / "s.csv", drives())
    lines = file.read_text().splitlines()
    clock = [f"00:00:{line.split(';')[0].zfill(2)};{line.split(';', 1)[1]}" for line in lines[1:]]
    (tmp_path / "c.csv").write_text("\n".join([lines[0], *clock, ""]))
    rows = "".join(
        f'<timestep time="1:00:00:{t:02d}.00"><vehicle id="a" x="{5 * t}" y="0" speed="5" angle="90"/></timestep>'
        for t in range(5)
    )
    (tmp_path / "c.xml").write_text(f"<fcd-export>{rows}</fcd-export>")
    with closing(replayed(file)) as one, closing(replayed(tmp_path / "c.csv")) as other:
        np.testing.assert_array_equal(one.advance(7).xy_m, other.advance(7).xy_m)
    with closing(replayed(tmp_path / "c.xml", duration_s=2.0, begin_s=86400)) as source:
        assert source.advance(2).xy_m.tolist() == [[10.0, 0.0]]


def test_recorded_vehicles_take_no_demand(tmp_path):
    """Options of demand, routes and side beside recorded vehicles are refused, not dropped."""
    file = write_fcd(tmp_path / "m.csv", drives())
    with pytest.raises(InputError, match="bring their traffic"):
        import_map(file, "map", tmp_path, Demand(concurrent=5))
    with pytest.raises(InputError, match="bring their traffic"):
        import_map(file, "map", tmp_path, Demand(), side="left")
    with pytest.raises(InputError, match="bring their traffic"):
        import_map(file, "map", tmp_path, Demand(), routes=Path(CROSSING / "rou.xml.gz"))
