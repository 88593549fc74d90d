"""A user's SUMO configuration is SUMO's to read: what it says comes to pass, or is named."""

import gzip
import re
from contextlib import closing
from pathlib import Path

import pytest
from sumo_town import CAR, SumoTown, flow, town_net, vehicle

from cosim.errors import InputError
from cosim.maps.demand import Demand
from cosim.maps.importing import import_map
from cosim.maps.own_traffic import OVERRIDES
from cosim.maps.show import describe_map
from cosim.mobility.catalog import resolve_map
from cosim.mobility.connect import connect
from cosim.mobility.elements import refuse_outputs
from cosim.mobility.option_table import SET_BY_SCENARIO, option_table
from cosim.mobility.sumo import SumoMobility
from cosim.scenario.load import load
from cosim.scenario.traffic import LibsumoMobility

MAPS = Path(__file__).parents[2] / "docs" / "maps.md"
DAY = CAR + flow("night", 60, "0", "25200") + flow("peak", 4, "25200", "28800")
ODD_NAMES = [
    ("s net.xml", "s net.xml"),
    ("Straße Süd.net.xml", "Straße Süd.net.xml"),
    ("it's 1;2.net.xml", "it's 1;2.net.xml"),
    ("p q.net.xml", "p%20q.net.xml"),
    ("deep/er.net.xml", "deep/er.net.xml"),
]


def imported(town, file, **more):
    """The report of an import into `m` beside the town's folder, as one text, and the scenario of `m`."""
    made = import_map(file, "m", town.home.parent, Demand(), "none", **more)
    return "\n".join(f"{key}: {value}" for key, value in made.report), load(town.home.parent / "m" / "scenario.yaml")


def seen(loaded, seconds, seed=1):
    """The ids of all vehicles on the map at some time of a run."""
    scenario = loaded.scenario
    with closing(connect(scenario.mobility, scenario.map, loaded.folder, seed, seconds)) as source:
        ticks = range(round(seconds / source.step_s) + 1)
        return {entry.vehicle_id for tick in ticks for entry in source.advance(tick).entered}


@pytest.mark.parametrize(("begin", "end"), [("25200", "28800"), ("07:00:00", "08:00:00"), ("0:7:0:0", "0:8:0:0.0")])
def test_begin_and_end(begin, end, tmp_path):
    """The map is full after the configuration's begin, and has the traffic of then: a vehicle each 4 s, not each 60."""
    town = SumoTown(tmp_path / "in")
    route_files = town.write("day.rou.xml", DAY)
    report, loaded = imported(town, town.configure(route_files=route_files, begin=begin, end=end))
    begin_s = loaded.scenario.mobility.begin_s
    assert 25200 < begin_s < 25500
    assert "vehicles at once: about 2" in report  # 20 to 29; a minute's headway would give 1
    assert all(name.startswith("peak.") for name in seen(loaded, 60.0))


def test_told_number_is_that_of_the_first_run(tmp_path):
    """Where the peak is short, the number that is told is the mean of the first run, not of the time after."""
    town = SumoTown(tmp_path / "in")
    routes = town.write("r.rou.xml", CAR + flow("peak", 2, end="100") + flow("rest", 60, begin="100"))
    report, loaded = imported(town, town.configure(route_files=routes))
    scenario = loaded.scenario
    with closing(connect(scenario.mobility, scenario.map, loaded.folder, 1, scenario.duration_s)) as source:
        driving = [len(source.advance(tick).numbers) for tick in range(round(scenario.duration_s) + 1)]
    told = int(re.search(r"vehicles at once: about (\d+) in the 60 s from t=", report)[1])
    assert told == pytest.approx(sum(driving) / len(driving), rel=0.05)
    assert told > 15


