"""Maps made by our own command."""

from pathlib import Path

import pytest

from cosim.errors import InputError
from cosim.maps.generate import generate_grid, generate_intersection, grid_in_cache
from cosim.mobility.catalog import resolve_map
from cosim.mobility.connect import connect
from cosim.resources import bundled
from cosim.roads.packed import open_packed
from cosim.scenario.traffic import LibsumoMobility


def test_intersection_is_reproducible(tmp_path):
    """The bundled intersection is, unpacked, what its command makes on the pinned SUMO, byte for byte."""
    made = generate_intersection("intersection", tmp_path, vehicles=20, seed=1)
    for path in sorted((bundled("sumo_maps") / "intersection").iterdir()):
        with open_packed(made / path.name) as new, open_packed(path) as old:
            assert new.read() == old.read(), path.name


@pytest.mark.long
def test_grid_holds_the_wanted_number():
    """When the bundled grid for 1,000 vehicles is filled, that many are on it within 10 %."""
    vehicles = 1000
    files = resolve_map("grid", Path())
    source = connect(LibsumoMobility(begin_s=files.begin_s), "grid", Path(), 1, 60)
    counts = [len(source.advance(tick).numbers) for tick in (0, 1, 2)]
    source.close()
    assert all(abs(count - vehicles) <= 0.1 * vehicles for count in counts), counts


@pytest.mark.long
def test_grid_in_cache_is_made_once(tmp_path, monkeypatch):
    """The second call finds what the first made."""
    monkeypatch.setenv("COSIM_CACHE", str(tmp_path))
    home = grid_in_cache(1000, 1)
    made = (home / "rou.xml.gz").stat().st_mtime_ns
    assert grid_in_cache(1000, 1) == home
    assert (home / "rou.xml.gz").stat().st_mtime_ns == made
    made = sorted(path.name for path in home.iterdir())
    assert made == ["SOURCE.toml", "net.net.xml.gz", "rou.xml.gz", "scenario.yaml", "sites.yaml"]


def test_refused_wishes(tmp_path):
    """Numbers out of range, a name that is a path, and a folder that exists are refused."""
    with pytest.raises(InputError, match=r"vehicles=5 is outside 1000\.\.10000"):
        generate_grid("g", tmp_path, 5, 1)
    with pytest.raises(InputError, match="end_s=60"):
        generate_grid("g", tmp_path, 1000, 1, end_s=60)
    with pytest.raises(InputError, match=r"vehicles=99 is outside 1\.\.60"):
        generate_intersection("g", tmp_path, 99, 1)
    with pytest.raises(InputError, match="not a plain name"):
        generate_intersection("../g", tmp_path, 9, 1)
    (tmp_path / "g").mkdir()
    with pytest.raises(InputError, match="exists already"):
        generate_intersection("g", tmp_path, 9, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["g"]
