"""What holds in any run with placed twins: capacities, conservation of places, sameness, and S5's own numbers."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from cosim_agents.registry import make_policy
from hosting_cases import KINDS

from cosim.audit.verify import verify
from cosim.errors import InputError
from cosim.kernel.rng import stream
from cosim.runner import simulate
from cosim.scenario.load import load
from cosim.scenario.schema import Scenario
from cosim.scenario.twin_placement import PlacingPolicy
from cosim.simulation import Simulation
from cosim.trace.facts.run import VehicleMoved
from cosim.trace.store.reader import Trace
from cosim.twin.digital_twin import DigitalTwin

SITES_M = np.array([-50.0, 500.0])


def crowded(policy: str, seed: int) -> Scenario:
    """Fast vehicles, few places, slow wires and short decisions; with seed 2 there are more vehicles than places."""
    creation = {"data_bit": {"kind": "exponential", "mean": 4e6}, "upload": "direct" if seed % 2 else "serving"}
    migration = {
        "state_bit": {"kind": "exponential", "mean": 2e6},
        "precopy_rounds": seed - 1,
        "dirty_bps": 5e6,
        "margin": 0.0,
        "wire_weight": 0.0,
        "target": 0.7,
    }
    processors = {"kind": "uniform", "low": 1e7, "high": 3e7}
    tiers = {
        "edge": {"places": 7, "compute_hz": processors, "share": 0.2},
        "cloud": {"places": 6, "compute_hz": 1e8},
    }
    task = {"name": "usual", "input_bit": 1e5, "output_bit": 1e4, "cycles": 1e7, "deadline_s": 2}
    roads = {"kind": "synthetic", "vehicles": 12 * seed, "roads": 2, "length_m": 900, "placement": "random"}
    placement = {"policy": policy, "period_s": 0.7, "creation": creation, "migration": migration, "tiers": tiers}
    return Scenario.model_validate(
        {
            "duration_s": 40,
            "seed": seed,
            "mobility": {**roads, "speed_mps": {"kind": "uniform", "low": 5, "high": 40}},
            "sites": {"kind": "grid", "spacing_m": 300},
            "backhaul": {"bandwidth_bps": 2e7, "latency_s": 0.005},
            "cloud": {"latency_s": 0.05, "bandwidth_bps": 2e7},
            "tasks": {"arrivals": {"kind": "poisson", "rate_per_s": 0.1}, "classes": [task]},
            "twin": {"sync": {"kind": "periodic", "period_s": 2}, "placement": placement},
        }
    )


@pytest.mark.parametrize(
    "policy",
    [
        policy if policy in ("local_search", "random") else pytest.param(policy, marks=pytest.mark.long)
        for policy in get_args(PlacingPolicy)
    ],
)
def test_no_host_ever_holds_more_than_it_can(policy):
    """At every 10 ms of random runs places and processors suffice, and what is held is what stands, comes or goes."""
    between = []
    for seed in (1, 2):
        simulation = Simulation(crowded(policy, seed))
        hosting = simulation.part(DigitalTwin)._hosting
        hosts = hosting._hosts

        def check(_: int, simulation=simulation, hosting=hosting, hosts=hosts) -> None:
            assert (hosts.held >= 0).all()
            assert (hosts.held <= hosts.capacity).all()
            assert (hosts.held * hosts.share_hz <= hosts.compute_hz * (1 + 1e-6)).all()
            assert not set(hosting._standing) & (set(hosting._waiting) | set(hosting._lives))
            count = len(hosting._standing) + len(hosting._lives)
            assert count <= hosts.held.sum() <= count + len(hosting._lives)
            assert count + len(hosting._waiting) == len(simulation._frame.numbers)
            between.append(hosts.held.sum() - count)

        simulation.clock.every(0.01, check, first=1, priority=3)
        simulation.run(make_policy("greedy-latency", {}, stream(seed, "policy")))
        assert hosts.capacity.tolist() == [5, 5, 5, 6]  # the shares of the sites fill before their places
    assert max(between) > 0


def test_same_seed_same_digest(tmp_path):
    """Two runs of one scenario tell the same facts, another seed others; the audit finds nothing."""
    changes = ["duration_s=15", "mobility.speed_mps=20", "twin.placement.policy=random", "twin.placement.period_s=1"]
    plans = {"one": load("s5_placement_paper", changes), "two": load("s5_placement_paper", changes)}
    plans["other"] = load("s5_placement_paper", [*changes, "seed=2"])
    digests = {name: simulate(plan, tmp_path / name).digest for name, plan in plans.items()}
    assert digests["one"] == digests["two"] != digests["other"]
    assert verify(tmp_path / "one").findings == ()


@pytest.mark.parametrize(
    ("name", "noise_w", "gain"),
    [
        ("s5_placement_paper", 10 ** (-20.4), 1.0),
        ("s5_placement_physical", 10 ** (-20.4) * 1e7, 1e-4),
    ],
)
def test_creation_takes_the_time_of_eq_17(name, noise_w, gain, tmp_path: Path):
    """T_ij of a user that stands still is D / (B log2(1 + p g0 d^-3 / sigma^2)) + D / c, to 1e-9."""
    plan = load(name, ["twin.placement.tiers.edge.compute_hz=1.6e9", "trace.positions=true", "duration_s=40"])
    result = simulate(plan, tmp_path / "run")
    with Trace.open(result.folder) as trace:
        moved = trace.table(KINDS["moved"]).set_index("vehicle")
        x_m = trace.table(VehicleMoved).groupby("vehicle").x_m.first()
    assert sorted(moved.index) == [0, 1, 2, 3]
    for vehicle, row in moved.iterrows():
        distance_m = abs(SITES_M[int(row.to_node)] - x_m[vehicle])
        rate_bps = 10e6 * np.log2(1.0 + 0.1 * gain * distance_m**-3 / noise_w)
        expected_s = row.bit / rate_bps + row.bit / 0.8e9
        assert row.time_s - row.began_s == pytest.approx(expected_s, rel=1e-9)
    times_s = moved.time_s - moved.began_s
    assert result.kpis["twin_creation_mean"].value == pytest.approx(times_s.mean(), rel=1e-12)
    assert result.kpis["twins_created"].value == 4


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_the_optimum_is_the_least_in_runs_too(seed, tmp_path):
    """Over the same users no policy's total time is less than the optimum's, and local search finds it here."""
    total_s = {}
    for policy in ("exact", "local_search", "random"):
        plan = load("s5_placement_physical", [f"seed={seed}", f"twin.placement.policy={policy}", "duration_s=40"])
        kpis = simulate(plan, tmp_path / policy).kpis
        assert kpis["twins_created"].value == 4
        total_s[policy] = kpis["twin_creation_mean"].value
    assert min(total_s.values()) == pytest.approx(total_s["exact"], rel=1e-12)
    assert total_s["local_search"] == pytest.approx(total_s["exact"], rel=1e-12)


@pytest.mark.parametrize(
    ("tiers", "told"),
    [
        ({"cloud": {"places": 2, "compute_hz": 1e9}}, "twin.placement.tiers.cloud: the scenario has no cloud"),
        ({"edge": None, "rsu": {"places": 2, "compute_hz": 1e9}}, "twin.placement.tiers.rsu: no host of the scenario"),
    ],
)
def test_tiers_that_are_not_there(tiers, told):
    """A tier of which the scenario has no host is refused in a line with a remedy."""
    scenario = Scenario.model_validate(
        {
            "mobility": {"kind": "synthetic"},
            "sites": {"kind": "grid", "spacing_m": 500},
            "twin": {"placement": {"tiers": tiers}},
        }
    )
    with pytest.raises(InputError, match=told):
        Simulation(scenario)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("policy=best", "twin.placement.policy"),
        ("creation.data_bit=0", "data_bit can be 0"),
        ("migration.target=0.95", "swap them"),
        ("tiers.edge=null", "no tier may carry twins"),
        ("tiers.vehicle={places: 1}", "vehicle"),
    ],
)
def test_refused_lines(change, told):
    """A scenario with an impossible placement is refused in one line that names the field."""
    with pytest.raises(InputError, match=told) as caught:
        load(
            "s5_placement_city",
            [f"twin.placement.{change}", *(["twin.placement.tiers.cloud=null"] if "edge=null" in change else [])],
        )
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("settings", [["exponent"], ["exponent=-1"], ["exponents=3"]])
def test_refused_studies(settings):
    """A study of drawn instances refuses settings that it does not know."""
    from cosim.twin.placing.gap import placement_study

    with pytest.raises(InputError, match="expo"):
        placement_study("paper", settings, 10)
