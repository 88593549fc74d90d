"""A file that a scenario names and that is broken is told with its name, and with its line where it has lines."""

from pathlib import Path

import pytest
from commands import refused

from cosim.cli import main as cli

GOOD = "time_s,vehicle_id,class\n0.5,car00000000,default\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD + "soon,car00000001,default\n", "line 3: time_s='soon' must be a number of at least 0"),
        (GOOD + "-1,car00000001,default\n", "line 3: time_s='-1' must be a number of at least 0"),
        (GOOD + "nan,car00000001,default\n", "line 3: time_s='nan' must be a number of at least 0"),
        (GOOD + "1,,default\n", "line 3: vehicle_id='' must name a vehicle"),
        (GOOD + "1,car00000001,other\n", "line 3: class='other' is no class of tasks.classes (default)"),
        (GOOD + "1,car00000001,default,4,5\n", "is no CSV"),
        ("time_s,vehicle_id,deadline_s\n1,car00000001,0\n", "line 2: deadline_s='0' must be a number above 0"),
        ("time_s\n1\n", "line 1: column vehicle_id is missing"),
        ("time_s,vehicle_id,colour\n1,a,red\n", "line 1: column 'colour' is unknown"),
        ("", "is no CSV"),
        ("\0\0\0", ""),
    ],
)
def test_bad_arrivals(capfd: pytest.CaptureFixture[str], home: Path, text: str, told: str) -> None:
    """A bad row of an arrival file is named by its line."""
    (home / "arrivals.csv").write_text(text)
    line = refused(capfd, "tiny.yaml", "--set", "tasks.arrivals={kind: file, file: arrivals.csv}")
    assert "arrivals.csv" in line
    assert told in line


@pytest.fixture
def traffic(home: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    """A recording of the tiny scenario's 2 s."""
    assert cli.status(["map", "record", "tiny.yaml", "traffic.parquet"]) == 0
    capfd.readouterr()
    return home / "traffic.parquet"


@pytest.mark.parametrize("kept", [0, 3, 4, 100, -1, -8, -500])
def test_a_cut_recording(capfd: pytest.CaptureFixture[str], traffic: Path, kept: int) -> None:
    """A recording whose end is missing is refused by name, wherever it was cut."""
    traffic.write_bytes(traffic.read_bytes()[:kept])
    line = refused(capfd, "tiny.yaml", "--set", "mobility={kind: replay, file: traffic.parquet}")
    assert "mobility.file=traffic.parquet: " in line


@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["duration_s=9"], "the recording ends 2 s after mobility.begin_s and the run takes 9 s"),
        (["mobility.begin_s=1"], "the recording ends 1 s after mobility.begin_s and the run takes 2 s"),
        (["mobility.begin_s=50"], "begin_s=50 is not within the recording, 0 to 2 s"),
        (["mobility.step_s=0.5"], "it was recorded each 1 s"),
        (["mobility.file=tiny.yaml"], "the name must end in .parquet, .xml, .csv, .xml.gz or .csv.gz"),
        (["mobility.file=."], "there is no file"),
    ],
)
def test_a_recording_that_does_not_fit(capfd: pytest.CaptureFixture[str], overrides: list[str], told: str) -> None:
    """A recording that is too short, of another step or no recording is refused with the reason."""
    changes = [word for override in overrides for word in ("--set", override)]
    assert told in refused(capfd, "tiny.yaml", "--set", "mobility={kind: replay, file: traffic.parquet}", *changes)


@pytest.mark.parametrize("suffix", ["xml", "csv", "xml.gz", "csv.gz", "parquet"])
def test_a_recording_of_other_bytes(capfd: pytest.CaptureFixture[str], home: Path, suffix: str) -> None:
    """Bytes that are no floating car data are refused whatever the name says."""
    (home / f"traffic.{suffix}").write_bytes(bytes(range(256)) * 9)
    assert f"traffic.{suffix}" in refused(
        capfd, "tiny.yaml", "--set", f"mobility={{kind: replay, file: traffic.{suffix}}}"
    )
