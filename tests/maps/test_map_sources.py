"""Single roads, highways, driving sides and file names: whatever netconvert is given, the map is that of the file."""

import bz2
import gzip
import re
from contextlib import closing
from itertools import pairwise

import numpy as np
import pytest
from effort import drawn, rest_long
from hypothesis import example, given
from hypothesis import strategies as st

from cosim.errors import InputError
from cosim.maps.convert import convert
from cosim.maps.demand import Demand, make_demand
from cosim.maps.driving_side import DrivingSide, SideSigns, osm_side
from cosim.maps.importing import import_map
from cosim.mobility.connect import connect
from cosim.mobility.programs import run_program
from cosim.resources import bundled
from cosim.roads.net import is_left_hand, read_net
from cosim.roads.packed import open_packed
from cosim.roads.xmlscan import scan_xml
from cosim.scenario.load import load

SMALL = Demand(vehicles_per_hour=900, end_s=600)
CROSSING = bundled("sumo_maps") / "intersection" / "net.net.xml.gz"


def osm(*ways, relation=""):
    """OpenStreetMap of ways: corner points as (lat, lon), and tags."""
    corners = list(dict.fromkeys(point for points, _ in ways for point in points))
    lines = [f'<node id="{k + 1}" lat="{lat}" lon="{lon}" version="1"/>' for k, (lat, lon) in enumerate(corners)]
    for k, (points, tags) in enumerate(ways):
        refs = "".join(f'<nd ref="{corners.index(point) + 1}"/>' for point in points)
        lines.append(f'<way id="{10 + k}" version="1">{refs}{tagged(tags)}</way>')
    return f'<osm version="0.6">{"".join(lines)}{relation}</osm>'


def tagged(tags):
    return "".join(f'<tag k="{key}" v="{value}"/>' for key, value in tags.items())


def east(lat, length_deg=0.03, parts=1, **tags):
    """Ways that lead east from 11 degrees, one behind the other."""
    corners = [(lat, round(11.0 + length_deg * k / parts, 6)) for k in range(parts + 1)]
    return [(pair, {"highway": "motorway", "oneway": "yes", **tags}) for pair in pairwise(corners)]


ROAD = osm(*east(48.0))
STREET = osm(*east(48.0, oneway="no"))
# Two carriageways that never meet, one of them in three pieces of other numbers of lanes.
HIGHWAY = osm(
    *[(points, {**tags, "lanes": str(2 + k)}) for k, (points, tags) in enumerate(east(48.0, parts=3))],
    *[(points[::-1], tags) for points, tags in east(48.0003)],
)


def opendrive(rule="", left=1, right=1, length_m=2000.0, offset_m=0.0):
    """A straight road east of lanes 3.5 m wide, `left` of them left of its reference line."""

    def lanes(numbers):
        width = '<width sOffset="0" a="3.5" b="0" c="0" d="0"/>'
        return "".join(f'<lane id="{k}" type="driving" level="false">{width}</lane>' for k in numbers)

    sides = f"<left>{lanes(range(left, 0, -1))}</left>" if left else ""
    sides += '<center><lane id="0" type="none" level="false"/></center>'
    sides += f"<right>{lanes(range(-1, -right - 1, -1))}</right>" if right else ""
    return (
        '<OpenDRIVE><header revMajor="1" revMinor="4" name="" north="0" south="0" east="0" west="0"/>'
        f'<road name="m" length="{length_m}" id="1" junction="-1" {rule}><planView>'
        f'<geometry s="0" x="0" y="0" hdg="0" length="{length_m}"><line/></geometry></planView>'
        f'<lanes><laneOffset s="0" a="{offset_m}" b="0" c="0" d="0"/><laneSection s="0">{sides}</laneSection></lanes>'
        "</road></OpenDRIVE>"
    )


def converted(tmp_path, content, kind, side="auto"):
    file = tmp_path / f"source.{kind}"
    file.write_text(content)
    return convert(file, kind, tmp_path / "net.net.xml.gz", side), tmp_path / "net.net.xml.gz"


