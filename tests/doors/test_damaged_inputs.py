"""Damaged maps, sites, arrivals and recordings are refused in one line, or carry the vehicles that SUMO counts."""

import gzip
import io
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import TypeAlias

import damage
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_worker import CommandWorker
from damage import Mutator
from damaged_town import (
    ACCEPTED,
    ADDITIONAL,
    CONFIGURATION,
    DURATION_S,
    NET,
    ROUTES,
    SCENARIO,
    SEED,
    counted,
    each,
    entries,
    make_town,
    oracle_counts,
    our_counts,
    recorded_ids,
    refused_well,
    sumo_shows,
)
from effort import seeds
from ruamel.yaml import YAML

from cosim.mobility.programs import sumo_environment, sumo_home
from cosim.trace.store.reader import Trace

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
CONFIGURED = {"run.sumocfg": CONFIGURATION, "rou.xml": ROUTES, "extra.add.xml": ADDITIONAL}
Recorded: TypeAlias = Callable[[str, object], None]


@pytest.fixture(scope="module")
def worker() -> Iterator[CommandWorker]:
    """The process that runs the commands of this module."""
    made = CommandWorker()
    yield made
    made.close()


def tried(
    worker: CommandWorker, folder: Path, said: str, names: tuple[str, ...], *more: str, scenario: str = "town.yaml"
) -> str:
    """Run a scenario into the folder `run`, and return what became of it."""
    before = entries(folder)
    ended = worker.run(["run", scenario, "--out", "run", "--no-picture", *more], folder)
    if ended.status == 0:
        beside = [one for one in entries(folder) if one.split("/")[0] != "run"]
        assert beside == before, said
        return ACCEPTED
    if str(ended.status).startswith("died") and (folder / "run").exists():  # long after the map was loaded
        with Trace.open(folder / "run") as trace:
            assert "its process ended without closing it" in trace.unfinished, said
        return "died with SUMO in mid-run"
    refused_well(ended, said, names)
    if ended.status == 1:
        return "ended by SUMO in mid-run"
    assert entries(folder) == before, said
    return "refused"


def as_sumo(options: list[str], folder: Path, said: str) -> None:
    """What was accepted has SUMO's own vehicles at SUMO's own times."""
    assert our_counts(folder / "run") == counted(sumo_shows([*options, "--end", str(DURATION_S)], folder)[1]), said


def damaged_map(
    town: Path, worker: CommandWorker, seed: int, name: str, content: bytes, mutators: tuple[Mutator, ...]
) -> str:
    """Damage one file of the town, run it, and return what became of it."""
    rng = Random(seed)
    bad, said = damage.damage(content, mutators, rng)
    (town / name).unlink(missing_ok=True)
    if rng.random() < 0.15 and name in ("net.net.xml", "rou.xml"):
        name += ".gz"
        bad, said = (
            (damage.packed_badly(content, rng), "packed badly")
            if rng.random() < 0.5
            else (gzip.compress(bad, mtime=0), said)
        )
    said = f"seed {seed}: {name}: {said}"
    (town / name).write_bytes(bad)
    outcome = tried(worker, town.parent, said, (name, "town"))
    if outcome != ACCEPTED:
        return outcome
    nets, routes = (next(town.glob(f"{one}*")) for one in ("net.net.xml", "rou.xml"))
    options = ["--net-file", str(nets), "--route-files", str(routes), "--time-to-teleport", "300"]
    added = sorted(map(str, town.glob("*.add.xml")))
    as_sumo([*options, *(["--additional-files", ",".join(added)] if added else [])], town.parent, said)
    return outcome


