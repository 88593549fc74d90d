"""A map's own recording: made once, found by itself."""

import json
from pathlib import Path

import pytest

from cosim.cli.main import status
from cosim.maps.generate import generate_intersection

SCENARIO = """
name: again
map: ./crossing
duration_s: 20
mobility: {kind: replay}
sites: {kind: map}
"""


def test_a_recorded_map_is_replayed_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`cosim map record MAP` puts the recording into the map's folder, where `mobility: {kind: replay}` finds it."""
    monkeypatch.chdir(tmp_path)
    generate_intersection("crossing", Path(), 10, 1)
    (tmp_path / "again.yaml").write_text(SCENARIO)
    assert status(["map", "record", "./crossing", "--seconds", "20"]) == 0
    assert (tmp_path / "crossing" / "recording.parquet").is_file()
    assert status(["run", "again.yaml", "--out", "run", "--no-picture"]) == 0
    assert status(["trace", "verify", "run"]) == 0


def test_without_a_recording_the_line_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A replay without file on a map without recording is refused with the command that makes one."""
    monkeypatch.chdir(tmp_path)
    generate_intersection("crossing", Path(), 10, 1)
    (tmp_path / "again.yaml").write_text(SCENARIO)
    assert status(["run", "again.yaml", "--out", "run"]) == 2
    assert "cosim map record" in capsys.readouterr().err
    assert status(["map", "record", "sumo:a10kw"]) == 2
    assert "no map folder of yours" in capsys.readouterr().err


def test_the_first_run_is_replayed_as_it_was_driven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A map's scenario.yaml with mobility.kind=replay is the run that SUMO drives, though its begin_s is not 0."""
    monkeypatch.chdir(tmp_path)
    generate_intersection("crossing", Path(), 10, 1)
    run = ["run", "crossing/scenario.yaml", "--no-picture", "--set", "duration_s=12"]
    assert status([*run, "--out", "live"]) == 0
    assert status(["map", "record", "./crossing", "--seconds", "20"]) == 0
    assert status([*run, "--set", "mobility.kind=replay", "--out", "again"]) == 0
    digests = [json.loads(Path(name, "provenance.json").read_text())["digest"] for name in ("live", "again")]
    assert digests[0] == digests[1]
