"""That learning helps: the one thing no other test of a learner would notice."""

from pathlib import Path

import numpy as np
import small
from cosim_agents.baselines import Local, Random
from cosim_agents.learned import Learned
from cosim_agents.learners.catalog import agent_spec
from cosim_agents.train import train

from cosim.decision import Policy
from cosim.envs.loop import Loop
from cosim.scenario.load import Loaded

EPISODES, SEEDS = 40, 6


def cost(loaded: Loaded, policy: Policy) -> float:
    """Eq 18 for each task, over the same arrivals for every policy."""
    loop = Loop(loaded, episode_epochs=20)
    total, tasks = 0.0, 0
    for seed in range(SEEDS):
        round_, over = loop.reset(10_000 + seed), False
        while round_ is not None and not over:
            step = loop.step(policy.decide(round_.observation))
            round_, over = step.following, step.over
            total, tasks = total + step.costs.cost, tasks + step.costs.tasks
    return total / tasks


def test_learning_helps(tmp_path: Path) -> None:
    """After 800 epochs on S1, DQN costs at least a quarter less than chance, and than leaving all tasks local."""
    loaded = small.scenario()
    options = {"lr": 2e-3, "batch": 32, "components": 0, "epsilon_epochs": 400, "tau": 0.02}
    learned = train(loaded, agent_spec("dqn", options), 1, EPISODES, 20, tmp_path, checkpoint_every=EPISODES)
    reached = cost(loaded, Learned(learned.checkpoint))
    assert reached < 0.75 * cost(loaded, Random(np.random.default_rng(1)))
    assert reached < 0.75 * cost(loaded, Local())