def lanes_of(net):
    """Start and end (x, y) of each lane outside junctions by its id, and the turns of its connections."""
    lanes, turns, inner = {}, [], False

    def on_element(name, attributes):
        nonlocal inner
        if name == "edge":
            inner = "function" in attributes
        elif name == "lane" and not inner:
            points = [tuple(map(float, point.split(",")[:2])) for point in attributes["shape"].split()]
            lanes[attributes["id"]] = points[0], points[-1]
        elif name == "connection" and not attributes["from"].startswith(":"):
            turns.append(attributes["dir"])

    scan_xml(net, on_element, "test")
    return lanes, sorted(turns)


# --- single roads and highways ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind", "edges"),
    [
        (ROAD, "osm", 1),
        (STREET, "osm", 2),
        (HIGHWAY, "osm", 4),
        (opendrive(), "xodr", 2),
        (opendrive(left=0), "xodr", 1),
    ],
)
def test_a_road_is_a_map(content, kind, edges, tmp_path):
    """One road, in one direction or both, and a highway of two carriageways that never meet, stay whole."""
    done, net = converted(tmp_path, content, kind)
    assert len(read_net(net).edges) == edges
    assert done.left_out == 0


def test_clippings_are_left_out(tmp_path):
    """Of an extract parts below a tenth of the longest go, and are counted; of OpenDRIVE nothing goes."""
    town = [(((48.0, 11.0), (48.0, 11.02)), {"highway": "residential"})]
    town += [(((48.0, 11.02), (48.002, 11.02)), {"highway": "residential"})]
    town += [(((48.002, 11.02), (48.002, 11.03)), {"highway": "residential"})]
    clip = (((48.01, 11.0), (48.01, 11.001)), {"highway": "residential"})
    other = (((48.02, 11.0), (48.02, 11.01)), {"highway": "residential"})
    done, net = converted(tmp_path, osm(*town, clip, other), "osm")
    assert (done.kept, done.left_out) == (2, 1)
    assert done.left_out_m == pytest.approx(2 * 74.4, rel=0.01)  # 0.001 degree of longitude there, both directions
    whole = read_net(net)
    assert not any(edge.shape_m[:, 1].mean() == pytest.approx(1112, abs=20) for edge in whole.edges)
    second = re.search("<road.*</road>", opendrive(length_m=50.0)).group().replace('y="0"', 'y="500"')
    two = opendrive().replace("</OpenDRIVE>", second.replace('id="1" junction', 'id="2" junction') + "</OpenDRIVE>")
    done, net = converted(tmp_path, two, "xodr")
    assert (done.kept, done.left_out, len(read_net(net).edges)) == (2, 0, 4)


@pytest.mark.parametrize(
    ("name", "content"), rest_long([("a.xodr", opendrive()), ("a.osm", ROAD), ("b.osm", STREET), ("c.osm", HIGHWAY)])
)
def test_a_road_runs(name, content, tmp_path):
    """On a one-road map default demand brings about the number of vehicles that the import tells, on every part."""
    (tmp_path / name).write_text(content)
    made = import_map(tmp_path / name, "road", tmp_path, Demand())
    told = float(re.search(r"about (\d+)", dict(made.report)["vehicles at once"]).group(1))
    roads = read_net(tmp_path / "road" / "net.net.xml.gz")
    aim = max(20, round(5 * roads.lane_m / 1000))
    assert any(f"aims at {aim} vehicles at once" in text and "--concurrent" in text for _, text in made.report)
    assert told == pytest.approx(aim, rel=0.2)
    loaded = load(tmp_path / "road" / "scenario.yaml")
    with closing(connect(loaded.scenario.mobility, loaded.scenario.map, loaded.folder, 1, 600)) as source:
        seen = [source.advance(tick) for tick in range(600)]
    counted = np.mean([len(frame.numbers) for frame in seen])
    assert counted == pytest.approx(told, rel=0.25)
    rows = np.concatenate([frame.xy_m for frame in seen])
    for edge in roads.edges:
        assert (np.hypot(*(rows - edge.shape_m.mean(axis=0)).T) < 200).any()


