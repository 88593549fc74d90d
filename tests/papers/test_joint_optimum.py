"""The least cost over targets, powers and bandwidth against search and chance."""

from itertools import product

import numpy as np
import pytest

from agents.optimal import Optimal
from cosim.cost import cost_terms
from cosim.decision import Action, Observation
from cosim.errors import RunError
from cosim.experiments.papers.optimum import POWERS, JointOptimum
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
    """Two tasks alone in one cell: a fine search over their shares finds nothing below the closed form."""
    found = 0
    for observation in epochs(12, 2, bandwidth_hz=2e7):
        best = JointOptimum(10**6).decide(observation)
        cells = observation.cell[np.arange(2), best.option]
        if cells[0] != cells[1] or cells[0] < 0:
            continue
        found += 1
        assert best.share is not None
        assert best.share.max() == pytest.approx(1.0)
        least = cost(observation, best)
        searched = [
            cost(observation, Action(best.option, np.array(pair), best.power_w))
            for share in np.linspace(0.01, 1.0, 400).tolist()
            for pair in ((1.0, share), (share, 1.0))
        ]
        assert min(searched) == pytest.approx(least, rel=1e-4)
        assert min(searched) >= least * (1.0 - 1e-9)
    assert found


def test_below_the_optimum_of_targets() -> None:
    """It is never dearer than the exact optimum at the scenario's power and equal shares."""
    for tasks in (1, 4, 5):
        for observation in epochs(5, tasks):
            plain = cost(observation, Optimal().decide(observation))
            assert cost(observation, JointOptimum(10**6).decide(observation)) <= plain * (1.0 + 1e-9)


def test_too_many_tasks() -> None:
    """More assignments than allowed is an error, not a guess."""
    with pytest.raises(RunError, match="more than 8 assignments"):
        JointOptimum(8).decide(epochs(1, 3)[0])
