"""The page of a run says what the trace says, holds all it needs and stays small."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from effort import rest_long
from unpacked import unpack

from cosim.cli.main import status
from cosim.errors import InputError
from cosim.report.page.columns import differences, pack_columns
from cosim.report.page.html import STEPS, page, write_report
from cosim.runner import simulate
from cosim.scenario.load import load
from cosim.trace.metrics.tasks import kpis
from cosim.trace.store.reader import Trace
from cosim.types import IntArray

SCENARIO = """\
name: small
duration_s: 12
mobility: {kind: synthetic, vehicles: 20}
sites: {kind: listed, sites: [{name: a, x_m: 300, y_m: 20}, {name: b, x_m: 700, y_m: 20}]}
radio: {path_loss: {kind: power_law}}
statistics: {batches: 3, warmup_s: 2}
trace: {positions: true}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one run."""
    home = tmp_path_factory.mktemp("pages")
    (home / "small.yaml").write_text(SCENARIO)
    simulate(load(home / "small.yaml"), home / "run")
    return home


def inside(text: str) -> dict[str, Any]:
    """The data in a page."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def columns(text: str, stored: dict[str, Any]) -> dict[str, IntArray]:
    """Packed columns in a page."""
    found = re.search(rf'id="blob-{stored["blob"]}">(.*?)</script>', text)
    assert found
    return unpack(stored["columns"], found[1])


def ask(run: Path, query: str) -> pd.DataFrame:
    """The answer of `cosim trace sql`."""
    with Trace.open(run) as trace:
        return trace.sql(query)


def test_numbers_are_those_of_sql(home: Path) -> None:
    """Key figures and series in the page equal plain SQL on the same run."""
    run = inside(page([home / "run"]))["runs"][0]
    measured = ask(
        home / "run",
        "SELECT count(*) FILTER (status = 0) AS done, count(*) FILTER (status = 1) AS late, "
        "count(*) FILTER (status < 8) AS ended, count(*) AS released, "
        "avg(time_s - released_s) FILTER (status < 2) AS latency, "
        "quantile_cont(time_s - released_s, 0.95) FILTER (status < 2) AS p95, "
        "sum(transmit_j + vehicle_cpu_j) AS joule FROM task_ended WHERE released_s >= 2",
    ).iloc[0]
    figures = {name: one["value"] for name, one in run["kpis"].items()}
    assert figures["released"] == measured.released
    assert figures["completed"] == measured.done
    assert figures["completed_ratio"] == pytest.approx(measured.done / measured.ended, rel=1e-12)
    assert figures["late_ratio"] == pytest.approx(measured.late / measured.ended, rel=1e-12)
    assert figures["latency_mean"] == pytest.approx(measured.latency, rel=1e-12)
    assert figures["latency_p95"] == pytest.approx(measured.p95, rel=1e-12)
    with Trace.open(home / "run") as trace:
        assert {name: one.value for name, one in kpis(trace).items() if np.isfinite(one.value)} == {
            name: value for name, value in figures.items() if value is not None
        }
    shown = run["series"]
    slice_s = shown["outcomes"]["slice_s"]
    tasks = ask(home / "run", "SELECT count(*) AS n, sum(transmit_j) AS radio, sum(edge_cpu_j) AS host FROM task_ended")
    assert sum(map(sum, shown["outcomes"]["per_s"].values())) * slice_s == pytest.approx(tasks.n[0])
    assert sum(shown["energy_w"]["radio"]) * slice_s == pytest.approx(tasks.radio[0])
    assert sum(shown["energy_w"]["host"]) * slice_s == pytest.approx(tasks.host[0])
    hosts = ask(home / "run", "SELECT site, max(number_s) AS total FROM host_sampled GROUP BY site ORDER BY site")
    lengths = np.diff(shown["hosts"]["until_s"], prepend=0.0)
    assert [lengths @ np.array(row) for row in shown["hosts"]["number"]] == pytest.approx(hosts.total.tolist())
    moved = ask(
        home / "run", "SELECT count(*) AS n FROM cell_changed WHERE from_site IS NOT NULL AND to_site IS NOT NULL"
    ).n[0]
    assert sum(shown["traffic"]["handovers_per_s"]) * slice_s == pytest.approx(moved)


