"""Damaged maps, sites, arrivals and recordings are refused in one line, or carry the vehicles that SUMO counts."""

import csv
import gzip
import io
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import damage
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_worker import CommandWorker, Ended
from damage import Mutator
from effort import seeds

from cosim.kernel.rng import stream_key
from cosim.mobility.programs import sumo_environment, sumo_home
from cosim.resources import bundled
from cosim.trace.store.reader import Trace

DURATION_S = 20
SEED = 5
SCENARIO = f"""\
name: damaged
map: town
duration_s: {DURATION_S}
seed: {SEED}
mobility: {{kind: libsumo}}
sites: {{kind: listed, sites: [{{name: a, x_m: 150, y_m: 310}}]}}
statistics: {{batches: 2, warmup_s: 0}}
"""
ROUTES = b"""<?xml version="1.0" encoding="UTF-8"?>
<routes>
    <vType id="car" vClass="passenger" maxSpeed="14" length="4.5" minGap="2.0" accel="2.6" decel="4.5" sigma="0.5"/>
    <vType id="bus" vClass="bus" length="12" guiShape="bus"/>
    <vTypeDistribution id="mixed" vTypes="car bus" probabilities="0.8 0.2"/>
    <route id="through" edges="left0A0 A0right0"/>
    <vehicle id="v0" type="car" depart="0.00" departLane="best" departSpeed="max">
        <route edges="right0A0 A0top0"/></vehicle>
    <vehicle id="v1" type="mixed" depart="1.00" route="through"/>
    <flow id="f" type="car" begin="1" end="30" period="3" from="bottom0A0" to="A0left0"/>
    <vehicle id="v2" type="bus" depart="3.00" route="through">
        <stop lane="left0A0_0" endPos="100" duration="4"/></vehicle>
    <trip id="t0" type="mixed" depart="5.00" from="top0A0" to="A0right0" departPos="10"/>
    <flow id="p" begin="6" end="25" probability="0.3" from="right0A0" to="A0left0"/>
    <vehicle id="v3" depart="9.50" arrivalPos="20"><route edges="top0A0 A0bottom0"/><param key="a" value="b"/></vehicle>
</routes>
"""
ADDITIONAL = b"""<?xml version="1.0" encoding="UTF-8"?>
<additional>
    <vType id="slow" maxSpeed="9"/>
    <route id="across" edges="right0A0 A0left0"/>
    <busStop id="stop" lane="left0A0_0" startPos="40" endPos="60" lines="1 2"/>
    <parkingArea id="park" lane="right0A0_0" startPos="20" endPos="60" roadsideCapacity="3"/>
    <variableSpeedSign id="slow" lanes="top0A0_0 top0A0_1">
        <step time="4" speed="5.5"/><step time="12" speed="-1"/></variableSpeedSign>
    <rerouter id="around" edges="bottom0A0"><interval begin="0" end="15">
        <destProbReroute id="A0top0" probability="0.5"/><destProbReroute id="A0left0" probability="0.5"/></interval>
    </rerouter>
    <inductionLoop id="loop" lane="left0A0_1" pos="30" freq="10" file="/dev/null"/>
    <laneAreaDetector id="area" lane="top0A0_0" pos="10" endPos="80" freq="10" file="/dev/null"/>
    <calibrator id="calm" edge="right0A0" pos="5" freq="5" output="/dev/null">
        <flow begin="0" end="20" vehsPerHour="900" speed="8" type="slow" route="across" departLane="best"/></calibrator>
    <taz id="zone" edges="left0A0 A0right0"/>
</additional>
"""
CONFIGURATION = b"""<?xml version="1.0" encoding="UTF-8"?>
<configuration>
    <input>
        <net-file value="net.net.xml"/>
        <route-files value="rou.xml"/>
        <additional-files value="extra.add.xml"/>
    </input>
    <time>
        <begin value="0"/>
        <end value="3600"/>
        <step-length value="1"/>
    </time>
    <processing>
        <time-to-teleport value="300"/>
        <ignore-route-errors value="false"/>
        <scale value="1"/>
    </processing>
</configuration>
"""
SITES = b"""\
sites:
  - {name: a, x_m: 150.0, y_m: 310.0}
  - {name: b, x_m: 450.0, y_m: 290.0}
  - {name: c, x_m: 290, y_m: 120}
"""
ARRIVALS = b"time_s,vehicle_id,class,input_bit,output_bit,cycles,deadline_s\n" + b"".join(
    f"{0.5 + 0.7 * k:.2f},v{k % 4},{'' if k % 3 else 'vision'},{800_000 + k},,{2e8 + k:.0f},{0.5 + k / 100}\n".encode()
    for k in range(20)
)
TASKS = """\
tasks:
  classes: [{name: vision, input_bit: 1e6, output_bit: 1e4, cycles: 1e8, deadline_s: 1.0}]
  arrivals: {kind: file, file: arrivals.csv}
"""
NET = gzip.decompress((bundled("sumo_maps") / "intersection" / "net.net.xml.gz").read_bytes())