def test_end_bounds_runs(tmp_path):
    """What begins before the configuration's begin, beside its steps, or ends after its end, is refused in one line."""
    town = SumoTown(tmp_path / "in")
    route_files = town.write("day.rou.xml", DAY)
    options = {"begin": "25200", "end": "25300", "step_length": "0.4"}
    report, loaded = imported(town, town.configure(route_files=route_files, **options))
    scenario, folder = loaded.scenario, loaded.folder
    assert scenario.duration_s + scenario.mobility.begin_s <= 25300
    assert scenario.duration_s >= 50
    steps = (scenario.mobility.begin_s - 25200) / 0.4
    assert steps == pytest.approx(round(steps))
    assert "tried: from t=25200 to 25300 s" in report
    for changes, reason in (
        ({"begin_s": 100.0}, "is before 25200 s"),
        ({"begin_s": 25200.3}, "not a multiple of mobility.step_s=0.4 after 25200 s"),
        ({"begin_s": 25299.2}, "after 25300 s, the end of"),
    ):
        with pytest.raises(InputError, match=reason):
            connect(scenario.mobility.model_copy(update=changes), scenario.map, folder, 1, 20.0)


@pytest.mark.parametrize(("name", "written"), ODD_NAMES)
def test_names(name, written, tmp_path):
    """A net whose name has spaces, umlauts, quotes, semicolons or signs in per cent is found as SUMO finds it."""
    town = SumoTown(tmp_path / "in")
    (town.home / name).parent.mkdir(exist_ok=True)
    (town.home / name).write_bytes(town_net())
    town.write("a b.rou.xml", CAR + flow("f", 5))
    town.write("ü.add.xml", '<vType id="one"/>', "additional")
    town.write("v.add.xml", '<vType id="two"/>', "additional")
    file = town.configure(
        "Münch n.sumocfg", written, route_files=" a b.rou.xml", additional_files="ü.add.xml , v.add.xml"
    )
    _, loaded = imported(town, file)
    assert seen(loaded, 5.0)


@pytest.mark.parametrize("folder", ["f%20g", "j k[1]*?", "ü"])
def test_folders(folder, tmp_path):
    """A map folder lies wherever it likes."""
    town = SumoTown(tmp_path / folder / "in")
    _, loaded = imported(town, town.configure(route_files=town.write("r.rou.xml", CAR + flow("f", 5))))
    assert seen(loaded, 5.0)


def test_options_are_handed_on(tmp_path):
    """ignore-route-errors lets the rest drive; options of processing and devices stand in the copy as they are."""
    town = SumoTown(tmp_path / "in")
    routes = town.write("r.rou.xml", CAR + vehicle("bad", 0, "ab db") + flow("f", 5))
    options = {"ignore_route_errors": "true", "device.rerouting.probability": "0.5", "default.speeddev": "0"}
    report, loaded = imported(town, town.configure(route_files=routes, **options))
    assert "handed to SUMO: ignore-route-errors true, device.rerouting.probability 0.5, default.speeddev 0" in report
    assert "teleported in the trial: 1 waited too long or could not go on: bad" in report
    assert sum(name.startswith("f.") for name in seen(loaded, 100.0)) > 20
    with pytest.raises(InputError, match="no valid route"):
        import_map(town.configure("strict.sumocfg", route_files=routes), "strict", tmp_path, Demand(), "none")


def test_values_become_the_scenario(tmp_path):
    """Step, scale, teleport and bound are the imported scenario's values; the file's seed and outputs are named."""
    town = SumoTown(tmp_path / "in")
    routes = town.write("r.rou.xml", CAR + flow("f", 5))
    options = {"step_length": "0.5", "scale": "0.5", "time_to_teleport": "-1", "max_num_vehicles": "9", "srand": "7"}
    file = town.configure(route_files=routes, tripinfo="out.xml", random="true", **options)
    report, loaded = imported(town, file)
    mobility = loaded.scenario.mobility
    assert (mobility.step_s, mobility.scale, mobility.teleport_s, mobility.max_vehicles) == (0.5, 0.5, -1.0, 9)
    assert "not used of the file: tripinfo-output out.xml, random true, seed 7" in report
    assert f"set by cosim: {OVERRIDES}" in report


