"""The analytic cost is one formula: columns, optimum, search policy and reward are that formula, and change with it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cosim_agents.optimal import Optimal
from cosim_agents.quantum.search_policy import lone_cost
from effort import drawn
from hypothesis import given
from hypothesis import strategies as st
from observations import random_observation

from cosim.adaptation.curve import ShannonCurve, power_gain
from cosim.cost import option_terms
from cosim.decision import Observation
from cosim.envs.columns import LIMIT, OPTION, encode
from cosim.envs.reward import charge
from cosim.experiments.papers.s1.optimum import POWERS, JointOptimum
from cosim.objective import computing_j, total_latency_s, weighted_cost
from cosim.scenario.schema import Reward
from cosim.types import AnyArray, Tier

KEPT = [name for name in OPTION if name in {"latency", "energy", "cost"}]
UNITS = {"latency": 1e-2, "energy": 1e-3, "cost": 1e-2}


def observed(seed: int, tasks: int) -> Observation:
    """Tasks at one edge site with neighbours, of a radio with a highest efficiency, and latency weighing more."""
    seen = random_observation(np.random.default_rng(seed), tasks, 1, cloud=False)
    alone_bps = np.where(seen.cell >= 0, seen.alone_bps, seen.uplink_bps)  # a neighbour's band is nobody else's
    return replace(seen, alone_bps=alone_bps, curve=ShannonCurve(4.0), latency_weight=0.8)


def by_hand(seen: Observation, i: int, m: int, rate_bps: float, power_w: float) -> tuple[float, float, float]:
    """Latency, energy and cost of one option, nobody else being there: the formula with plain numbers."""
    airtime_s = seen.input_bit[i] / rate_bps
    latency_s = airtime_s + seen.wire_s[i, m] + seen.wait_s[i, m] + seen.work_cycles[i, m] / seen.core_hz[i, m]
    latency_s += seen.output_bit[i] / seen.downlink_bps[i, m] + seen.grant_s[i, m]
    energy_j = power_w * airtime_s
    if seen.tier[i, m] in {Tier.LOCAL, Tier.NEIGHBOUR}:
        energy_j += seen.kappa[i, m] * seen.core_hz[i, m] ** 2 * seen.work_cycles[i, m]
    return latency_s, energy_j, seen.latency_weight * latency_s + (1.0 - seen.latency_weight) * energy_j


def powered_bps(seen: Observation, i: int, m: int, power_w: float) -> float:
    """The rate of a whole band at some power."""
    if not seen.snr_per_w[i, m] > 0.0:
        return float(seen.alone_bps[i, m])
    now, then = (min(np.log2(1.0 + p * seen.snr_per_w[i, m]), seen.curve.most_bps_hz) for p in (0.2, power_w))
    return float(seen.alone_bps[i, m] * then / now)


def places(seen: Observation) -> list[tuple[int, int]]:
    """Row and column of every option."""
    return [(i, m) for i in range(len(seen)) for m in range(seen.tier.shape[1])]


SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.integers(1, 5), st.sampled_from([0.0, 0.3, 1.0]))
@drawn(60)
def test_terms_and_columns_are_the_formula(seed: int, tasks: int, weight: float) -> None:
    """The terms of every option, at the default power and at another, and the columns are the formula by hand."""
    seen = replace(observed(seed, tasks), latency_weight=weight)
    given_w = np.random.default_rng(seed).uniform(0.05, 1.0, seen.tier.shape)
    for power_w in (None, given_w):
        terms = option_terms(seen, power_w)
        for i, m in places(seen):
            sent_w = float(seen.power_w[i] if power_w is None else power_w[i, m])
            hand = by_hand(seen, i, m, powered_bps(seen, i, m, sent_w), sent_w)
            found = terms.latency_s[i, m], terms.energy_j[i, m], terms.cost[i, m]
            assert found == pytest.approx(hand, rel=1e-10)
    columns = encode(seen)
    first = 8 + KEPT.index("latency")  # columns of the vehicle itself come behind those of the task
    for i in range(tasks):
        hand = by_hand(seen, i, 0, np.inf, 0.2)
        logs = [np.log10(value / UNITS[name]) for name, value in zip(KEPT, hand, strict=True)]
        assert columns[i, first : first + 3] == pytest.approx(np.clip(logs, -LIMIT, LIMIT), rel=1e-5, abs=1e-5)


@given(SEEDS, st.integers(1, 5))
@drawn(60)
def test_search_is_the_formula(seed: int, tasks: int) -> None:
    """What the search policy minimises is the formula by hand at the rates beside the transfers that are active."""
    seen = observed(seed, tasks)
    found = lone_cost(seen)
    for i, m in places(seen):
        hand = by_hand(seen, i, m, seen.uplink_bps[i, m], 0.2)[2] if seen.feasible[i, m] else np.inf
        assert found[i, m] == pytest.approx(hand, rel=1e-10)


@given(SEEDS)
@drawn(60)
def test_optimum_and_reward_of_a_lone_task_are_the_formula(seed: int) -> None:
    """One task's optimum is the cheapest option and power by hand, and the reward charges what that costs."""
    seen = observed(seed, 1)
    least = min(
        by_hand(seen, 0, m, powered_bps(seen, 0, m, power_w), power_w)[2]
        for m in np.flatnonzero(seen.feasible[0]).tolist()
        for power_w in ((POWERS * seen.max_power_w).tolist() if seen.cell[0, m] >= 0 else [0.2])
    )
    best = JointOptimum(10).decide(seen)
    assert best.power_w is not None
    charged = charge(seen, best.option, best.power_w, best.share, 1, Reward()).cost.sum()
    m, power_w = int(best.option[0]), float(best.power_w[0])
    assert charged == pytest.approx(by_hand(seen, 0, m, powered_bps(seen, 0, m, power_w), power_w)[2], rel=1e-10)
    assert charged == pytest.approx(least, rel=1e-10)


