"""The real key network as a source of keys."""

import math
from pathlib import Path

import pytest
from crafted import write_run
from kms_process import KEYED
from made_keys import Wall

from cosim.errors import InputError
from cosim.etsi014.network import PooledKeys, open_keys
from cosim.etsi014.realtime import RealTime
from cosim.trace.facts.keys import KeyPoolSampled
from cosim.trace.facts.run import SiteDeployed

INITIAL_BIT = 5120


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    """A chain of three sites."""
    path = tmp_path / "keyed.yaml"
    path.write_text(KEYED)
    return str(path)


def levels(keys: PooledKeys) -> tuple[int, int]:
    """Of the two links."""
    return keys.stored_bit("a", "b"), keys.stored_bit("b", "c")


def test_every_hop_pays_and_nothing_is_taken_in_part(scenario: str):
    """A key takes its bits from each hop or from none; a link that two ways share pays twice."""
    keys = open_keys(scenario, [])
    assert keys.take("a", ["c"], 1000)
    assert levels(keys) == (INITIAL_BIT - 1000,) * 2
    assert keys.take("b", ["a"], 4000)
    assert not keys.take("a", ["c"], 121)
    assert levels(keys) == (120, INITIAL_BIT - 1000)
    assert keys.stored_bit("a", "c") == 120
    assert not keys.take("a", ["b", "c"], 61)
    assert keys.take("a", ["b", "c"], 60)
    assert levels(keys) == (0, INITIAL_BIT - 1060)


def test_pools_fill_while_the_wall_clock_goes(scenario: str):
    """A drained network has key again after an hour at speed 3600, and no more than its links made in that hour."""
    keys, wall = open_keys(scenario, []), Wall()
    assert keys.take("a", ["c"], INITIAL_BIT)
    real_time = RealTime(keys.clock, keys.slot_s, 3600.0, wall, pytest.fail)
    wall.now_s += 1.0
    while keys.clock.now < 3600.0:
        real_time.catch_up()
    filled = levels(keys)
    assert min(filled) > 1000
    assert max(filled) < 20 * 3600


def test_a_ring_gives_what_its_better_way_holds(scenario: str):
    """With two ways between two nodes, status tells the fuller one's emptiest pool, and a key can be taken from it."""
    ring = "keys.topology.links=[{ends: [a, b]}, {ends: [b, c]}, {ends: [a, c]}]"
    keys = open_keys(scenario, [ring])
    assert keys.take("a", ["c"], 5000)
    assert keys.take("a", ["b"], 1000)
    assert keys.stored_bit("a", "c") == INITIAL_BIT - 1000
    assert keys.take("a", ["c"], INITIAL_BIT - 1000)
    assert keys.stored_bit("a", "c") == INITIAL_BIT - 5000


def run_folder(folder: Path, stored_bit: tuple[int, int], attacks: list[object]) -> Path:
    """A run of 60 s on a chain whose pools had 9,999 bits in the middle and these at the end."""
    keys = {"topology": {"links": [{"ends": ["a", "b"]}, {"ends": ["b", "c"]}]}, "attacks": attacks}
    rows = [SiteDeployed(0.0, site, name, 900.0 * site, 0.0, 1, 3e9) for site, name in enumerate("abc")]
    rows.append(SiteDeployed(0.0, 3, "cloud", math.nan, math.nan, 1, 3e9))
    for time_s, levels_bit in ((30.0, (9_999, 9_999)), (60.0, stored_bit)):
        for link, level_bit in enumerate(levels_bit):
            rows.append(KeyPoolSampled(time_s, link, level_bit, level_bit, 0, 0, 1.0, 0.01, 0.9))
    return write_run(folder, rows, {"duration_s": 60, "keys": keys, "statistics": {"batches": 2}}, 60.0)


def test_a_run_goes_on_where_it_ended(tmp_path: Path):
    """The pools of a run folder start at the levels of its last samples, between its sites and without its cloud."""
    keys = open_keys(str(run_folder(tmp_path / "run", (700, 300), [])), [])
    assert keys.names == ("a", "b", "c")
    assert levels(keys) == (700, 300)
    assert keys.stored_bit("a", "c") == 300


def test_attacks_of_a_run_do_not_come_again(tmp_path: Path):
    """A cut that was over when the run ended is gone; one that then had 5 s to go still stops its link for 5 s."""
    cuts = [
        {"kind": "cut", "ends": ["a", "b"], "start_s": 1, "end_s": 50},
        {"kind": "cut", "ends": ["b", "c"], "start_s": 10, "end_s": 65},
    ]
    keys, wall = open_keys(str(run_folder(tmp_path / "run", (0, 0), cuts)), []), Wall()
    real_time = RealTime(keys.clock, keys.slot_s, 1.0, wall, pytest.fail)
    wall.now_s += 5.0
    real_time.catch_up()
    made_bit = levels(keys)
    assert made_bit[0] > 0
    assert made_bit[1] == 0
    wall.now_s += 5.0
    real_time.catch_up()
    assert keys.stored_bit("b", "c") > 0


def test_what_has_no_keys_is_refused(scenario: str):
    """One site alone, and overrides of a run, are refused."""
    with pytest.raises(InputError, match="the only node"):
        open_keys(scenario, ["sites.sites=[{name: a, x_m: 0, y_m: 0}]", "keys.topology.links=null"])
    with pytest.raises(InputError, match="is a run"):
        open_keys(str(Path(scenario).parent), ["seed=1"])


def test_sites_stand_where_a_run_places_them():
    """Sites along the roads of a map with SUMO traffic are found without starting SUMO."""
    keys = open_keys("quickstart", ["keys={}"])
    assert len(keys.names) > 1
    assert keys.stored_bit(*keys.names[:2]) == 0