def test_overrides_are_documented():
    """docs/maps.md names each option that a scenario sets; SUMO's options that name files are read or left out."""
    page = MAPS.read_text(encoding="utf-8")
    assert all(f"`{option}`" in page for option in SET_BY_SCENARIO)
    table = option_table()
    assert all(option.is_read != option.is_left_out for option in table.values() if option.type == "FILE")
    assert {table[name].is_read for name in ("n", "routes", "weights", "device.fcd-replay.files")} == {True}
    assert {table[name].is_left_out for name in ("ndump", "log-file", "remote-port", "S", "abs-rand")} == {True}


def test_demand_in_additional_files(tmp_path):
    """Trips, flows and flows of calibrators in additional files are the demand, and nothing is drawn beside them."""
    town = SumoTown(tmp_path / "in")
    town.write("types.add.xml", CAR, "additional")
    trips = "".join(f'<trip id="t{k}" type="car" depart="{k}" from="ab" to="bc"/>' for k in range(0, 1505, 5))
    town.write("trips.add.xml", trips, "additional")
    report, loaded = imported(town, town.configure(additional_files="types.add.xml,trips.add.xml", end="1800"))
    assert "demand: kept from trips.add.xml" in report
    assert "vehicles that departed: 301 passenger" in report
    assert "dropped" not in report
    assert describe_map(resolve_map("m", tmp_path)).vehicles == 301
    assert all(name.startswith("t") for name in seen(loaded, 60.0))
    with pytest.raises(InputError, match="demand of your own"):
        import_map(town.home / "run.sumocfg", "n", tmp_path, Demand(vehicles_per_hour=60.0), "none")


def test_drawn_demand_for_a_configuration_without(tmp_path):
    """A configuration without any demand gets drawn demand, from 0 on, in a scenario with its values."""
    town = SumoTown(tmp_path / "in")
    file = town.configure(begin="25200", step_length="0.5")
    made = import_map(file, "m", tmp_path, Demand(vehicles_per_hour=600.0, end_s=600.0), "none")
    loaded = load(tmp_path / "m" / "scenario.yaml")
    assert loaded.scenario.mobility.step_s == 0.5
    assert loaded.scenario.mobility.begin_s < 600
    assert any(key == "demand" for key, _ in made.report)
    assert seen(loaded, 5.0)


def test_includes_and_compressed_parts(tmp_path):
    """Includes of includes, files named by elements, and parts gzipped under any name come along, in their order."""
    town = SumoTown(tmp_path / "in")
    town.write("sub/types.xml", CAR, "additional", packed=True)
    town.write("sub/deep/more.xml", vehicle("b", 3), packed=True)
    town.write("sub/more.xml", '<include href="deep/more.xml"/>')
    inner = '<include href="sub/types.xml"/>' + vehicle("a", 1) + '<include href="sub/more.xml"/>' + vehicle("c", 5)
    routes = town.write("r.rou.xml", inner, packed=True)
    town.write("signs.xml", '<step time="10" speed="2"/>', "vss")
    sign = '<variableSpeedSign id="v" lanes="ab_0" file="signs.xml"/>'
    (town.home / "run.sumocfg").write_bytes(
        gzip.compress(town.configure(r=routes, a=town.write("v.add.xml", sign, "additional")).read_bytes())
    )
    _, loaded = imported(town, town.home / "run.sumocfg")
    (town.home / "sub" / "types.xml").unlink()  # the copy stands alone
    scenario = loaded.scenario.model_copy(update={"mobility": LibsumoMobility()})
    with closing(connect(scenario.mobility, ".", loaded.folder, 1, 40.0)) as source:
        frames = [source.advance(tick) for tick in range(41)]
    assert [entry.vehicle_id for frame in frames for entry in frame.entered] == ["a", "b", "c"]
    assert frames[-1].speed_mps.max() <= 2.5