def swapped(latency_weight, latency_s, energy_j):
    """The weights change places."""
    return (1.0 - latency_weight) * latency_s + latency_weight * energy_j


def long_wires(airtime_s, wire_s, wait_s, service_s, result_s, grant_s):
    """Wires take a thousand times as long."""
    return airtime_s + 1e3 * wire_s + wait_s + service_s + result_s + grant_s


def long_grants(airtime_s, wire_s, wait_s, service_s, result_s, grant_s):
    """Grants take a hundred times as long."""
    return airtime_s + wire_s + wait_s + service_s + result_s + 1e2 * grant_s


def hot(kappa, core_hz, work_cycles):
    """Processors take ten times the energy."""
    return 10.0 * kappa * (core_hz * core_hz) * work_cycles


def capped(power_w, from_w, snr_per_w, curve):
    """A modulation and coding of a quarter of the highest efficiency."""
    shannon = [np.minimum(np.log1p(p * snr_per_w), 0.25 * curve.most_bps_hz * np.log(2.0)) for p in (power_w, from_w)]
    return np.where(snr_per_w > 0.0, shannon[0] / np.where(snr_per_w > 0.0, shannon[1], 1.0), 1.0)


def consumers(seen: Observation) -> dict[str, AnyArray]:
    """What each place that knows the analytic cost makes of an observation."""
    joint, searched = JointOptimum(10**6).decide(seen), Optimal(10**6, [0.2, 0.6, 1.0]).decide(seen)
    assert joint.power_w is not None
    assert joint.share is not None
    assert searched.power_w is not None
    option = np.where(seen.feasible, np.arange(seen.tier.shape[1]), -1).max(axis=1)
    lost = np.where(np.arange(len(seen)) == 0, -1, option)
    power_w = 0.1 + 0.1 * np.arange(len(seen))
    charged = [charge(seen, chosen, power_w, None, len(seen), Reward()) for chosen in (option, lost)]
    return {
        "columns": encode(seen),
        "optimum": np.concatenate([joint.option, joint.power_w, joint.share]),
        "optimal": np.concatenate([searched.option, searched.power_w]),
        "search": lone_cost(seen),
        "reward": np.array([(one.cost, one.imposed) for one in charged]),
    }


Change = Callable[[Observation], Observation]


@pytest.mark.parametrize(
    ("formula", "other", "change", "changed"),
    [
        (weighted_cost, swapped, lambda seen: replace(seen, latency_weight=1.0 - seen.latency_weight), "all"),
        (total_latency_s, long_wires, lambda seen: replace(seen, wire_s=1e3 * seen.wire_s), "all"),
        (total_latency_s, long_grants, lambda seen: replace(seen, grant_s=1e2 * seen.grant_s), "all"),
        (computing_j, hot, lambda seen: replace(seen, kappa=10.0 * seen.kappa), "all"),
        (power_gain, capped, lambda seen: replace(seen, curve=ShannonCurve(1.0)), "optimum optimal reward"),
    ],
    ids=["weights", "latency", "grants", "processor", "power gain"],
)
def test_a_changed_formula_changes_all_together(
    formula: Callable[..., Any],
    other: Callable[..., Any],
    change: Change,
    changed: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a part of the formula changed, everybody answers as to an observation that changes the same."""
    differ = set[str]()
    for seed in range(10):
        seen = observed(seed, 4)
        before, expected = consumers(seen), consumers(change(seen))
        with monkeypatch.context() as patch:
            patch.setattr(formula, "__code__", other.__code__)  # in its one place, whoever imported it by name
            found = consumers(replace(seen))  # which has no `expected_s` yet
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-9, err_msg=name)
            if not np.allclose(found[name], before[name], rtol=1e-9):
                differ.add(name)
    assert differ == (set(expected) if changed == "all" else set(changed.split()))