@pytest.fixture(scope="module")
def worker() -> Iterator[CommandWorker]:
    """The process that runs the commands of this module."""
    made = CommandWorker()
    yield made
    made.close()


def entries(folder: Path) -> list[str]:
    """What lies in a folder, hidden files included."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def refused_well(ended: Ended, said: str, names: tuple[str, ...]) -> None:
    """Exit status 2 or, where SUMO came upon it in mid-run, 1; one line that names a file or the map; nothing else."""
    assert ended.status == 2 or (ended.status == 1 and ended.err.startswith("cosim: SUMO ended at t=")), (said, ended)
    assert ended.out == "", said
    assert ended.err.count("\n") == 1, (said, ended.err)
    assert ended.err.startswith("cosim: "), (said, ended.err)
    assert ended.status == 1 or any(name in ended.err for name in names), (said, ended.err)


def sumo_counts(options: list[str], folder: Path) -> tuple[list[str], list[int]]:
    """Ids of the vehicles that SUMO itself shows in 20 s, and how many there are at each second."""
    out = folder / "oracle.fcd.xml"
    seed = str(stream_key(SEED, "sumo") % 2**31)
    always = ["--seed", seed, "--step-length", "1", "--fcd-output", str(out), "--xml-validation", "never"]
    always += ["--xml-validation.net", "never", "--no-step-log", "true", "--no-warnings", "true"]
    subprocess.run(
        [str(sumo_home() / "bin" / "sumo"), *options, *always],
        env=sumo_environment(),
        check=True,
        capture_output=True,
        timeout=120,
    )
    steps = ET.parse(out).getroot().findall("timestep")  # noqa: S314 - SUMO's own
    out.unlink()
    shown = [[str(vehicle.get("id")) for vehicle in step.findall("vehicle")] for step in steps]
    return sorted({name for names in shown for name in names}), [len(names) for names in shown]


def our_counts(run: Path) -> tuple[list[str], list[int]]:
    """Ids of the vehicles of a run's ticks 1 to 20, and how many there are at each."""
    with Trace.open(run) as trace:
        entered = trace.sql("SELECT time_s, vehicle_id FROM vehicle_entered")
        left = trace.sql("SELECT time_s FROM vehicle_left")
    times = range(1, DURATION_S + 1)
    return sorted(entered.vehicle_id), [int((entered.time_s <= t).sum() - (left.time_s <= t).sum()) for t in times]


def tried(worker: CommandWorker, folder: Path, said: str, names: tuple[str, ...], *more: str) -> Path | None:
    """Run the scenario; return its folder if it was accepted."""
    before = entries(folder)
    ended = worker.run(["run", "town.yaml", "--out", "run", "--no-picture", *more], folder)
    if ended.status == 0:
        return folder / "run"
    if str(ended.status).startswith("died") and (folder / "run").exists():  # long after the map was loaded
        with Trace.open(folder / "run") as trace:
            assert "its process ended without closing it" in trace.unfinished, said
        return None
    refused_well(ended, said, names)
    if ended.status == 2:
        assert entries(folder) == before, said
    return None


def as_sumo(run: Path, options: list[str], folder: Path, said: str) -> None:
    """What was accepted has SUMO's own vehicles at SUMO's own times."""
    assert our_counts(run) == sumo_counts([*options, "--end", str(DURATION_S)], folder), said


def damaged_map(
    town: Path, worker: CommandWorker, seed: int, name: str, content: bytes, mutators: tuple[Mutator, ...]
) -> bool:
    """Damage one file of the town and run it; return whether it was accepted."""
    rng = Random(seed)
    bad, said = damage.damage(content, mutators, rng)
    (town / name).unlink(missing_ok=True)
    if rng.random() < 0.15 and name in ("net.net.xml", "rou.xml"):
        name += ".gz"
        bad, said = (
            (damage.packed_badly(content, rng), "packed badly") if rng.random() < 0.5 else (gzip.compress(bad), said)
        )
    said = f"seed {seed}: {name}: {said}"
    (town / name).write_bytes(bad)
    run = tried(worker, town.parent, said, (name, "town"))
    if run is None:
        return False
    nets, routes = (next(town.glob(f"{one}*")) for one in ("net.net.xml", "rou.xml"))
    options = ["--net-file", str(nets), "--route-files", str(routes), "--time-to-teleport", "300"]
    added = sorted(map(str, town.glob("*.add.xml")))
    as_sumo(run, [*options, *(["--additional-files", ",".join(added)] if added else [])], town.parent, said)
    return True