def test_places_are_those_of_the_frames(home: Path) -> None:
    """Each recorded position comes back within half of 0.1 m, and no other."""
    text = page([home / "run"])
    data = inside(text)
    found = columns(text, data["runs"][0]["places"])
    rows, first = [], 0
    for vehicle, tick, length, x, y in zip(
        np.cumsum(found["vehicle"]), *(found[name] for name in ("tick", "length", "x", "y")), strict=True
    ):
        part = slice(first, first + length)
        places = [at + np.cumsum(np.cumsum(found[second][part])) for at, second in ((x, "dx"), (y, "dy"))]
        rows += zip([vehicle] * length, tick + np.arange(length), *places, strict=True)
        first += length
    decoded = np.array(rows, dtype=np.float64)
    frames = ask(
        home / "run",
        "SELECT vehicle, time_s, x_m, y_m FROM vehicle_moved WHERE x_m IS NOT NULL ORDER BY vehicle, time_s",
    ).to_numpy(np.float64)
    assert len(decoded) == len(frames)
    assert np.array_equal(decoded[:, 0], frames[:, 0])
    assert decoded[:, 1] * data["runs"][0]["header"]["step_s"] == pytest.approx(frames[:, 1], abs=1e-9)
    assert np.abs(decoded[:, 2:] * data["unit_m"] - frames[:, 2:]).max() <= 0.05 + 1e-9


def test_stories_are_those_of_the_tasks(home: Path) -> None:
    """Each task of a small run is in the page with its status and its latency to 1 ms, and hosts keep their totals."""
    text = page([home / "run"])
    run = inside(text)["runs"][0]
    found = columns(text, run["stories"])
    tasks = ask(
        home / "run",
        "SELECT vehicle, task, status, round((time_s - released_s) * 1e3) AS ms FROM task_ended "
        "ORDER BY vehicle, released_s, task",
    )
    assert (run["kept"]["completed"], run["kept"]["others"]) == (1, 1)
    assert np.array_equal(np.repeat(np.arange(len(found["tasks"])), found["tasks"]), tasks.vehicle)
    assert np.array_equal(found["status"], tasks.status)
    lasted = sum(found[name] for name in found if name.endswith("_ms") and name not in _NO_STAGES)
    assert np.abs(lasted - tasks.ms.to_numpy()).max() <= 1
    served = ask(home / "run", "SELECT max(served) AS n FROM host_sampled GROUP BY site ORDER BY site").n
    assert found["served"].reshape(len(found["host"]), -1).sum(axis=1).tolist() == served.tolist()


_NO_STAGES = ("released_ms", "deadline_ms", "cell_ms", "sample_ms", "busy_ms")


def test_the_page_needs_nothing_else(home: Path) -> None:
    """The page forbids every request, names no other address, and holds no path of the machine that made it."""
    text = page([home / "run"])
    assert "default-src 'none'" in text
    assert set(re.findall(r"https?://[^\"' ]*", text)) <= {"http://www.w3.org/2000/svg"}
    assert str(home) not in text
    assert not re.search(r"<(link|script|img)[^>]+(src|href)=\"(?!data:)", text)


def test_text_cannot_leave_the_data(tmp_path: Path) -> None:
    """A scenario's words cannot end the element that holds the data."""
    (tmp_path / "odd.yaml").write_text(SCENARIO)
    loaded = load(tmp_path / "odd.yaml", ["duration_s=3", "description=</script><script>alert(1)</script>"])
    simulate(loaded, tmp_path / "run")
    text = page([tmp_path / "run"])
    assert "<script>alert" not in text
    assert inside(text)["runs"][0]["header"]["description"] == "</script><script>alert(1)</script>"


@pytest.mark.parametrize(
    "changes",
    rest_long(
        [
            ["tasks.arrivals.rate_per_s=0"],
            ["mobility.vehicles=0"],
            ["radio.min_snr_db=200"],
            ["compute.edge.cores=0"],
            ["trace.positions=false", "cloud={}", "radio.sidelink={}", "statistics.warmup_s=0"],
        ],
        2,
    ),
)
def test_odd_runs_have_a_page(home: Path, tmp_path: Path, changes: list[str]) -> None:
    """Without tasks, vehicles, coverage, hosts or positions, there still is a page."""
    simulate(load(home / "small.yaml", ["duration_s=4", *changes]), tmp_path / "run")
    run = inside(page([tmp_path / "run"]))["runs"][0]
    assert (run["places"] is None) == bool({"trace.positions=false", "mobility.vehicles=0"} & set(changes))


def test_runs_share_what_is_the_same(home: Path) -> None:
    """A page of a run beside itself packs its data once, and tells each step of the work."""
    steps: list[float] = []
    once, twice = page([home / "run"]), page([home / "run", home / "run"], tell=steps.append)
    assert once.count("blob-") == twice.count("blob-")
    assert steps == list(range(1, 2 * STEPS + 1))


