"""Many simulations at once: Gymnasium's own vector environment, each in a process of its own."""

from contextlib import closing

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv

SUMO = {"scenario": "intersection", "overrides": ("duration_s=12", "statistics.warmup_s=0"), "traffic": "live"}
SEEDS = [3, 4]
STEPS = 6


def driven(seeds: list[int], actions: np.ndarray) -> np.ndarray:
    """Observation and reward of each environment after the reset and after each step, (steps + 1, n, size + 1)."""
    spawn = {"vectorization_mode": "async", "vector_kwargs": {"context": "spawn"}}  # libsumo must not be forked
    envs: AsyncVectorEnv = gymnasium.make_vec("cosim.envs:cosim/Offloading-v0", len(seeds), **spawn, **SUMO)
    with closing(envs):
        actions = 2.0 * actions[..., None] * np.ones(envs.single_action_space.shape, np.float32) - 1.0
        shown = [np.column_stack((envs.reset(seed=seeds)[0], np.zeros(len(seeds))))]
        try:
            shown += [np.column_stack(envs.step(action)[:2]) for action in actions]
        except BaseException:
            envs.close(terminate=True)  # else it would wait for an answer that nobody reads
            raise
    return np.array(shown)


@pytest.mark.long
def test_two_sumo_simulations_live_at_once_in_two_processes() -> None:
    """In two processes libsumo, which holds one simulation in each, runs both as it does each alone, bit for bit."""
    actions = np.random.default_rng(1).random((STEPS, len(SEEDS)), np.float32)
    together = driven(SEEDS, actions)
    assert not np.array_equal(together[:, 0], together[:, 1])
    for place, seed in enumerate(SEEDS):
        assert np.array_equal(driven([seed], actions[:, [place]])[:, 0], together[:, place])