def each(tmp_path: Path, chosen: range, one: Callable[[int, Path], bool]) -> int:
    """Do one case after the other, each in a folder of its own, and return how many were accepted."""
    accepted = 0
    for seed in chosen:
        folder = tmp_path / str(seed)
        folder.mkdir()
        accepted += one(seed, folder)
    return accepted


def make_town(folder: Path) -> Path:
    home = folder / "town"
    home.mkdir()
    (home / "net.net.xml").write_bytes(NET)
    (home / "rou.xml").write_bytes(ROUTES)
    (folder / "town.yaml").write_text(SCENARIO)
    return home


def test_sound_inputs(tmp_path: Path, worker: CommandWorker) -> None:
    """What is damaged below is accepted as long as it is sound, with all of its vehicles."""
    home = make_town(tmp_path)
    (home / "extra.add.xml").write_bytes(ADDITIONAL)
    run = tried(worker, tmp_path, "sound", ())
    assert run is not None
    options = ["--net-file", str(home / "net.net.xml"), "--route-files", str(home / "rou.xml")]
    as_sumo(run, [*options, "--additional-files", str(home / "extra.add.xml")], tmp_path, "sound")
    assert {"v0", "v1", "v2", "v3", "t0", "f.0"} <= set(our_counts(run)[0])


def test_damaged_nets(tmp_path: Path, worker: CommandWorker) -> None:
    """A damaged net ends nothing but its own import, some of it in SUMO's own crash, which a child takes."""
    each(
        tmp_path,
        seeds(170),
        lambda seed, folder: damaged_map(make_town(folder), worker, seed, "net.net.xml", NET, damage.XML),
    )


def test_damaged_routes(tmp_path: Path, worker: CommandWorker) -> None:
    """Damaged demand is refused, or drives as SUMO drives it."""
    each(
        tmp_path,
        seeds(110, start=1000),
        lambda seed, folder: damaged_map(make_town(folder), worker, seed, "rou.xml", ROUTES, damage.XML),
    )


def test_damaged_additional_files(tmp_path: Path, worker: CommandWorker) -> None:
    """Damaged stops, signs, rerouters, detectors and calibrators are refused, or act as in SUMO."""
    each(
        tmp_path,
        seeds(50, start=2000),
        lambda seed, folder: damaged_map(make_town(folder), worker, seed, "x.add.xml", ADDITIONAL, damage.XML),
    )


def run_with(folder: Path, text: str) -> None:
    (folder / "town.yaml").write_text(text)


def test_damaged_sites(tmp_path: Path, worker: CommandWorker) -> None:
    """A map's damaged sites.yaml is refused, or places sites without a change to the traffic."""
    expected = None

    def one(seed: int, folder: Path) -> bool:
        nonlocal expected
        home = make_town(folder)
        bad, said = damage.damage(SITES, damage.YAML_TEXT, Random(seed))
        (home / "sites.yaml").write_bytes(bad)
        run_with(folder, SCENARIO.replace("{kind: listed, sites: [{name: a, x_m: 150, y_m: 310}]}", "{kind: map}"))
        run = tried(worker, folder, f"seed {seed}: sites: {said}", ("sites",))
        if run is None:
            return False
        options = ["--net-file", str(home / "net.net.xml"), "--route-files", str(home / "rou.xml")]
        expected = expected or sumo_counts([*options, "--end", str(DURATION_S)], folder)
        assert our_counts(run) == expected
        with Trace.open(run) as trace:
            places = trace.sql("SELECT x_m, y_m FROM site_deployed WHERE x_m IS NOT NULL")
        assert len(places) >= 1
        assert bool(places.notna().all(axis=None))
        return True

    each(tmp_path, seeds(40, start=3000), one)


