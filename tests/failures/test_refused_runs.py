"""A run that cannot begin ends with 2 and one line, and leaves neither a run folder nor the folders around it."""

import os
from pathlib import Path

import pytest
from commands import refused

pytestmark = pytest.mark.usefixtures("home")


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("radio.bandwith_hz=5", "is an unknown key; did you mean bandwidth_hz?"),
        ("nothing.of=1", "nothing: is an unknown key"),
        ("radio.bandwidth_hz=wide", "must be a number, not text"),
        ("radio=[1]", "must be a mapping"),
        ("radio.bandwidth_hz=-5", "must be greater than 0"),
        ("tasks.classes.0.deadline_s=0", "deadline_s can be 0; give it a positive value"),
        ("tasks.classes.0.cycles=1e18", "cycles can be 1e+18, above 1e+13; check the unit"),
        ("compute.edge.cores=1e12", "must be less than or equal to 1000000"),
        ("sites.sites.0.x_m=5000", "a at x=5000, y=10 is off the map (x 0..400, y 0..0); move it onto the map"),
        ("sites={kind: grid, spacing_m: 1e-9}", "sites.spacing_m=1e-09 gives 4e+11 sites; raise it"),
        ("sites={kind: roads}", "sites.kind=roads needs a map with a net"),
        ("sites={kind: map}", "sites.kind=map needs a sites.yaml"),
        ("mobility={kind: replay, file: none.parquet}", "there is no file"),
        ("tasks.arrivals={kind: file, file: none.csv}", "No such file"),
        ("tasks.arrivals={kind: plugin, name: none}", "no plug-in 'none'"),
        ("radio.path_loss={kind: plugin, name: none}", "no plug-in 'none'"),
        ("tasks.arrivals.rate_per_s=1e18", "tasks.arrivals.rate_per_s=1e+18 gives 4e+18 tasks a tick; lower it"),
        ("policy=locla", "did you mean local?"),
        ("policy=gone.py:Own", "no file gone.py"),
        ("policy.options={x: 1}", "options: "),
    ],
)
@pytest.mark.parametrize("place", [[], ["--out", "deep/er/run"]], ids=["default", "out"])
def test_an_impossible_scenario(capfd: pytest.CaptureFixture[str], override: str, told: str, place: list[str]) -> None:
    """A value, a name or a file that cannot be is one line, whether it shows on reading or on building the parts."""
    assert told in refused(capfd, "tiny.yaml", "--set", override, *place)


def test_a_demand_that_explodes_later(capfd: pytest.CaptureFixture[str]) -> None:
    """A rate that becomes impossible in the middle of the run is bad input too: the facts before it go."""
    profile = "tasks.arrivals.profile=[{time_s: 0, factor: 1}, {time_s: 1, factor: 1}, {time_s: 1.001, factor: 1e15}]"
    assert "tasks a tick; lower it" in refused(capfd, "tiny.yaml", "--set", profile, "--out", "run")


@pytest.mark.parametrize("map_name", ["atlantis", "tiny.yaml", "x" * 200])
@pytest.mark.parametrize("kind", ["libsumo", "traci"])
def test_a_missing_map(capfd: pytest.CaptureFixture[str], kind: str, map_name: str) -> None:
    """A map that is nowhere is refused with the names that are known."""
    line = refused(capfd, "tiny.yaml", "--set", f"mobility={{kind: {kind}}}", "--set", f"map={map_name}")
    assert "no such map" in line
    assert "sumo:a10kw" in line


@pytest.mark.parametrize("seed", [-1, 2**63, "one"])
def test_a_seed_out_of_range(capfd: pytest.CaptureFixture[str], seed: object) -> None:
    """A seed is a whole number from 0 to 2^63 - 1."""
    assert "seed" in refused(capfd, "tiny.yaml", "--seed", seed)


def test_what_is_no_scenario(capfd: pytest.CaptureFixture[str], home: Path) -> None:
    """A folder, a program and a scenario that is not there are told apart."""
    (home / "binary.yaml").write_bytes(bytes(range(256)))
    assert "is a folder" in refused(capfd, ".")
    assert "binary.yaml:2: is not UTF-8 text" in refused(capfd, "binary.yaml")
    assert "no such file or bundled scenario" in refused(capfd, "none.yaml")


@pytest.mark.parametrize(
    ("out", "told"),
    [
        ("taken", "is not empty and may hold another run"),
        ("tiny.yaml", "File exists"),
        ("tiny.yaml/run", "Not a directory"),
        ("new/" + "x" * 300, "File name too long"),
        ("x" * 300 + "/run", "File name too long"),
    ],
)
def test_an_impossible_run_folder(capfd: pytest.CaptureFixture[str], home: Path, out: str, told: str) -> None:
    """A run folder that is taken or cannot be made is refused, and what lies there stands."""
    (home / "taken").mkdir()
    (home / "taken" / "thesis.tex").write_text("dear to me")
    line = refused(capfd, "tiny.yaml", "--out", out)
    assert told in line
    assert line.startswith(f"cosim: --out {out}: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="for root every folder can be written")
def test_a_read_only_run_folder(capfd: pytest.CaptureFixture[str], home: Path) -> None:
    """A folder that may not be written is refused."""
    (home / "sealed").mkdir(mode=0o555)
    assert "Permission denied" in refused(capfd, "tiny.yaml", "--out", "sealed/run")


def test_an_empty_run_folder_stays(capfd: pytest.CaptureFixture[str], home: Path) -> None:
    """A folder that was there before a refused run is there after it, empty."""
    (home / "mine").mkdir()
    refused(capfd, "tiny.yaml", "--set", "sites.sites.0.x_m=5000", "--out", "mine")
    assert list((home / "mine").iterdir()) == []