def test_command(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`cosim report RUN` writes report.html into the run folder, the same bytes each time, and the run stays valid."""
    assert status(["report", str(home / "run"), "--json"]) == 0
    path = home / "run" / "report.html"
    assert json.loads(capsys.readouterr().out)["bytes"] == path.stat().st_size
    before = path.read_bytes()
    assert status(["report", str(home / "run"), "--out", str(path)]) == 0
    assert path.read_bytes() == before
    assert status(["trace", "verify", str(home / "run")]) == 0


def test_wrong_folders_give_one_line(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A foreign folder or an impossible output ends with 2 and one line, and leaves nothing behind."""
    for arguments in ([str(tmp_path)], [str(home / "run"), "--out", str(tmp_path / "none" / "a.html")]):
        assert status(["report", *arguments]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError):
        write_report([tmp_path], tmp_path / "a.html")


def test_columns_come_back() -> None:
    """Packing keeps whole numbers of every size, also none, and differences start again where they are told to."""
    kept = {
        "a": np.array([-128, 127]),
        "b": np.array([], dtype=np.int64),
        "c": np.array([40_000, -2]),
        "d": np.array([9]),
    }
    packed = pack_columns(kept)
    assert [packed.directory[name][0] for name in kept] == ["i1", "i1", "i4", "i1"]
    assert all(np.array_equal(unpack(packed.directory, packed.text)[name], values) for name, values in kept.items())
    starts = np.array([True, False, True, False])
    assert differences(np.array([5, 7, 3, 4]), starts).tolist() == [5, 2, 3, 1]


def test_size() -> None:
    """1,000 vehicles that drive for 600 s at changing speed take less than 2 MB of the page's 5 MB."""
    generator = np.random.default_rng(3)
    speed = np.clip(13.0 + np.cumsum(generator.normal(0.0, 0.5, (1000, 600)), axis=1), 0.0, 33.0)
    units = np.rint(np.cumsum(speed, axis=1) * 10.0).astype(np.int64)
    second = np.diff(units, n=2, axis=1).ravel()
    assert len(pack_columns({"dx": second, "dy": np.roll(second, 7)}).text) < 2e6


def test_every_bin_of_every_series_is_that_of_the_facts(home: Path) -> None:
    """Each point of each figure equals what plain counting over the tables of facts gives."""
    shown = inside(page([home / "run"]))["runs"][0]["series"]
    tables = {
        name: ask(home / "run", f"SELECT * FROM {name}")
        for name in ("task_ended", "cell_changed", "traffic_sampled", "host_sampled")
    }
    tasks, slice_s = tables["task_ended"], shown["outcomes"]["slice_s"]
    slices = len(shown["outcomes"]["begin_s"])
    place = np.floor(tasks.released_s / slice_s).astype(int)

    def per_s(chosen: Any, weight: Any = None) -> Any:
        rows = None if weight is None else weight[chosen]
        return np.bincount(place[chosen], rows, minlength=slices) / slice_s

    status = tasks.status
    groups = {"completed": status == 0, "late": status == 1, "in flight": status == 8}
    groups["lost"] = (status > 1) & (status < 8)
    assert set(shown["outcomes"]["per_s"]) == set(groups)
    for name, chosen in groups.items():
        assert shown["outcomes"]["per_s"][name] == pytest.approx(per_s(chosen))
    everyone = status >= 0
    for name, column in {"radio": "transmit_j", "vehicle": "vehicle_cpu_j", "host": "edge_cpu_j"}.items():
        assert shown["energy_w"][name] == pytest.approx(per_s(everyone, tasks[column]))
    changes = tables["cell_changed"]
    handed = changes[(changes.from_site >= 0) & (changes.to_site >= 0)]
    counted = np.bincount(np.floor(handed.time_s / slice_s).astype(int), minlength=slices)[:slices]
    assert shown["traffic"]["handovers_per_s"] == pytest.approx(counted / slice_s)
    traffic = tables["traffic_sampled"]
    for number, (vehicles, covered) in enumerate(
        zip(shown["traffic"]["vehicles"], shown["traffic"]["covered"], strict=True)
    ):
        rows = traffic[np.floor(traffic.time_s / slice_s) == number]
        if len(rows):
            assert vehicles == pytest.approx(rows.vehicles.mean())
            assert covered == pytest.approx(rows.covered.sum() / rows.vehicles.sum())
    for site, numbers in zip(shown["hosts"]["site"], shown["hosts"]["number"], strict=True):
        samples = tables["host_sampled"]
        own = samples[samples.site == site].set_index("time_s").number_s
        until_s = shown["hosts"]["until_s"]
        integral = np.array([own[time_s] for time_s in until_s])
        assert numbers == pytest.approx(np.diff(integral, prepend=0.0) / np.diff(until_s, prepend=0.0))
    done = tasks[(status < 2) & (tasks.released_s >= 2.0)]
    latency_s = done.time_s - done.released_s
    curve = shown["latency_s"]["all"]
    assert curve["tasks"] == len(done)
    assert curve["curve"] == pytest.approx(np.quantile(latency_s, np.round(shown["levels"], 6)), rel=1e-9)
    latency_map = shown["latency_map"]
    weighted = np.dot(latency_map["latency_s"], latency_map["tasks"]) / sum(latency_map["tasks"])
    assert sum(latency_map["tasks"]) == len(done)
    assert weighted == pytest.approx(latency_s.mean())