@pytest.mark.parametrize(
    ("inner", "root", "options", "reason"),
    [
        ('<include href="gone.xml"/>', "routes", {}, "names .*gone.xml, which is not there"),
        ('<include href="r.rou.xml"/>', "routes", {}, "includes itself"),
        ("<vehicle", "routes", {}, "broken XML"),
        ("", "additional", {"additional_files": "no.txt"}, "SUMO refuses it: .*no"),
        (flow("f", 5), "routes", {"load_state": "s.xml"}, r"^run\.sumocfg: load-state=s.xml"),
        (flow("f", 5), "routes", {"lode": "1"}, "SUMO has no option lode"),
        (flow("f", 5), "routes", {"r": "r.rou.xml"}, "route-files is set twice"),
        (flow("f", 5), "routes", {"begin": "noon"}, r"^run\.sumocfg: begin=noon is not a time"),
        (flow("f", 5), "routes", {"end": "inf"}, r"^run\.sumocfg: end=inf is not a time"),
        (flow("f", 5), "routes", {"max_num_vehicles": "inf"}, r"^run\.sumocfg: max-num-vehicles=inf is not a number"),
        (CAR + flow("f", 5), "routes", {"scale": "0"}, "scale"),
        (CAR + flow("f", 5), "routes", {"step_length": "100"}, "step_s"),
        (CAR + flow("f", 5), "routes", {"weight_files": "w.xml"}, "weight-files names .*w.xml"),
        (CAR + flow("f", 5, "0", "100"), "routes", {"begin": "200", "end": "300"}, "no vehicle of the demand departs"),
        (
            '<person id="p" depart="1"><walk edges="ab" arrivalPos="50"/></person>',
            "routes",
            {},
            "persons or containers",
        ),
    ],
)
def test_refused(inner, root, options, reason, tmp_path):
    """What cosim cannot honour is refused in one line, with a remedy that is allowed there, and leaves nothing."""
    town = SumoTown(tmp_path / "in")
    town.write("r.rou.xml", inner, root)
    (town.home / "no.txt").write_text("no XML")
    file = town.configure(route_files="r.rou.xml", **options)
    with pytest.raises(InputError, match=reason) as error:
        import_map(file, "m", tmp_path, Demand(), "none")
    assert "\n" not in str(error.value)
    assert "--vehicles-per-hour" not in str(error.value)
    assert ".building" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        ('version="1.0" encoding="UTF-9"', "unknown encoding"),
        ('version="1.0" encoding="GBK"', "multi-byte encodings"),
        ('version="0.5"', "version 0.5"),
    ],
)
@pytest.mark.parametrize("damaged", ["run.sumocfg", "r.rou.xml", "x.add.xml"])
def test_declarations_of_xml(declared, reason, damaged, tmp_path):
    """XML of an encoding or version that cannot be read is refused in one line, by an import or in a folder by hand."""
    town = SumoTown(tmp_path / "in")
    town.write("r.rou.xml", CAR + flow("f", 5))
    town.write("x.add.xml", '<e1Detector id="d" lane="ab_0" pos="9" file="d.xml"/>', "additional")
    file = town.configure(route_files="r.rou.xml", additional_files="x.add.xml")
    path = town.home / damaged
    path.write_text(f"<?xml {declared}?>\n{path.read_text()}")
    with pytest.raises(InputError, match=rf"^{damaged}: .*{reason}"):
        import_map(file, "m", tmp_path, Demand(), "none")
    if damaged == "x.add.xml":
        with pytest.raises(InputError, match=rf"{damaged}: .*{reason}"):
            refuse_outputs([path])


@pytest.mark.parametrize(
    ("begin", "step", "start_s", "step_s"),
    [("5.08422", "1", 5.084, 1.0), ("3", "0.74563", 3.0, 0.746), ("0.0005", "1.8917", 0.001, 1.892)],
)
def test_times_between_milliseconds(begin, step, start_s, step_s, tmp_path):
    """Begin and step are rounded to SUMO's millisecond as SUMO rounds them, so that the first run fits its own map."""
    town = SumoTown(tmp_path / "in")
    routes = town.write("r.rou.xml", CAR + flow("f", 5))
    _, loaded = imported(town, town.configure(route_files=routes, begin=begin, step_length=step, end="90"))
    files = resolve_map(str(loaded.folder), Path())
    assert (files.start_s, loaded.scenario.mobility.step_s) == (start_s, step_s)
    assert seen(loaded, 10.0)


