"""A run folder may have any name: no reader and no exporter takes it for a pattern, a partition or an address."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from effort import drawn, rest_long
from hypothesis import given
from hypothesis import strategies as st

from cosim.cli.main import status
from cosim.mobility.fcd import RecordedMobility
from cosim.mobility.record import record_frames, recorded_s
from cosim.mobility.synthetic import SyntheticRoads
from cosim.scenario.schema import ReplayMobility, SyntheticMobility
from cosim.trace.store.integrity import check_parts
from cosim.trace.store.manifest import read_manifest
from cosim.trace.store.reader import Trace

NAMES = [
    *("status=0", "file:x", "a*b", "[x]", "time_s=5", "seed=1", "site=1", "vehicle=3", "q?", "a[1-3]", "[!a]", "{a,b}"),
    *("~t", "p%20q", "it's", 'say "so"', "k v;--", "ü#1", "x]", "a\\b", "s3:", "-d", "_x", ".h", "**", "$HOME"),
    "deep/status=1/[y]",
]
"""Names of run folders; those below `deep` have other folders above them."""
ANSWERS = (
    "SELECT count(*), avg(time_s), max(status), min(task) FROM task_ended",
    "SELECT count(*), max(time_s) FROM host_sampled",
)
SCENARIO = """\
name: tiny
duration_s: 4
mobility: {kind: synthetic, vehicles: 4, length_m: 400}
sites: {kind: listed, sites: [{name: a, x_m: 200, y_m: 10}]}
statistics: {batches: 2, warmup_s: 1}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose folder has a plain name."""
    home = tmp_path_factory.mktemp("named")
    (home / "tiny.yaml").write_text(SCENARIO, encoding="utf-8")
    assert status(["run", str(home / "tiny.yaml"), "--out", str(home / "plain"), "--no-picture"]) == 0
    return home / "plain"


def answers(run: Path) -> list[list[object]]:
    """What a run tells by SQL."""
    with Trace.open(run) as trace:
        return [trace.sql(query).to_numpy().ravel().tolist() for query in ANSWERS]


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The files of a folder by name."""
    return ((path.name, path.read_bytes()) for path in sorted(folder.iterdir()))


@pytest.mark.parametrize("name", rest_long(NAMES, 4))
def test_a_name_changes_nothing(
    name: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Figures, checks, exports and the report are those of the same run under a plain name, relative and absolute."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run, name)
    shutil.copytree(run, "plain")
    told = {}
    for folder in ("plain", name):
        kept = []
        for command in (["summary"], ["late"], ["verify"]):
            assert status(["trace", *command, "--", folder]) == 0
            kept.append(capsys.readouterr().out.replace(folder, "RUN"))
        assert status(["trace", "export", "--format", "csv", "--out", f"csv-{len(told)}", "--", folder]) == 0
        capsys.readouterr()
        told[folder] = (
            kept,
            answers(Path(folder)),
            answers(Path(folder).resolve()),
            list(files(Path(f"csv-{len(told)}"))),
        )
    assert told[name] == told["plain"]
    assert status(["report", "--out", "page.html", "--", name]) == 0
    assert Path("page.html").stat().st_size > 10_000


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=20)
)
@drawn(300)
def test_any_name(run: Path, tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """Names drawn of all characters: the same answers, and a whole run."""
    if name in {".", ".."} or len(name.encode()) > 200:
        return
    moved = tmp_path_factory.mktemp("drawn") / name
    expected = answers(run)
    run.rename(moved)
    try:
        assert answers(moved) == expected
        assert not check_parts(moved, read_manifest(moved)).findings
    finally:
        moved.rename(run)


@pytest.mark.parametrize("name", rest_long(NAMES, 3))
def test_recordings_lie_anywhere(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording is written, described and replayed in a folder of any name."""
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir(parents=True)
    path = Path(name) / "recording.parquet"
    roads = SyntheticRoads(SyntheticMobility(kind="synthetic", vehicles=3, length_m=300), 1)
    with closing(roads):
        record_frames(roads, 2.0, path)
    assert recorded_s(path)[1] == pytest.approx(2.0)
    replayed = RecordedMobility(path, ReplayMobility(kind="replay", file=str(path), step_s=roads.step_s), 2.0)
    with closing(replayed):
        assert len(replayed.advance(0).numbers) == 3
