"""The least cost over targets, powers and bandwidth against search and chance."""

import pickle
from itertools import product

import numpy as np
import pytest
from cosim_agents.optimal import Optimal

from cosim.cost import cost_terms
from cosim.decision import Action, Observation
from cosim.errors import RunError
from cosim.experiments.papers.s1.optimum import MOST_ASSIGNMENTS, POWERS, JointOptimum
from cosim.experiments.papers.s1.plan import JOINTLY, OPTIMUM, RULES, WITH_POWER
from cosim.scenario.load import load
from cosim.simulation import Simulation


def epochs(count: int, tasks: int, bandwidth_hz: float = 3e6) -> list[Observation]:
    """Observations of S1 with so many tasks."""
    loaded = load("s1_semantic_iov", [f"radio.bandwidth_hz={bandwidth_hz:g}", "twin=null"])
    simulation = Simulation(loaded.scenario)
    found: list[Observation] = []
    while len(found) < count and (epoch := simulation.advance()) is not None:
        if len(epoch.observation) == tasks:
            found.append(epoch.observation)
        simulation.decide(Action(np.zeros(len(epoch.observation), np.int64)))
    simulation.close()
    return found


def cost(observation: Observation, action: Action) -> float:
    return float(cost_terms(observation, action.option, action.power_w, action.share).own.sum())


def test_no_choice_is_cheaper() -> None:
    """No assignment with random powers and shares costs less, over all assignments of three tasks."""
    rng = np.random.default_rng(1)
    for observation in epochs(5, 3):
        least = cost(observation, JointOptimum(10**6).decide(observation))
        for option in product(range(observation.tier.shape[1]), repeat=3):
            for _ in range(20):
                power_w = rng.choice(POWERS, 3) * observation.max_power_w
                action = Action(np.array(option), rng.uniform(0.05, 1.0, 3), power_w)
                assert cost(observation, action) >= least * (1.0 - 1e-9)


def test_shares_are_roots_of_prices() -> None:
    """Where tasks share a cell, shares a little off cost more than the closed form's, and so do equal ones."""
    rng = np.random.default_rng(1)
    found = 0
    for observation in epochs(8, 3, bandwidth_hz=1e8):
        best = JointOptimum(10**6).decide(observation)
        cells = observation.cell[np.arange(3), best.option]
        if len(np.unique(cells)) == 3 or (cells < 0).any():
            continue
        found += 1
        assert best.share is not None
        least = cost(observation, best)
        for _ in range(300):
            off = best.share * np.exp(0.05 * rng.standard_normal(3))
            assert cost(observation, Action(best.option, np.minimum(off, 1.0), best.power_w)) >= least * (1.0 - 1e-9)
        assert cost(observation, Action(best.option, np.ones(3), best.power_w)) > least
    assert found


def test_below_the_optimum_of_targets() -> None:
    """Powers as well as targets cost no more than targets at the scenario's power, and shares too even less."""
    for tasks in (1, 4, 5):
        for observation in epochs(5, tasks):
            plain = cost(observation, Optimal().decide(observation))
            powered = JointOptimum(10**6, shares=False).decide(observation)
            assert powered.share is None
            assert cost(observation, powered) <= plain * (1.0 + 1e-9)
            jointly = cost(observation, JointOptimum(10**6).decide(observation))
            assert jointly <= cost(observation, powered) * (1.0 + 1e-9)


def test_targets_and_powers_agree_with_search() -> None:
    """With equal shares it finds what `optimal` finds by trying every power of a coarse grid, or better."""
    for observation in epochs(5, 3):
        powered = cost(observation, JointOptimum(10**6, shares=False).decide(observation))
        searched = cost(observation, Optimal(power_levels=[0.1, 0.2, 0.4, 0.6, 1.0]).decide(observation))
        assert powered <= searched * (1.0 + 1e-9)
        assert powered > 0.97 * searched


def test_too_many_tasks() -> None:
    """More assignments than allowed is an error, not a guess."""
    with pytest.raises(RunError, match="more than 8 assignments"):
        JointOptimum(8).decide(epochs(1, 3)[0])


def test_rules_of_the_plan_are_these() -> None:
    """The paper's three optima survive a pipe, choose what their names say, and stand in pieces by kept names."""
    (observation,) = epochs(1, 3)
    kept = [pickle.loads(pickle.dumps(RULES[name])) for name in (OPTIMUM, WITH_POWER, JOINTLY)]  # noqa: S301 - our own bytes
    policies = Optimal(MOST_ASSIGNMENTS), JointOptimum(MOST_ASSIGNMENTS, shares=False), JointOptimum(MOST_ASSIGNMENTS)
    for rule, policy in zip(kept, policies, strict=True):
        chosen, expected = rule.make(1).decide(observation), policy.decide(observation)
        for field in ("option", "power_w", "share"):
            assert np.array_equal(getattr(chosen, field), getattr(expected, field))
    names = [{"policy": name, "options": {}} for name in ("optimal", "optimum-with-power", "joint-optimum")]
    assert [rule.settings() for rule in kept] == names