def test_sound_inputs(tmp_path: Path, worker: CommandWorker) -> None:
    """What is damaged below is accepted as long as it is sound, with all of its vehicles."""
    home = make_town(tmp_path)
    (home / "extra.add.xml").write_bytes(ADDITIONAL)
    assert tried(worker, tmp_path, "sound", ()) == ACCEPTED
    options = ["--net-file", str(home / "net.net.xml"), "--route-files", str(home / "rou.xml")]
    as_sumo([*options, "--additional-files", str(home / "extra.add.xml")], tmp_path, "sound")
    assert {"v0", "v1", "v2", "v3", "t0", "f.0"} <= set(our_counts(tmp_path / "run")[0])


def test_damaged_nets(tmp_path: Path, worker: CommandWorker, record_property: Recorded) -> None:
    """A damaged net ends nothing but its own import, some of it in SUMO's own crash, which a child takes."""
    record_property(
        "measured",
        each(
            tmp_path,
            seeds(170),
            lambda seed, folder: damaged_map(make_town(folder), worker, seed, "net.net.xml", NET, damage.XML),
        ),
    )


def test_damaged_routes(tmp_path: Path, worker: CommandWorker, record_property: Recorded) -> None:
    """Damaged demand is refused, or drives as SUMO drives it."""
    record_property(
        "measured",
        each(
            tmp_path,
            seeds(110, start=1000),
            lambda seed, folder: damaged_map(make_town(folder), worker, seed, "rou.xml", ROUTES, damage.XML),
        ),
    )


def test_damaged_additional_files(tmp_path: Path, worker: CommandWorker, record_property: Recorded) -> None:
    """Damaged stops, signs, rerouters, detectors and calibrators are refused, or act as in SUMO."""
    record_property(
        "measured",
        each(
            tmp_path,
            seeds(50, start=2000),
            lambda seed, folder: damaged_map(make_town(folder), worker, seed, "x.add.xml", ADDITIONAL, damage.XML),
        ),
    )


def imported_and_run(worker: CommandWorker, folder: Path, said: str) -> str:
    """Import the configuration in a folder, run the first run of it, and return what became of it."""
    names = ("run.sumocfg", "rou.xml", "extra.add.xml", "trying the map: SUMO refuses it", "map=")
    before = entries(folder)
    ended = worker.run(["map", "import", "in/run.sumocfg", "--name", "m", "--sites", "none"], folder)
    if ended.status != 0:
        refused_well(ended, said, names)
        assert entries(folder) == before, said
        return "refused"
    outcome = tried(worker, folder, said, names, "--set", f"seed={SEED}", scenario="m/scenario.yaml")
    if outcome == ACCEPTED:
        scenario = YAML(typ="safe").load(folder / "m" / "scenario.yaml")
        mobility, step_s = scenario["mobility"], scenario["mobility"].get("step_s", 1.0)
        ticks = int(scenario["duration_s"] / step_s + 1e-6)
        ours = our_counts(folder / "run", [tick * step_s for tick in range(ticks + 1)])
        assert ours == oracle_counts(folder, mobility, ticks), said
    return outcome


def test_sound_configuration(tmp_path: Path, worker: CommandWorker) -> None:
    """The sound configuration is imported and run, with the vehicles of its demand."""
    (tmp_path / "in").mkdir()
    for name, content in {"net.net.xml": NET, **CONFIGURED}.items():
        (tmp_path / "in" / name).write_bytes(content)
    assert imported_and_run(worker, tmp_path, "sound") == ACCEPTED
    assert {"v3", "t0", "f.8", "calm.0.0"} <= set(our_counts(tmp_path / "run")[0])


def test_damaged_configurations(tmp_path: Path, worker: CommandWorker, record_property: Recorded) -> None:
    """A damaged .sumocfg, or one with damaged demand, is refused by its import, or drives as SUMO drives the user's."""
    mutators = {"run.sumocfg": (*damage.XML, *(damage.other_option,) * 6)}

    def one(seed: int, folder: Path) -> str:
        rng, given, said = Random(seed), folder / "in", f"seed {seed}:"
        given.mkdir()
        (given / "net.net.xml").write_bytes(NET)
        chosen = rng.choice((*((name,) for name in CONFIGURED), *(("run.sumocfg",),) * 4, ("run.sumocfg", "rou.xml")))
        for name, content in CONFIGURED.items():
            bad, how = damage.damage(content, mutators.get(name, damage.XML), rng) if name in chosen else (content, "")
            (given / name).write_bytes(bad)
            said += f" {name}: {how}" if how else ""
        return imported_and_run(worker, folder, said)

    record_property("measured", each(tmp_path, seeds(50, start=6000), one))