@pytest.mark.long
@pytest.mark.parametrize("length_m", [100.0, 400.0])
def test_a_road_that_is_too_short(length_m, tmp_path):
    """A road that takes fewer than 20 vehicles gets as many as it takes, and the import tells how many that are."""
    _, net = converted(tmp_path, opendrive(left=0, length_m=length_m), "xodr")
    made = make_demand(net, tmp_path / "rou.xml.gz", Demand())
    assert 1.0 < made.at_once < length_m / 30
    assert f"the roads carry about {made.at_once:.0f}" in made.notes[1]
    assert made.vehicles_per_hour < 3600 * 1.5  # a vehicle each 1.3 s and lane is about what a road lets in


def test_departures_are_those_of_the_file(tmp_path):
    """The rate that is told is that of the written vehicles, whatever was asked for."""
    _, net = converted(tmp_path, HIGHWAY, "osm")
    made = make_demand(net, tmp_path / "rou.xml.gz", Demand(vehicles_per_hour=500, end_s=720))
    with open_packed(tmp_path / "rou.xml.gz") as stream:
        assert stream.read().count(b"<vehicle ") == pytest.approx(made.vehicles_per_hour / 5)


# --- driving side -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "left", "right", "side"),
    [('rule="LHT"', 2, 1, "auto"), ('rule="LHT"', 1, 3, "left"), ('rule="RHT"', 2, 1, "auto"), ("", 1, 2, "right")],
)
@pytest.mark.parametrize("offset_m", [0.0, 1.75])
def test_lanes_of_opendrive_lie_where_the_file_has_them(rule, left, right, side, offset_m, tmp_path):
    """Each lane keeps its place; under LHT those left of the reference line lead onward, else those right of it."""
    done, net = converted(tmp_path, opendrive(rule, left, right, offset_m=offset_m), "xodr", side)
    left_hand = "LHT" in rule
    assert (done.side.left, is_left_hand(net)) == (left_hand, left_hand)
    expected = [(3.5 * k - 1.75, left_hand) for k in range(1, left + 1)]
    expected += [(1.75 - 3.5 * k, not left_hand) for k in range(1, right + 1)]
    placed = sorted((start[1], end[0] > start[0]) for start, end in lanes_of(net)[0].values())
    assert [onward for _, onward in placed] == [onward for _, onward in sorted(expected)]
    heights = np.array([y for y, _ in placed]) - np.array([y for y, _ in sorted(expected)])
    np.testing.assert_allclose(heights, offset_m, atol=0.02)


def test_a_left_hand_crossing_keeps_its_lanes_and_turns(tmp_path):
    """A left-hand net that netconvert wrote as OpenDRIVE, rule LHT, has the same lanes and turns when it comes back."""
    plain, left, file = tmp_path / "p", tmp_path / "left.net.xml", tmp_path / "left.xodr"
    run_program("netconvert", ["-s", str(CROSSING), "--plain-output-prefix", str(plain)], "test")
    parts = [
        f"{option}={plain}.{part}.xml" for option, part in (("-n", "nod"), ("-e", "edg"), ("-x", "con"), ("-i", "tll"))
    ]
    run_program("netconvert", [*(p for part in parts for p in part.split("=")), "--lefthand", "-o", str(left)], "test")
    run_program(
        "netconvert", ["-s", str(left), "--opendrive-output.lefthand-left", "--opendrive-output", str(file)], "test"
    )
    file.write_text(file.read_text().replace("<road ", '<road rule="LHT" '))
    done = convert(file, "xodr", tmp_path / "net.net.xml.gz", "auto")
    assert str(done.side) == "left, as rule=LHT says"
    (lanes, turns), (before, turns_before) = lanes_of(tmp_path / "net.net.xml.gz"), lanes_of(left)
    assert turns == turns_before
    offset = re.search(rb'netOffset="([^"]*)"', gzip.decompress((tmp_path / "net.net.xml.gz").read_bytes())).group(1)
    shift_m = np.array([float(part) for part in offset.split(b",")])
    assert len(lanes) == len(before)
    for lane, ends in before.items():
        away = {other: side_m(ends, np.array(theirs) - shift_m) for other, theirs in lanes.items()}
        nearest = min(away, key=away.__getitem__)
        assert away[nearest] < 0.02
        assert nearest[-1] == lane[-1]


