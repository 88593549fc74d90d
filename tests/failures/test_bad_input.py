"""A map or a scenario file that is broken is named by every command that reads it: status 2, one line, no folder."""

import gzip
import os
from pathlib import Path

import pytest
from commands import TINY, failed, refused

from cosim.resources import bundled

SUMO = ("libsumo", "traci")


@pytest.fixture
def town(home: Path) -> Path:
    """A copy of the intersection with plain files to break."""
    town = home / "town"
    town.mkdir()
    for name in ("net.net.xml", "rou.xml"):
        packed = bundled("sumo_maps") / "intersection" / f"{name}.gz"
        (town / name).write_bytes(gzip.decompress(packed.read_bytes()))
    return town


def in_town(kind: str, *more: str) -> list[str]:
    """Arguments of a run of the tiny scenario on that map."""
    changes = ["map=town", f"mobility={{kind: {kind}}}", *more]
    return ["tiny.yaml", *(word for change in changes for word in ("--set", change)), "--out", "run"]


@pytest.mark.parametrize("kind", SUMO)
@pytest.mark.parametrize("begin_s", ["0", "10"])
@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("net.net.xml", "", "broken XML"),
        ("net.net.xml", "<net version='1.20'></net>", "not a SUMO net"),
        (
            "net.net.xml",
            "<net version='1.20'><location convBoundary='0,0,1,1'/><edge",
            "Attribute 'netOffset' is missing",
        ),
        ("rou.xml", "<routes><vehicle", "rou.xml"),
        ("rou.xml", "<routes><trip id='a' depart='0' from='nowhere' to='left0A0'/></routes>", "nowhere"),
    ],
)
def test_a_broken_map(
    capfd: pytest.CaptureFixture[str], town: Path, kind: str, begin_s: str, file: str, text: str, told: str
) -> None:
    """A net or a route file with an error is refused with its name or with SUMO's own reason."""
    (town / file).write_text(text)
    line = refused(capfd, *in_town(kind, f"mobility.begin_s={begin_s}"))
    assert told in line
    assert "map=town: " in line or f"town/{file}" in line


@pytest.mark.parametrize("kind", SUMO)
@pytest.mark.usefixtures("town")
def test_a_site_off_a_map_with_roads(capfd: pytest.CaptureFixture[str], kind: str) -> None:
    """A site outside the net's bounds is refused once SUMO has told them, and SUMO is ended."""
    line = refused(capfd, *in_town(kind, "sites.sites.0.y_m=-99999"))
    assert "a at x=200, y=-99999 is off the map" in line


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TINY + "radio:\n  bandwith_hz: 1e7\n", "own.yaml:8: radio.bandwith_hz"),
        (TINY + "radio: {bandwidth_hz: -1}\n", "own.yaml:7: radio.bandwidth_hz"),
        (TINY.replace("policy: random", "policy: randon"), "did you mean random?"),
        (TINY.replace("duration_s: 2", "duration_s: 0"), "own.yaml:2: duration_s"),
        (TINY.replace("mobility: {", "mobility: [{"), "own.yaml:5"),
        (TINY + "name: twice\n", "own.yaml:7"),
        ("- a list\n", "own.yaml:1"),
        ("", "own.yaml: is empty"),
        ("\n# only words\n", "own.yaml: is empty"),
    ],
)
@pytest.mark.parametrize("command", ["run", "check", "record"])
def test_a_bad_scenario_file(capfd: pytest.CaptureFixture[str], home: Path, command: str, text: str, told: str) -> None:
    """An error in the file is told with file and line, by every command that reads scenarios."""
    (home / "own.yaml").write_text(text)
    if command == "run":
        line = refused(capfd, "own.yaml", "--out", "run")
    elif command == "check":
        line = failed(capfd, 2, "scenario", "check", "own.yaml")
    elif "randon" in text:
        pytest.skip("a recording has no policy")
    else:
        line = failed(capfd, 2, "map", "record", "own.yaml", "traffic.parquet")
    assert told in line
    assert sorted(os.listdir(home)) == ["own.yaml", "tiny.yaml"]  # noqa: PTH208 - names