def test_damaged_arrivals(tmp_path: Path, worker: CommandWorker) -> None:
    """A damaged file of arrivals is refused, or releases no task that none of its rows stands for."""

    def one(seed: int, folder: Path) -> bool:
        make_town(folder)
        bad, said = damage.damage(ARRIVALS, damage.TABLE, Random(seed))
        (folder / "arrivals.csv").write_bytes(bad)
        run_with(folder, SCENARIO + TASKS)
        run = tried(worker, folder, f"seed {seed}: arrivals: {said}", ("arrivals",))
        if run is None:
            return False
        with Trace.open(run) as trace:
            released = trace.sql("SELECT count(*) AS n FROM task_released").n[0]
        assert released <= len([line for line in bad.splitlines()[1:] if line.strip(b" ,")]), said
        return True

    each(tmp_path, seeds(40, start=4000), one)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The FCD of the sound town for 12 s, as SUMO itself writes it, by the end of its name."""
    folder = tmp_path_factory.mktemp("fcd")
    home = make_town(folder)
    found = {}
    for kind in ("xml", "csv", "parquet"):
        options = ["--net-file", str(home / "net.net.xml"), "--route-files", str(home / "rou.xml")]
        options += ["--fcd-output", str(folder / f"fcd.{kind}"), "--begin", "0", "--end", "12"]
        command = [str(sumo_home() / "bin" / "sumo"), *options, "--no-step-log", "true"]
        subprocess.run(command, env=sumo_environment(), check=True, capture_output=True)
        found[kind] = (folder / f"fcd.{kind}").read_bytes()
    return found


def damaged_columns(content: bytes, rng: Random) -> bytes:
    """A Parquet file whose columns are missing, of another type, empty in places, or of values that cannot be meant."""
    table = pq.read_table(pa.BufferReader(content))
    place = rng.randrange(table.num_columns)
    name = table.column_names[place]
    match rng.randrange(4):
        case 0:
            table = table.drop_columns([name])
        case 1:
            table = table.set_column(place, name, table[name].cast(pa.string()))
        case 2:
            holes = [None if rng.random() < 0.1 else value for value in table[name].to_pylist()]
            table = table.set_column(place, name, pa.array(holes, table.schema.field(place).type))
        case _:
            values = table[name].to_pylist()
            wrong = rng.choice([float("nan"), float("inf"), -1e30, 2.0**40, -1.0])
            values[rng.randrange(len(values))] = "" if isinstance(values[0], str) else wrong
            table = table.set_column(place, name, pa.array(values))
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def recorded_ids(kind: str, content: bytes, until_s: float) -> list[str]:
    """Ids of the vehicles that a recording has at whole seconds up to a time, read in another way than cosim does."""
    if kind == "xml":
        steps = ET.fromstring(content).iter("timestep")  # noqa: S314 - damaged by us
        rows = [(float(str(step.get("time"))), one.get("id")) for step in steps for one in step.findall("vehicle")]
    elif kind == "csv":
        lines = csv.DictReader(io.StringIO(content.decode("utf-8-sig")), delimiter=";")
        rows = [(float(line["timestep_time"]), line["vehicle_id"]) for line in lines]
    else:
        table = pq.read_table(pa.BufferReader(content), columns=["timestep_time", "vehicle_id"]).to_pydict()
        rows = list(zip(table["timestep_time"], table["vehicle_id"], strict=True))
    return sorted({str(name) for time_s, name in rows if 0 <= time_s <= until_s and name and time_s % 1 == 0})


@pytest.mark.parametrize(("kind", "whole"), [("xml", 20), ("csv", 10), ("parquet", 10)])
def test_damaged_recordings(
    tmp_path: Path, worker: CommandWorker, recorded: dict[str, bytes], kind: str, whole: int
) -> None:
    """Damaged FCD is refused, by a run and by an import, or replays the vehicles that are in it."""
    mutators = {"xml": damage.XML, "csv": damage.TABLE, "parquet": (damaged_columns, damaged_columns, *damage.BYTES)}

    def one(seed: int, folder: Path) -> bool:
        bad, said = damage.damage(recorded[kind], mutators[kind], Random(seed))
        said = f"seed {seed}: FCD {kind}: {said}"
        (folder / f"fcd.{kind}").write_bytes(bad)
        before = entries(folder)
        imported = worker.run(["map", "import", f"fcd.{kind}", "--name", "m", "--sites", "none"], folder)
        if imported.status != 0:
            refused_well(imported, said, (f"fcd.{kind}",))
            assert entries(folder) == before, said
        run_with(folder, SCENARIO.replace("duration_s: 20", "duration_s: 8").replace("map: town", "map: synthetic"))
        replay = ["--set", f"mobility={{kind: replay, file: fcd.{kind}}}"]
        run = tried(worker, folder, said, (f"fcd.{kind}",), *replay)
        if run is not None:
            assert our_counts(run)[0] == recorded_ids(kind, bad, 8.0), said
        return run is not None

    each(tmp_path, seeds(whole, start=5000), one)
