"""A town whose files are damaged, and what a damaged one may come to."""

import gzip
import subprocess
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from command_worker import Ended

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
    <output>
        <summary-output value="summary.xml"/>
    </output>
    <time>
        <begin value="2"/>
        <end value="00:01:30"/>
        <step-length value="1"/>
    </time>
    <processing>
        <time-to-teleport value="300"/>
        <max-depart-delay value="60"/>
        <ignore-route-errors value="false"/>
        <scale value="1.0"/>
        <default.speeddev value="0.1"/>
    </processing>
    <random_number>
        <seed value="7"/>
    </random_number>
    <report>
        <log value="sumo.log"/>
    </report>
</configuration>
"""
NET = gzip.decompress((bundled("sumo_maps") / "intersection" / "net.net.xml.gz").read_bytes())


ACCEPTED = "accepted"


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


def sumo_shows(options: list[str], folder: Path, step_s: float = 1.0) -> tuple[float, list[list[str]]]:
    """Time of SUMO's first step, and the ids of the vehicles that it shows after each."""
    out = folder / "oracle.fcd.xml"
    seed = str(stream_key(SEED, "sumo") % 2**31)
    always = ["--seed", seed, "--step-length", f"{step_s:.3f}", "--fcd-output", str(out), "--xml-validation", "never"]
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
    first_s = float(str(steps[0].get("time"))) if steps else 0.0
    return first_s, [[str(vehicle.get("id")) for vehicle in step.findall("vehicle")] for step in steps]


def counted(shown: Sequence[Sequence[str]]) -> tuple[list[str], list[int]]:
    """Ids of the vehicles that are shown at some time, and how many there are at each."""
    return sorted({name for names in shown for name in names}), [len(names) for names in shown]


def our_counts(run: Path, times_s: Iterable[float] = range(1, DURATION_S + 1)) -> tuple[list[str], list[int]]:
    """Ids of a run's vehicles, and how many there are at some times."""
    with Trace.open(run) as trace:
        entered = trace.sql("SELECT time_s, vehicle_id FROM vehicle_entered")
        left = trace.sql("SELECT time_s FROM vehicle_left")
    counts = [int((entered.time_s <= t + 1e-6).sum() - (left.time_s <= t + 1e-6).sum()) for t in times_s]
    return sorted(entered.vehicle_id), counts


def each(tmp_path: Path, chosen: range, one: Callable[[int, Path], str]) -> str:
    """Do one case after the other, each in a folder of its own, and return how many came to what."""
    outcomes: Counter[str] = Counter()
    for seed in chosen:
        folder = tmp_path / str(seed)
        folder.mkdir()
        outcomes[one(seed, folder)] += 1
    return f"{len(chosen)} cases: " + ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))


def make_town(folder: Path) -> Path:
    """Write the sound town and a scenario beside it; return the town's folder."""
    home = folder / "town"
    home.mkdir()
    (home / "net.net.xml").write_bytes(NET)
    (home / "rou.xml").write_bytes(ROUTES)
    (folder / "town.yaml").write_text(SCENARIO)
    return home