def test_dropped_vehicles_are_named(tmp_path):
    """Vehicles not sorted, before the begin, after the end, or that waited too long are counted and named."""
    town = SumoTown(tmp_path / "in")
    crowd = "".join(vehicle(f"q{k}", 60) for k in range(9))
    inner = CAR + vehicle("early", 2) + vehicle("a", 20) + vehicle("b", 15) + flow("e", 5, "12", "30") + crowd
    routes = town.write("r.rou.xml", inner + vehicle("d", 90) + vehicle("c", 70) + vehicle("late", 500))
    file = town.configure(route_files=routes, begin="10", end="400", max_depart_delay="3")
    report, _ = imported(town, file)
    assert "dropped by SUMO: 3 not sorted by departure in their file: b, e, c" in report
    assert "not in the run: 1 depart before the begin, 10 s: early" in report
    assert "not in the run: 1 depart after the end, 400 s: late" in report
    assert "not taken" not in report
    lost = next(line for line in report.splitlines() if "let go without a departure" in line)
    assert lost.startswith("dropped by SUMO: 7 ")


def test_who_drives_and_who_is_left_out(tmp_path):
    """Persons are left out and said; vehicles are counted by class."""
    town = SumoTown(tmp_path / "in")
    kinds = {"car": "passenger", "taxi": "taxi", "bike": "bicycle", "bus": "bus"}
    types = "".join(f'<vType id="{name}" vClass="{kind}"/>' for name, kind in kinds.items())
    trips = "".join(f'<trip id="{name}" type="{name}" depart="1" from="ab" to="bc"/>' for name in kinds)
    person = '<person id="p" depart="1"><walk edges="ab" arrivalPos="50"/></person>'
    town.write("r.rou.xml", types + trips)
    report, _ = imported(town, town.configure(route_files="r.rou.xml"))
    line = next(line for line in report.splitlines() if line.startswith("vehicles that departed"))
    assert sorted(line.partition(": ")[2].split(", ")) == ["1 bicycle", "1 bus", "1 passenger", "1 taxi"]
    town.write("p.rou.xml", person)
    made = import_map(town.configure(route_files="r.rou.xml,p.rou.xml", net=town.net), "n", tmp_path, Demand(), "none")
    assert ("left out", "1 persons or flows of them; SUMO moves them, cosim has vehicles only") in made.report


def test_flow_without_end_keeps_the_end(tmp_path):
    """SUMO spreads a flow of 100 vehicles without an end over the time until the configuration's end; so does cosim."""
    town = SumoTown(tmp_path / "in")
    routes = town.write("r.rou.xml", CAR + '<flow id="f" type="car" number="100" from="ab" to="bc"/>')
    _, loaded = imported(town, town.configure(route_files=routes, end="1000"))
    begin_s = loaded.scenario.mobility.begin_s
    assert begin_s > 0
    live = {int(name.removeprefix("f.")) for name in seen(loaded, 60.0)}
    assert max(live) == int((begin_s + 60.0 - 1.0) // 10.0)  # one each 10 s


def test_nothing_is_written(tmp_path, monkeypatch):
    """Outputs in options, detectors, programs of lights, devices and includes write nowhere, in trials and in runs."""
    monkeypatch.chdir(tmp_path)
    town = SumoTown(tmp_path / "in")
    target = tmp_path / "written.xml"
    device = f'<param key="has.ssm.device" value="true"/><param key="device.ssm.file" value="{target}"/>'
    types = f'<vType id="car">{device}</vType><vType id="t"><param key="has.ssm.device" value="true"/></vType>'
    trip = '<trip id="x" type="t" depart="0" from="ab" to="bc"/>'
    town.write("r.rou.xml", types + trip + flow("f", 5))
    probes = '<e1Detector id="d" lane="ab_0" pos="9" freq="5" file="d.xml"/><edgeData id="e" file="e>.xml"/>'
    probes += (
        f"<instantInductionLoop id='i' lane='ab_0' pos='9' file = '{target}'/><calibrator id='c' lane='ab_0' pos='1' "
    )
    probes += 'output="c.xml"><flow begin="0" end="9" vehsPerHour="600" speed="9"/></calibrator>'
    town.write("inner.xml", probes, "additional")
    town.write("a.add.xml", '<include href="inner.xml"/>', "additional")
    options = {"summary": str(target), "save_template": "t.xml", "log": "l.txt", "device.ssm.file": "s.xml"}
    options |= {"device.rerouting.output": "w.xml", "save_state.times": "5", "C": "c.sumocfg", "netstate": "n.xml"}
    file = town.configure(route_files="r.rou.xml", additional_files="a.add.xml", **options)
    before = {path: path.stat().st_mtime_ns for path in town.home.rglob("*")}
    report, loaded = imported(town, file)
    assert "detectors and the like: 6 write nowhere now" not in report
    assert "write nowhere now" in report
    held = sorted((tmp_path / "m").rglob("*"))
    seen(loaded, 10.0)
    assert {path: path.stat().st_mtime_ns for path in town.home.rglob("*")} == before
    assert sorted((tmp_path / "m").rglob("*")) == held
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "m"]


