"""The first run of a new map, as it stands: roads, sites and moving vehicles on a page that names the map."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from effort import rest_long
from needs import real_map
from unpacked import data_in, lines_in

from cosim.audit.verify import verify
from cosim.maps.demand import Demand
from cosim.maps.generate import generate_intersection
from cosim.maps.importing import import_map
from cosim.mobility.programs import run_program
from cosim.report.drawn_map import NO_ROADS
from cosim.report.page.html import page
from cosim.resources import bundled
from cosim.roads.drawn import GROUND
from cosim.runner import simulate
from cosim.scenario.load import load
from cosim.trace.store.reader import Trace

CROSSING = bundled("sumo_maps") / "intersection"


def first_run(home: Path, *changes: str) -> tuple[str, dict[str, Any]]:
    """The page of the scenario in a map folder, and what it has of the run."""
    out = home.parent / f"run-{home.name}"
    simulate(load(home / "scenario.yaml", changes), out)
    with Trace.open(out) as trace:
        at_once = trace.sql("SELECT count(*) AS n FROM vehicle_moved WHERE x_m IS NOT NULL GROUP BY time_s").n
        duration_s = trace.scenario.duration_s
    assert len(at_once) == duration_s + 1  # some vehicle at every tick, from the first on
    text = page([out])
    run = data_in(text)["runs"][0]
    assert run["header"]["map"] == run["header"]["scenario"] == home.name
    assert re.search(rf"<title>{re.escape(home.name)} ", text)
    assert run["places"] is not None
    assert run["header"]["warmup_s"] == pytest.approx(min(10.0, duration_s / 6.0), rel=1e-2)
    return text, run


def inside(text: str, run: dict[str, Any]) -> None:
    """Roads and sites are in the frame of the page."""
    corners = np.concatenate(lines_in(text))
    sites = np.array([(site["x_m"], site["y_m"]) for site in run["sites"] if site["x_m"] is not None])
    for points in (corners, sites):
        assert (points >= run["frame"]["low_m"]).all()
        assert (points <= run["frame"]["high_m"]).all()


@pytest.mark.parametrize(
    ("name", "file"),
    rest_long(
        [
            ("town", "net.net.xml.gz"),
            ("\U0001d49c1", "a\n\x7f\udc80: 'b' \"c\" #d {e.net.xml.gz"),
            ("no", "net.net.xml.gz"),
            ("1.5", "null.net.xml.gz"),
        ],
        2,
    ),
)
def test_an_imported_net(name: str, file: str, tmp_path: Path) -> None:
    """A SUMO net, imported under any name, runs as it stands: roads, vehicles from the first second, title."""
    (tmp_path / file).write_bytes((CROSSING / "net.net.xml.gz").read_bytes())
    import_map(tmp_path / file, name, tmp_path, Demand(vehicles_per_hour=900, end_s=600))
    text, run = first_run(tmp_path / name, *([] if name == "town" else ["duration_s=6", "statistics.warmup_s=1"]))
    assert len(lines_in(text)) == 8
    assert run["frame"]["missing"] == ""
    shown = "".join(letter if letter.isprintable() else "?" for letter in file)
    assert f"imported from {shown}" in run["header"]["description"]
    inside(text, run)


def test_a_made_map(tmp_path: Path) -> None:
    """`cosim map make` leaves a scenario too."""
    home = generate_intersection("mine", tmp_path, vehicles=20, seed=1)
    text, run = first_run(home)
    assert len(lines_in(text)) == 8
    inside(text, run)


def test_recorded_vehicles_alone(tmp_path: Path) -> None:
    """FCD without a net replays: vehicles, sites, a frame that holds them, and the line that there are no roads."""
    net, routes = CROSSING / "net.net.xml.gz", CROSSING / "rou.xml.gz"
    options = ["-n", str(net), "-r", str(routes), "--begin", "0", "--end", "90", "--no-step-log", "true"]
    run_program("sumo", [*options, "--fcd-output", str(tmp_path / "seen.xml")], "test")
    import_map(tmp_path / "seen.xml", "seen", tmp_path, Demand())
    text, run = first_run(tmp_path / "seen")
    assert lines_in(text) == []
    assert run["frame"]["missing"] == NO_ROADS
    with Trace.open(tmp_path / "run-seen") as trace:
        corners = trace.sql("SELECT min(x_m), min(y_m), max(x_m), max(y_m) FROM vehicle_moved").to_numpy(np.float64)
    assert (corners.reshape(2, 2) >= run["frame"]["low_m"]).all()
    assert (corners.reshape(2, 2) <= run["frame"]["high_m"]).all()
    assert np.ptp([run["frame"]["low_m"], run["frame"]["high_m"]], axis=0).min() > 400.0


@pytest.mark.parametrize("name", ["bologna_joined/run.sumocfg", "osm/MonacoV2.osm.gz"])
@pytest.mark.long
def test_a_real_city(name: str, tmp_path: Path) -> None:
    """Bologna and Monaco show roads and vehicles as imported, and their drawn roads take less than 1 MB."""
    import_map(real_map(name), "city", tmp_path, Demand(end_s=1800))
    text, run = first_run(tmp_path / "city")
    assert len(lines_in(text)) > 200
    assert run["frame"]["missing"] == ""
    inside(text, run)
    assert (tmp_path / "run-city" / GROUND).stat().st_size < 1_000_000
    assert verify(tmp_path / "run-city").ok
