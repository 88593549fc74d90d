"""Where sites stand to cover the most traffic."""

import json
from pathlib import Path

import numpy as np
import pytest
from effort import rest_long

from cosim.cli.main import status
from cosim.errors import InputError
from cosim.maps.coverage import Presence, best_sites, covered_share, range_m
from cosim.maps.generate import generate_intersection
from cosim.maps.sites import draw_coverage, grid_places, plan_sites, survey
from cosim.mobility.catalog import resolve_map
from cosim.radio.link import noise_w
from cosim.roads.net import read_bounds
from cosim.roads.siting import place_sites, read_junctions
from cosim.scenario.radio import PowerLaw, Radio
from cosim.scenario.traffic import MapSites
from cosim.units import db_to_linear, linear_to_db


@pytest.mark.parametrize(("name", "count"), rest_long([("intersection", 1), ("grid", 6), ("sumo:a10kw", 4)]))
def test_coverage_is_no_worse(name, count, tmp_path):
    """With as many sites the coverage method covers at least the vehicle-seconds of grid and junctions."""
    area = survey(resolve_map(name, Path()), Path(), Radio(), 20.0, None)
    plan = plan_sites(area, "coverage", count)
    assert plan.sites_m.shape == (count, 2)
    assert set(plan.shares) == {"grid", "junctions", "coverage"}
    assert plan.shares["coverage"] >= max(plan.shares["grid"], plan.shares["junctions"])
    draw_coverage(area, plan, name, tmp_path / "c.png")
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


def test_optimum_on_a_line():
    """Of two crowds and one lonely vehicle, two sites take the crowds."""
    traffic = Presence(np.array([[0.0, 0.0], [1000.0, 0.0], [500.0, 0.0]]), np.array([10.0, 9.0, 1.0]))
    sites_m = best_sites(traffic, None, 2, 100.0, (grid_places((0.0, 0.0, 1000.0, 10.0), 2),))
    assert covered_share(traffic, sites_m, 100.0) == pytest.approx(0.95)


def test_range_inverts_the_path_loss():
    """At the range the power law's SNR is just the least, and one metre farther it is below."""
    radio = Radio(path_loss=PowerLaw(kind="power_law", exponent=3.0, gain_at_1m_db=-40.0))
    reach_m = range_m(radio)
    snr_db = [
        float(
            linear_to_db(
                radio.vehicle_power_w
                * db_to_linear(radio.antenna_gain_db - 40.0 - 30.0 * np.log10(d))
                / noise_w(radio.bandwidth_hz, radio.noise_figure_db)
            )
        )
        for d in (reach_m, reach_m + 1.0)
    ]
    assert snr_db[0] >= radio.min_snr_db > snr_db[1]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 12])
def test_grid_has_the_count(count):
    """A grid has exactly as many places as asked, all on the map and apart."""
    places = grid_places((0.0, 0.0, 900.0, 300.0), count)
    assert len(np.unique(places, axis=0)) == count
    assert (places >= 0).all()
    assert (places <= (900.0, 300.0)).all()


def test_too_many_junctions():
    """More sites than the map has junctions cannot stand on junctions."""
    files = resolve_map("intersection", Path())
    area = survey(files, Path(), Radio(), 5.0, None)
    with pytest.raises(InputError, match="more than the map has junctions"):
        plan_sites(area, "junctions", len(read_junctions(files.net)) + 1)


def test_sites_command(tmp_path, capsys, monkeypatch):
    """`cosim map sites` writes a file that the map's scenario reads, and refuses to write into a map of the catalog."""
    monkeypatch.chdir(tmp_path)
    generate_intersection("town", tmp_path, vehicles=10, seed=1)
    assert status(["map", "sites", "town", "--count", "2", "--seconds", "5", "--picture", "c.png", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["covered"]["coverage"] > 0.0
    files = resolve_map("town", tmp_path)
    assert len(place_sites(MapSites(kind="map"), files.net, read_bounds(files.net), files.sites)) == 2
    assert status(["map", "show", "town", "--picture", "s.png"]) == 0
    assert status(["map", "sites", "intersection", "--count", "2"]) == 2
    assert "--out" in capsys.readouterr().err


def test_import_command(tmp_path, capsys, monkeypatch):
    """`cosim map import` over a day with a profile prints its report; a bad profile is one line and leaves nothing."""
    monkeypatch.chdir(tmp_path)
    net = str(resolve_map("intersection", Path()).net)
    words = ["map", "import", net, "--name", "town", "--vehicles-per-hour", "300"]
    assert status([*words, "--profile", "7"]) == 2
    assert not list(tmp_path.iterdir())
    assert status([*words, "--profile", "0:0.3,7:1,9:0.6", "--sites", "coverage"]) == 0
    printed = capsys.readouterr()
    assert "busiest from hour 7 on" in printed.out
    assert "cosim run town/scenario.yaml" in printed.out
