"""The exact policy finds the least cost that paper S1's formula allows."""

import itertools
from dataclasses import replace

import numpy as np
import physics
import pytest
from cosim_agents.registry import make_policy
from observations import random_observation

from cosim.adaptation.curve import ShannonCurve
from cosim.cost import analytic_cost
from cosim.decision import Observation
from cosim.errors import RunError
from cosim.kernel.rng import stream
from cosim.types import Tier


def cost_by_hand(seen: Observation, options: tuple[int, ...]) -> float:
    """The formula of the docstring task by task, with plain loops."""
    total = 0.0
    cells = [int(seen.cell[i, m]) for i, m in enumerate(options)]
    backlog_s: dict[tuple[str, int], float] = {}
    for i, m in enumerate(options):
        if not seen.feasible[i, m]:
            return float("inf")
        tier = Tier(int(seen.tier[i, m]))
        computes = tier in {Tier.LOCAL, Tier.NEIGHBOUR}
        number = int(seen.vehicle[i] if tier == Tier.LOCAL else seen.target[i, m])
        host = ("vehicle" if computes else "site", number)
        service_s = seen.work_cycles[i, m] / seen.core_hz[i, m]
        latency_s = seen.wait_s[i, m] + backlog_s.get(host, 0.0) / seen.cores[i, m] + service_s + seen.wire_s[i, m]
        energy_j = seen.kappa[i, m] * seen.core_hz[i, m] ** 2 * seen.work_cycles[i, m] if computes else 0.0
        if tier != Tier.LOCAL:
            sharing = cells.count(cells[i])
            rate_bps = seen.uplink_bps[i, m] if cells[i] < 0 else seen.alone_bps[i, m] / sharing
            latency_s += seen.input_bit[i] / rate_bps + seen.output_bit[i] / seen.downlink_bps[i, m]
            latency_s += seen.grant_s[i, m]
            energy_j += seen.power_w[i] * seen.input_bit[i] / rate_bps
        backlog_s[host] = backlog_s.get(host, 0.0) + service_s
        total += seen.latency_weight * latency_s + (1 - seen.latency_weight) * energy_j
    return total


@pytest.mark.parametrize("seed", range(12))
def test_optimal_is_the_best_of_all(seed: int) -> None:
    """`optimal` reaches the least hand-computed cost over all assignments, and agrees with its cost."""
    rng = np.random.default_rng(seed)
    seen = replace(random_observation(rng, int(rng.integers(1, 5))), latency_weight=float(rng.random()))
    every = list(itertools.product(range(seen.tier.shape[1]), repeat=len(seen)))
    by_hand = np.array([cost_by_hand(seen, options) for options in every])
    np.testing.assert_allclose(analytic_cost(seen, np.array(every)), by_hand, rtol=1e-12)
    physics.seen(analytic_cost(seen, np.array(every))[np.isfinite(by_hand)], by_hand[np.isfinite(by_hand)])
    chosen = make_policy("optimal", {}, stream(1, "policy")).decide(seen).option
    assert cost_by_hand(seen, tuple(chosen.tolist())) == pytest.approx(by_hand.min(), rel=1e-12)


def test_optimal_is_never_worse_than_a_rule() -> None:
    """No rule's choice costs less than `optimal` by the same formula."""
    for seed in range(20):
        seen = random_observation(np.random.default_rng(100 + seed), 4)
        best = analytic_cost(seen, make_policy("optimal", {}, stream(1, "policy")).decide(seen).option[None])
        for name in ("local", "random", "nearest", "greedy-latency", "round-robin"):
            rule = make_policy(name, {}, stream(1, "policy")).decide(seen).option
            assert best <= analytic_cost(seen, rule[None]) + 1e-12


def test_blocks_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The assignments may be tried in blocks of any size."""
    seen = random_observation(np.random.default_rng(5), 4)
    whole = make_policy("optimal", {}, stream(1, "policy")).decide(seen).option
    monkeypatch.setattr("cosim_agents.optimal._PAIRS_AT_ONCE", 7 * 16)
    np.testing.assert_array_equal(make_policy("optimal", {}, stream(1, "policy")).decide(seen).option, whole)


def test_too_many_assignments_are_refused() -> None:
    """Above max_assignments the run ends with one line that says what to lower."""
    seen = random_observation(np.random.default_rng(6), 12)
    with pytest.raises(RunError, match=r"fewer vehicles or lower decisions\.candidates") as caught:
        make_policy("optimal", {"max_assignments": 1000}, stream(1, "policy")).decide(seen)
    assert "\n" not in str(caught.value)


def test_a_task_without_options_costs_nothing() -> None:
    """A task that cannot go anywhere leaves the choice of the others alone."""
    seen = random_observation(np.random.default_rng(7), 3)
    feasible = seen.feasible.copy()
    feasible[1] = False
    chosen = make_policy("optimal", {}, stream(1, "policy")).decide(replace(seen, feasible=feasible)).option
    assert chosen[1] == 0
    assert np.isfinite(analytic_cost(replace(seen, feasible=feasible), chosen[None])[0])


@pytest.mark.parametrize("seed", range(5))
def test_optimal_chooses_the_best_power(seed: int) -> None:
    """With power levels it finds the cheapest pair of option and power of each task, as trying all by hand does."""
    seen = random_observation(np.random.default_rng(seed), 2, cloud=False, neighbour=False)
    levels = [0.2, 0.5, 1.0]
    action = make_policy("optimal", {"power_levels": levels}, stream(1, "policy")).decide(seen)
    choices = [[(int(option), level) for option in np.flatnonzero(row) for level in levels] for row in seen.feasible]
    costs = [
        analytic_cost(seen, np.array([[a[0], b[0]]]), np.array([[a[1], b[1]]]) * seen.max_power_w)[0]
        for a in choices[0]
        for b in choices[1]
    ]
    assert action.power_w is not None
    found = analytic_cost(seen, action.option[None], action.power_w[None])[0]
    assert found == pytest.approx(min(costs), rel=1e-12)


def test_power_gain_is_shannons_ratio() -> None:
    """Twice the power at 0 dB gives log2(3) / log2(2) of the rate; at the cap it gives nothing more."""
    seen = random_observation(np.random.default_rng(1), 1, 1, cloud=False, neighbour=False)
    seen = replace(seen, snr_per_w=np.array([[np.nan, 5.0]]), power_w=np.array([0.2]))
    assert seen.power_gain(np.full((1, 2), 0.4)) == pytest.approx(np.array([[1.0, np.log2(3.0)]]))
    capped = replace(seen, curve=ShannonCurve(1.0))
    assert capped.power_gain(np.full((1, 2), 0.4)) == pytest.approx(np.array([[1.0, 1.0]]))