def side_m(lane, other):
    """How far a lane of the same direction and arm lies beside another; endless for others."""
    (start, end), (first, last) = np.array(lane), other
    onward = (end - start) / np.hypot(*(end - start))
    if (last - first) @ onward < 200.0 or abs((last - end) @ onward) > 50.0:
        return float("inf")
    return abs(onward[0] * (first - start)[1] - onward[1] * (first - start)[0])


@pytest.mark.parametrize(
    ("name", "content", "told"),
    rest_long(
        [
            ("a.xodr", opendrive('rule="LHT"'), "left, as rule=LHT says"),
            ("b.osm", osm(*east(48.0, oneway="no", driving_side="left")), "left, as most roads' driving_side says"),
            ("c.osm", STREET.replace("48.0", "51.5").replace("11.0", "-0.1"), "left, by the country at 51.50, -0.1"),
            ("d.osm", STREET, "right, by the country at 48.00, 11.00"),
            ("e.xodr", opendrive(), "right, as OpenDRIVE's default rule says"),
        ]
    ),
)
def test_vehicles_drive_on_the_side_that_is_told(name, content, told, tmp_path):
    """Vehicles drive on the side that the import tells: those eastward left or right of those westward."""
    (tmp_path / name).write_text(content)
    made = import_map(tmp_path / name, "road", tmp_path, SMALL)
    assert dict(made.report)["driving side"].startswith(told)
    loaded = load(tmp_path / "road" / "scenario.yaml")
    with closing(connect(loaded.scenario.mobility, loaded.scenario.map, loaded.folder, 1, 100)) as source:
        seen = [source.advance(tick) for tick in range(100)]
    y_m = np.concatenate([frame.xy_m[:, 1] for frame in seen])
    heading = np.concatenate([frame.heading_deg for frame in seen])
    slope = np.concatenate([frame.xy_m[:, 0] for frame in seen]) * np.tan(np.radians(90.0 - np.median(heading % 180.0)))
    eastward, westward = np.abs(heading - 90) < 10, np.abs(heading - 270) < 10
    assert eastward.sum() > 50
    assert westward.sum() > 50
    higher_m = np.median((y_m - slope)[eastward]) - np.median((y_m - slope)[westward])
    assert (higher_m > 1.0) if told.startswith("left") else (higher_m < -1.0)


def test_side_of_a_net(tmp_path):
    """A net's side is read from it and told; another wish is refused, and so are roads of both rules."""
    text = gzip.decompress(CROSSING.read_bytes()).decode()
    (tmp_path / "left.net.xml").write_text(text.replace("<net ", '<net lefthand="true" ', 1))
    for file, told, other in ((CROSSING, "right", "left"), (tmp_path / "left.net.xml", "left", "right")):
        made = import_map(file, told, tmp_path, SMALL, placing="none", side=told)
        assert dict(made.report)["driving side"] == f"{told}, as the net says"
        with pytest.raises(InputError, match=f"--side={other}: the net has lanes for driving on the {told}"):
            import_map(file, "again", tmp_path, SMALL, side=other)
    two = opendrive('rule="LHT"').replace("</OpenDRIVE>", "")
    two += re.search("<road.*</road>", opendrive()).group().replace('id="1" junction', 'id="2" junction')
    with pytest.raises(InputError, match="1 roads have rule=LHT and 1 have not"):
        converted(tmp_path, two + "</OpenDRIVE>", "xodr")