def run_with(folder: Path, text: str) -> None:
    (folder / "town.yaml").write_text(text)


def test_damaged_sites(tmp_path: Path, worker: CommandWorker, record_property: Recorded) -> None:
    """A map's damaged sites.yaml is refused, or places sites without a change to the traffic."""
    expected = None

    def one(seed: int, folder: Path) -> str:
        nonlocal expected
        home = make_town(folder)
        bad, said = damage.damage(SITES, damage.YAML_TEXT, Random(seed))
        (home / "sites.yaml").write_bytes(bad)
        run_with(folder, SCENARIO.replace("{kind: listed, sites: [{name: a, x_m: 150, y_m: 310}]}", "{kind: map}"))
        outcome = tried(worker, folder, f"seed {seed}: sites: {said}", ("sites",))
        if outcome != ACCEPTED:
            return outcome
        options = ["--net-file", str(home / "net.net.xml"), "--route-files", str(home / "rou.xml")]
        expected = expected or counted(sumo_shows([*options, "--end", str(DURATION_S)], folder)[1])
        assert our_counts(folder / "run") == expected
        with Trace.open(folder / "run") as trace:
            places = trace.sql("SELECT x_m, y_m FROM site_deployed WHERE x_m IS NOT NULL")
        assert len(places) >= 1
        assert bool(places.notna().all(axis=None))
        return outcome

    record_property("measured", each(tmp_path, seeds(40, start=3000), one))


def test_damaged_arrivals(tmp_path: Path, worker: CommandWorker, record_property: Recorded) -> None:
    """A damaged file of arrivals is refused, or releases no task that none of its rows stands for."""

    def one(seed: int, folder: Path) -> str:
        make_town(folder)
        bad, said = damage.damage(ARRIVALS, damage.TABLE, Random(seed))
        (folder / "arrivals.csv").write_bytes(bad)
        run_with(folder, SCENARIO + TASKS)
        outcome = tried(worker, folder, f"seed {seed}: arrivals: {said}", ("arrivals",))
        if outcome != ACCEPTED:
            return outcome
        with Trace.open(folder / "run") as trace:
            released = trace.sql("SELECT count(*) AS n FROM task_released").n[0]
        assert released <= len([line for line in bad.splitlines()[1:] if line.strip(b" ,")]), said
        return outcome

    record_property("measured", each(tmp_path, seeds(40, start=4000), one))


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
    try:
        table = pq.read_table(pa.BufferReader(content))
    except pa.ArrowInvalid:  # another mutator was here
        return content
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


@pytest.mark.parametrize(("kind", "whole"), [("xml", 20), ("csv", 10), ("parquet", 10)])
def test_damaged_recordings(
    tmp_path: Path,
    worker: CommandWorker,
    recorded: dict[str, bytes],
    kind: str,
    whole: int,
    record_property: Recorded,
) -> None:
    """Damaged FCD is refused, by a run and by an import, or replays the vehicles that are in it."""
    mutators = {"xml": damage.XML, "csv": damage.TABLE, "parquet": (damaged_columns, damaged_columns, *damage.BYTES)}

    def one(seed: int, folder: Path) -> str:
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
        outcome = tried(worker, folder, said, (f"fcd.{kind}", "is off the map"), *replay)
        if outcome == ACCEPTED:
            assert our_counts(folder / "run")[0] == recorded_ids(kind, bad, 8.0), said
        return outcome

    record_property("measured", each(tmp_path, seeds(whole, start=5000), one))
