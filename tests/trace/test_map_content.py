"""Runs know the content of the files that they stand on, and those that compare runs tell when it differs."""

import gzip
import json
from pathlib import Path

import pytest

from cosim.cli import main as cli
from cosim.resources import bundled
from cosim.trace.store.provenance import content_differs, read_provenance

SCENARIO = """\
name: town
map: town
duration_s: 8
mobility: {kind: libsumo}
sites: {kind: listed, sites: [{name: a, x_m: 150, y_m: 310}]}
statistics: {batches: 2, warmup_s: 0}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a map and a scenario, and the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "town").mkdir()
    packed = bundled("sumo_maps") / "intersection"
    for name in ("net.net.xml", "rou.xml"):
        (tmp_path / "town" / name).write_bytes(gzip.decompress((packed / f"{name}.gz").read_bytes()))
    (tmp_path / "town.yaml").write_text(SCENARIO)
    return tmp_path


def run(out: str) -> int:
    return cli.status(["run", "town.yaml", "--out", out, "--no-picture"])


def later_departures(home: Path) -> None:
    """Change the demand beyond what a run of 8 s sees."""
    routes = home / "town" / "rou.xml"
    routes.write_text(
        routes.read_text().replace('depart="1000.00"', 'depart="1000.50"').replace("</routes>", "</routes>\n")
    )


def test_runs_on_other_content(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`diff` says which files differ, with the same facts too; equal content is not mentioned."""
    assert run("a") == run("b") == 0
    assert dict(read_provenance(home / "a").files) == dict(read_provenance(home / "b").files)
    assert list(read_provenance(home / "a").files) == ["net.net.xml", "rou.xml"]
    assert str(home) not in (home / "a" / "provenance.json").read_text()
    later_departures(home)
    assert run("c") == 0
    capsys.readouterr()
    assert cli.status(["trace", "diff", "a", "b"]) == 0
    assert capsys.readouterr().err == ""
    assert cli.status(["trace", "diff", "a", "c"]) == 0
    assert "the runs stood on other content of rou.xml" in capsys.readouterr().err
    assert cli.status(["trace", "diff", "a", "c", "--json"]) == 0
    assert "rou.xml" in json.loads(capsys.readouterr().out)["notes"][0]


def test_other_content_explains_other_tasks(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the arrivals differ because the demand does, that is the reason told."""
    assert run("a") == 0
    routes = home / "town" / "rou.xml"
    routes.write_text(routes.read_text().replace('depart="3.00"', 'depart="5.00"'))
    assert run("b") == 0
    capsys.readouterr()
    assert cli.status(["trace", "diff", "a", "b"]) == 2
    assert "their tasks differ (other content of rou.xml)" in capsys.readouterr().err


def test_a_comparison_goes_on_only_on_the_same_map(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Runs of a comparison that are there are used only if the map's content is what they stood on."""
    arguments = ["compare", "town.yaml", "--policies", "local,nearest", "--seeds", "1", "--out", "cmp", "--jobs", "1"]
    if cli.status(arguments) != 0:
        pytest.fail(capsys.readouterr().err)
    assert cli.status(arguments) == 0
    later_departures(home)
    capsys.readouterr()
    assert cli.status(arguments) == 2
    assert "holds a run on other content of rou.xml; give another --out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ({}, {"a": "1"}, ""),
        ({"a": "1"}, {"a": "1"}, ""),
        ({"a": "1"}, {"a": "2"}, "a"),
        ({"a": "1"}, {"a": "1", "b": ""}, "b"),
        ({"b": "1", "a": "1"}, {"a": "1"}, "b"),
        ([1], {"a": "1"}, ""),
        ("x", None, ""),
    ],
)
def test_what_differs(before: object, now: object, said: str) -> None:
    """Files are compared by name and hash; what is no table, or of an older run, tells nothing."""
    assert content_differs(before, now) == said