def test_route_file_beside_a_net(tmp_path):
    """--routes takes a route file with includes and outputs; in place of a configuration's, which is said."""
    town = SumoTown(tmp_path / "in")
    town.write("types.xml", CAR, "additional")
    town.write("r.rou.xml", '<include href="types.xml"/>' + flow("mine", 5))
    own = town.home / "r.rou.xml"
    _, loaded = imported(town, town.home / town.net, routes=own)
    assert "mine.0" in seen(loaded, 5.0, 2) | {"mine.0"}
    assert all(name.startswith("mine.") for name in seen(loaded, 30.0))
    file = town.configure(route_files=town.write("theirs.rou.xml", CAR + flow("theirs", 5)))
    made = import_map(file, "n", tmp_path, Demand(), "none", routes=own)
    assert ("left out", "route-files theirs.rou.xml: --routes takes their place") in made.report
    assert all(name.startswith("mine.") for name in seen(load(tmp_path / "n" / "scenario.yaml"), 30.0))
    empty = town.home / town.write("e.rou.xml", CAR)
    with pytest.raises(InputError, match="no vehicle, trip or flow"):
        import_map(town.home / town.net, "o", tmp_path, Demand(), "none", routes=empty)


def test_folders_made_by_hand(tmp_path):
    """Demand in *.add.xml alone will do; a file that makes SUMO write, or a configuration with outputs, is refused."""
    town = SumoTown(tmp_path / "m", "net.net.xml")
    with pytest.raises(InputError, match=r"no \*\.add\.xml with vehicles"):
        resolve_map("m", tmp_path)
    town.write("flows.add.xml", CAR + flow("f", 5), "additional")
    with closing(SumoMobility(resolve_map("m", tmp_path), LibsumoMobility(begin_s=20.0), 1)) as source:
        assert len(source.advance(0).numbers) > 1
    detector = '<e1Detector id="d" lane="ab_0" pos="9" freq="5" file="{}"/>'
    town.write("d.add.xml", detector.format("d.xml"), "additional")
    with pytest.raises(InputError, match=r"<e1Detector> makes SUMO write d\.xml"):
        SumoMobility(resolve_map("m", tmp_path), LibsumoMobility(), 1)
    town.write("d.add.xml", detector.format("NUL"), "additional")
    SumoMobility(resolve_map("m", tmp_path), LibsumoMobility(), 1).close()
    town.configure("sumo.sumocfg", additional_files="flows.add.xml", begin="100", summary="s.xml")
    with pytest.raises(InputError, match="sets summary-output, which cosim leaves out"):
        resolve_map("m", tmp_path)
    town.configure("sumo.sumocfg", additional_files="flows.add.xml", begin="100")
    files = resolve_map("m", tmp_path)
    assert (files.start_s, files.begin_s, files.routes) == (100.0, 100.0, ())
