"""A run folder is whole: moved, renamed, linked, without its map and from anywhere it is read and shown alike."""

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import pytest
from effort import count, seeds
from unpacked import data_in, lines_in

from cosim.audit.verify import verify
from cosim.cli.main import status
from cosim.errors import InputError, RunError
from cosim.report.drawn_map import NO_ROADS
from cosim.report.page.html import page
from cosim.report.picture.figures import draw_run
from cosim.resources import bundled
from cosim.roads.drawn import GROUND
from cosim.roads.net import read_net
from cosim.runner import simulate
from cosim.scenario.load import load

CROSSING: Final = bundled("sumo_maps") / "intersection"
SCENARIO: Final = """\
name: town
map: town
duration_s: 5
mobility: {kind: libsumo, begin_s: 120}
sites: {kind: map}
statistics: {batches: 3, warmup_s: 1}
trace: {positions: true, part_s: 2}
"""
NAMES: Final = ("run", "my run", "a=1", "[x]*?", "Größe", "run.d")
COMMANDS: Final[dict[str, Callable[[str], list[str]]]] = {
    "summary": lambda run: ["trace", "summary", run, "--all"],
    "json": lambda run: ["trace", "summary", run, "--json"],
    "late": lambda run: ["trace", "late", run, "--json"],
    "task": lambda run: ["trace", "task", run, "3"],
    "verify": lambda run: ["trace", "verify", run],
    "sql": lambda run: ["trace", "sql", run, "SELECT count(*), sum(time_s) FROM task_ended"],
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a map, a scenario that names it by a relative path, and its run."""
    home = tmp_path_factory.mktemp("whole")
    shutil.copytree(CROSSING, home / "town")
    (home / "town.yaml").write_text(SCENARIO)
    simulate(load(home / "town.yaml"), home / "run")
    return home


def output(name: str, run: Path, scratch: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """What a command gives of a run, without the path by which the run was named."""
    scratch.mkdir(exist_ok=True)
    match name:
        case "page":
            assert status(["report", str(run), "--out", str(scratch / "page.html")]) == 0
            told = (scratch / "page.html").read_bytes()
        case "picture":
            told = draw_run(run).read_bytes()
            (run / "run.png").unlink()
        case "csv" | "perfetto" | "chrome":
            assert status(["trace", "export", str(run), "--format", name, "--out", str(scratch / name)]) == 0
            made = scratch / name
            told = (
                {path.name: path.read_bytes() for path in sorted(made.iterdir())}
                if made.is_dir()
                else made.read_bytes()
            )
        case _:
            capsys.readouterr()
            assert status(COMMANDS[name](str(run))) == 0
            shown = capsys.readouterr()
            assert not shown.err
            return shown.out.removeprefix(f"{run}: ")
    assert not capsys.readouterr().err
    return told


OUTPUTS: Final = ("page", "picture", "csv", "perfetto", "chrome", *COMMANDS)


@pytest.fixture(scope="module")
def expected(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, pytest.CaptureFixture[str]], Any]:
    """The outputs of the run where it was made, each computed once."""
    known: dict[str, Any] = {}

    def of(name: str, capsys: pytest.CaptureFixture[str]) -> Any:
        if name not in known:
            known[name] = output(name, home / "run", tmp_path_factory.mktemp("first"), capsys)
        return known[name]

    return of


def placed(home: Path, place: Path, draw: Random, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run in another position: copied under another name, perhaps moved, linked, and named from elsewhere."""
    run = place / "deep" / draw.choice(NAMES)
    run.parent.mkdir()
    shutil.copytree(home / "run", run)
    if draw.random() < 0.3:
        moved = place / "moved" / draw.choice(NAMES)
        moved.parent.mkdir()
        run = run.rename(moved)
    if draw.random() < 0.4:
        link = place / f"link to {draw.choice(NAMES)}"
        link.symlink_to(run, target_is_directory=True)
        run = link
    here = place / "here"
    here.mkdir()
    if draw.random() < 0.5:  # where the scenario's path leads to, seen from here, lies another town
        (here / "town").mkdir()
        for path in (bundled("sumo_maps") / "grid").iterdir():
            shutil.copy(path, here / "town")
    standing = draw.choice((here, run, run.parent, place))
    monkeypatch.chdir(standing)
    if draw.random() < 0.5:
        return run
    return Path() if standing == run else Path(*[".."] * len(standing.relative_to(place).parts), run.relative_to(place))


@pytest.mark.parametrize("number", seeds(20))
def test_wherever_it_is(
    home: Path,
    tmp_path: Path,
    expected: Callable[[str, pytest.CaptureFixture[str]], Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    """In every position of the folder all outputs are byte for byte those of the place where the run was made."""
    draw = Random(number)
    names = [OUTPUTS[number % len(OUTPUTS)], "page", *draw.sample(OUTPUTS, count(4))]
    wanted = {name: expected(name, capsys) for name in dict.fromkeys(names)}
    run = placed(home, tmp_path, draw, monkeypatch)
    for name, known in wanted.items():
        assert output(name, run, tmp_path / f"scratch-{name}", capsys) == known, name


def test_with_its_map_gone(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Once the map is deleted, page, picture and verify are as before."""
    shutil.copytree(home, tmp_path / "all")
    names = ("page", "picture", "verify")
    before = [output(name, tmp_path / "all" / "run", tmp_path / "a", capsys) for name in names]
    shutil.rmtree(tmp_path / "all" / "town")
    (tmp_path / "all" / "town.yaml").unlink()
    assert [output(name, tmp_path / "all" / "run", tmp_path / "b", capsys) for name in names] == before


def test_the_page_has_roads_and_title(home: Path) -> None:
    """The page has the roads of the net to 0.6 m, is called by the map's name, and names no path of the machine."""
    text = page([home / "run"])
    run = data_in(text)["runs"][0]
    assert run["header"]["map"] == "town"
    assert run["frame"]["missing"] == ""
    assert str(home) not in text
    roads_m = [edge.shape_m for edge in read_net(CROSSING / "net.net.xml.gz").edges]
    lines = lines_in(text)
    assert len(lines) == len(roads_m) == 8
    for line, road_m in zip(lines, roads_m, strict=True):
        assert np.abs(line[[0, -1]] - road_m[[0, -1]]).max() <= 0.1 + 1e-9


def test_a_run_that_breaks_keeps_its_map(home: Path, tmp_path: Path) -> None:
    """A run that its policy ends at the first decision has its roads on the page, and verifies."""
    (tmp_path / "worst.py").write_text(
        "class Worst:\n    def decide(self, observation):\n        raise ValueError('no')\n"
    )
    with pytest.raises(RunError):
        simulate(load(home / "town.yaml", [f"policy={tmp_path / 'worst.py'}:Worst"]), tmp_path / "run")
    assert len(lines_in(page([tmp_path / "run"]))) == 8
    assert verify(tmp_path / "run").ok


def test_a_run_that_is_refused_leaves_nothing(home: Path, tmp_path: Path) -> None:
    """A run that is refused before it begins, or as impossible while it goes on, leaves no drawn map behind."""
    for change in ("sites={kind: listed, sites: [{name: a, x_m: 1e6, y_m: 0}]}", "map=nowhere"):
        assert status(["run", str(home / "town.yaml"), "--set", change, "--out", str(tmp_path / "run")]) == 2
    assert not list(tmp_path.iterdir())
    (tmp_path / "picky.py").write_text(
        "from cosim import InputError\n"
        "class Picky:\n    def decide(self, observation):\n        raise InputError('not these tasks')\n"
    )
    with pytest.raises(InputError, match="not these tasks"):
        simulate(load(home / "town.yaml", [f"policy={tmp_path / 'picky.py'}:Picky"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_every_edit_of_the_drawn_map_is_found(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A changed byte, a shorter file and a missing one are findings; the page then has no roads and says why."""
    shutil.copytree(home / "run", tmp_path / "run")
    path = tmp_path / "run" / GROUND
    whole, draw = path.read_bytes(), Random(1)
    for number in range(count(200)):
        place = draw.randrange(len(whole))
        changed = bytes([whole[place] ^ draw.randrange(1, 256)])
        path.write_bytes(whole[:place] + (b"" if number % 4 == 0 else changed) + whole[place + 1 :])
        report = verify(tmp_path / "run")
        assert [finding.kind for finding in report.findings] == [GROUND]
    for content in (path.read_bytes(), None):
        if content is None:
            path.unlink()
        run = data_in(page([tmp_path / "run"]))["runs"][0]
        assert "lost or damaged" in run["frame"]["missing"]
        assert run["header"]["map"] == "town"
    assert status(["trace", "verify", str(tmp_path / "run")]) == 1
    assert GROUND in capsys.readouterr().out


def test_an_older_run_is_drawn_from_its_map(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its map is found an older run has roads and a line that says so; elsewhere it has none, and says so too."""
    monkeypatch.setattr("cosim.runner._keep_map", lambda *_: None)  # as runs were before they kept their maps
    simulate(load(home / "town.yaml"), tmp_path / "run")
    assert not (tmp_path / "run" / GROUND).exists()
    assert verify(tmp_path / "run").ok
    found, lost = (data_in(page([tmp_path / "run"], folder))["runs"][0] for folder in (home, tmp_path))
    assert (found["header"]["map"], lost["header"]["map"]) == ("town", "town")
    assert "has now" in found["frame"]["missing"]
    assert "no roads are drawn" in lost["frame"]["missing"]
    monkeypatch.chdir(tmp_path)
    assert status(["report", "run"]) == 0
    assert capsys.readouterr().err.count("\n") == 1
    draw_run(tmp_path / "run")


def test_a_run_without_a_map_says_so(tmp_path: Path) -> None:
    """Recorded vehicles without roads are inside the frame, wherever their sites stand, and the page says it."""
    rows = "".join(f"{t};v;{1000 + 12 * t};{500 + t};12;90\n" for t in range(9))
    (tmp_path / "seen.csv").write_text(
        "timestep_time;vehicle_id;vehicle_x;vehicle_y;vehicle_speed;vehicle_angle\n" + rows
    )
    (tmp_path / "seen.yaml").write_text(
        "name: seen\nmap: synthetic\nduration_s: 5\nmobility: {kind: replay, file: seen.csv}\n"
        "sites: {kind: listed, sites: [{name: a, x_m: 1010, y_m: 501}]}\ntrace: {positions: true}\n"
    )
    simulate(load(tmp_path / "seen.yaml"), tmp_path / "run")
    run = data_in(page([tmp_path / "run"]))["runs"][0]
    assert run["header"]["map"] == "seen.csv"
    assert run["frame"]["missing"] == NO_ROADS
    (left, low), (right, high) = run["frame"]["low_m"], run["frame"]["high_m"]
    assert left <= 1000
    assert right >= 1060
    assert low <= 500
    assert high >= 505
