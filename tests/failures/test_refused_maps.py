"""A map that SUMO or the sites cannot use is one line of ours, and SUMO's own prints stay out."""

import gzip
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import failed, refused

from cosim.cli import main as cli
from cosim.resources import bundled

TOWN = """\
name: town
map: town
duration_s: 3
mobility: {kind: libsumo}
sites: {kind: roads, spacing_m: 200}
statistics: {batches: 2}
"""
LIVE = ["libsumo", "traci"]


@pytest.fixture
def town(home: Path) -> Path:
    """A copy of the intersection with plain files to break, and a scenario on it."""
    folder = home / "town"
    folder.mkdir()
    for name in ("net.net.xml", "rou.xml"):
        packed = bundled("sumo_maps") / "intersection" / f"{name}.gz"
        (folder / name).write_bytes(gzip.decompress(packed.read_bytes()))
    (home / "town.yaml").write_text(TOWN)
    return folder


def edit(path: Path, change: Callable[[str], str]) -> None:
    """Break a file."""
    before = path.read_text()
    path.write_text(change(before))
    assert path.read_text() != before


@pytest.mark.parametrize("kind", LIVE)
def test_a_broken_net(capfd: pytest.CaptureFixture[str], town: Path, kind: str) -> None:
    """A net that ends in the middle is refused and named."""
    edit(town / "net.net.xml", lambda text: text[: len(text) // 2])
    assert "net.net.xml" in refused(capfd, "town.yaml", "--set", f"mobility={{kind: {kind}}}")


@pytest.mark.parametrize("kind", LIVE)
@pytest.mark.parametrize("missing", ["net.net.xml", "rou.xml"])
def test_a_missing_file(capfd: pytest.CaptureFixture[str], town: Path, kind: str, missing: str) -> None:
    """A map folder without net or routes is refused and the file is named."""
    (town / missing).unlink()
    assert f"holds no {missing}" in refused(capfd, "town.yaml", "--set", f"mobility={{kind: {kind}}}")


@pytest.mark.parametrize("kind", LIVE)
def test_a_route_over_no_edge(capfd: pytest.CaptureFixture[str], town: Path, kind: str) -> None:
    """A route over an edge that is not there is refused and the edge is named."""
    edit(town / "rou.xml", lambda text: text.replace("right0A0", "nowhere", 1))
    assert "nowhere" in refused(capfd, "town.yaml", "--set", f"mobility={{kind: {kind}}}")


@pytest.fixture
def recorded(town: Path, capfd: pytest.CaptureFixture[str]) -> list[str]:
    """Arguments that replay recorded traffic on the town, so that only the sites look at its roads."""
    assert cli.status(["map", "record", "town.yaml", "town.parquet"]) == 0
    capfd.readouterr()
    assert (town.parent / "town.parquet").is_file()
    return ["town.yaml", "--set", "mobility={kind: replay, file: town.parquet}"]


@pytest.mark.parametrize(
    ("pattern", "replacement", "told"),
    [
        (r"<lane ([^>]*?)( allow=\"[^\"]*\")?( disallow=\"[^\"]*\")?", r'<lane disallow="all" \1', "places no site"),
        (r"shape=\"[-0-9.]+,", 'shape="here,', "has the shape 'here,"),
        (r"shape=\"([-0-9.]+),([-0-9.]+) ", r'shape="\1 ', "has the shape"),
        (r"speed=\"[0-9.]+\"", 'speed="fast"', "could not convert string to float: 'fast'"),
        (r"speed=\"[0-9.]+\"", "", "attribute 'speed' is missing"),
        (r"<(/?)edge\b", r"<\1side", "a lane stands outside an edge"),
    ],
)
def test_roads_that_carry_no_site(
    capfd: pytest.CaptureFixture[str], town: Path, recorded: list[str], pattern: str, replacement: str, told: str
) -> None:
    """Roadside units find no road for cars, or a road without shape, speed or edge: one line with the reason."""
    edit(town / "net.net.xml", lambda text: re.sub(pattern, replacement, text))
    assert told in refused(capfd, *recorded)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sites:\n  - {name: a, x_m: 1e6, y_m: 0}\n", "a at x=1e+06, y=0 is off the map"),
        ("sites:\n  - {name: a, x_m: far, y_m: 0}\n", "x_m"),
        ("sites:\n  - {name: a, x_m: 1, y_m: 1}\n  - {name: a, x_m: 2, y_m: 2}\n", "given twice"),
        ("sites: []\n", "sites"),
        ("sites: 3\n", "not a list of sites"),
        ("other: 3\n", "not a list of sites"),
        ("sites: [a, b]\n", "not a list of sites"),
        ("sites: [{name: a, x_m: 1\n", "sites.yaml:2: is not valid YAML"),
        ("sites: [{name: a, x_m: .nan, y_m: 1}]\n", "x_m"),
        ("", "not a list of sites"),
        ("\0", "is not valid YAML"),
    ],
)
def test_bad_sites_of_a_map(
    capfd: pytest.CaptureFixture[str], town: Path, recorded: list[str], text: str, told: str
) -> None:
    """A map's sites.yaml is checked as strictly as a scenario's own sites."""
    (town / "sites.yaml").write_text(text)
    line = refused(capfd, *recorded, "--set", "sites={kind: map}")
    assert "sites.yaml" in line
    assert told in line


@pytest.mark.usefixtures("town")
def test_a_busy_port(capfd: pytest.CaptureFixture[str]) -> None:
    """A port that somebody listens on is refused before SUMO starts."""
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refused(capfd, "town.yaml", "--set", f"mobility={{kind: traci, port: {port}}}")
    assert f"mobility.port={port} cannot be used (Address already in use)" in line


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize("words", [["map", "show"], ["scenario", "check"]])
def test_other_commands_refuse_it_too(capfd: pytest.CaptureFixture[str], home: Path, words: list[str]) -> None:
    """`map show` and `scenario check` find a map without a net before any run does."""
    (home / "town" / "net.net.xml").unlink()
    assert "net.net.xml" in failed(capfd, 2, *words, "town" if words[0] == "map" else "town.yaml")