def test_signs_of_a_side():
    """The wish goes before the roads' tags, these before an area's, and this before the country."""
    signs = SideSigns(place=(48.0, 11.0))
    signs.ways.update({"": 8, "left": 2})
    assert not osm_side(signs, "auto").left
    signs.areas["left"] += 1
    assert osm_side(signs, "auto") == DrivingSide(left=True, reason="as an area's driving_side says")
    signs.ways["right"] += 9
    assert osm_side(signs, "auto") == DrivingSide(left=False, reason="as most roads' driving_side says")
    assert osm_side(signs, "left") == DrivingSide(left=True, reason="as --side says")


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_wish_against_the_file(side, tmp_path):
    """A side against the file's lays the lanes on the other side of the line, and says so; directions stay."""
    rule = 'rule="RHT"' if side == "left" else 'rule="LHT"'
    done, net = converted(tmp_path, opendrive(rule, left=2, right=1), "xodr", side)
    assert done.side.left == (side == "left")
    assert "lanes lie on the other side" in done.side.reason
    onward = [end[0] > start[0] for start, end in lanes_of(net)[0].values()]
    assert sum(onward) == (1 if side == "left" else 2)


# --- names and packing ------------------------------------------------------------------------------------------------

letters = st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=("Cs", "Cc"))


@drawn(200, least=6)
@given(st.text(letters, min_size=1, max_size=30), st.sampled_from(["osm", "osm.gz", "xodr"]))
@example("town_11.0,48.0", "osm")
@example('-o it\'s [a] 100 %25 #1; x=y:z "\u00e4"', "osm.gz")
def test_any_file_name(tmp_path_factory, stem, kind):
    """Whatever a file is called, commas, blanks, quotes and signs included, its roads are converted."""
    home = tmp_path_factory.mktemp("named")
    file = home / f"{stem}.{kind}"
    content = (opendrive() if kind == "xodr" else STREET).encode()
    file.write_bytes(gzip.compress(content) if kind.endswith("gz") else content)
    done = convert(file, "xodr" if kind == "xodr" else "osm", home / "net.net.xml.gz", "auto")
    assert done.roads_in == 1
    assert len(read_net(home / "net.net.xml.gz").edges) == 2


@pytest.mark.parametrize(
    "name",
    rest_long(
        [
            "a,b c.osm",
            "a,b.osm.bz2",
            "a,b.OSM.GZ",
            "gzipped,inside.osm",
            "-a,b.net.xml",
            "a,b.net.xml.gz",
            "a,b.csv.bz2",
            "a,b.csv",
        ]
    ),
)
def test_names_and_packing_of_every_kind(name, tmp_path):
    """Every kind of source imports under a name with commas, packed as its content says, and leaves only the map."""
    table = "id,time,x,y\n" + "".join(f"a,{t},{8 * t},0\n" for t in range(90))
    kind = "csv" if ".csv" in name else "net" if ".net" in name else "osm"
    content = {"csv": table.encode(), "net": gzip.decompress(CROSSING.read_bytes()), "osm": STREET.encode()}[kind]
    packed = {"bz2": bz2.compress, ".gz": gzip.compress, "ide": gzip.compress}
    by = name.lower()[-3:] if "inside" not in name else "ide"
    (tmp_path / name).write_bytes(packed.get(by, bytes)(content))
    made = import_map(tmp_path / name, "map", tmp_path, Demand() if kind == "csv" else SMALL)
    assert made.source["origin"] == name
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted((name, "map"))


def test_broken_file_under_an_odd_name(tmp_path):
    """An error of netconvert names the user's file, not a copy."""
    (tmp_path / "a,b.osm").write_text(ROAD.replace('nd ref="1"', 'nd ref="x"'))
    with pytest.raises(InputError, match=re.escape("a,b.osm")) as error:
        convert(tmp_path / "a,b.osm", "osm", tmp_path / "n.net.xml.gz", "auto")
    assert "source.osm" not in str(error.value)
