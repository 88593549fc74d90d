"""Train Stable-Baselines3's own SAC on a scenario and compare it with two rules on the same seeds.

    python examples/train_with_sb3.py --steps 20000

A step of the environment decides up to 8 tasks, here an epoch of paper S1's small case; the reward is minus their cost.
"""

import argparse

import gymnasium
import numpy as np
from cosim_agents.registry import make_policy
from stable_baselines3 import SAC

import cosim.envs  # noqa: F401 - registers cosim/Offloading-v0
from cosim.envs.loop import Loop
from cosim.kernel.rng import stream
from cosim.scenario.load import load

EPOCHS = 20  # decision epochs in an episode


def learned(model: SAC, env: gymnasium.Env, seed: int) -> float:
    """Return the reward of an episode under the trained model."""
    seen, total, over = env.reset(seed=seed)[0], 0.0, False
    while not over:
        seen, reward, terminated, truncated, _ = env.step(model.predict(seen, deterministic=True)[0])
        total, over = total + float(reward), terminated or truncated
    return total


def ruled(name: str, loop: Loop, seed: int) -> float:
    """Return the reward of the same episode under a rule."""
    policy, waiting, total = make_policy(name, {}, stream(seed, "policy")), loop.reset(seed), 0.0
    while waiting is not None:
        step = loop.step(policy.decide(waiting.observation))
        waiting, total = None if step.over else step.following, total + step.total
    return total


def main() -> None:
    """Train, then print mean reward and standard error over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default="s1_semantic_iov")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=20, help="episodes to evaluate")
    options = parser.parse_args()
    env = gymnasium.make("cosim/Offloading-v0", scenario=options.scenario, episode_epochs=EPOCHS)
    model = SAC("MlpPolicy", env, seed=1, device="cpu").learn(options.steps)
    loop, seeds = Loop(load(options.scenario), episode_epochs=EPOCHS), range(1000, 1000 + options.seeds)
    rewards = {"SAC": [learned(model, env, seed) for seed in seeds]}
    rewards |= {rule: [ruled(rule, loop, seed) for seed in seeds] for rule in ("greedy-latency", "local")}
    print(f"{options.scenario}: reward of an episode of {EPOCHS} epochs, {len(seeds)} seeds, {options.steps} steps")
    for name, values in rewards.items():
        print(f"{name:<15}{np.mean(values):10.1f} +- {np.std(values) / np.sqrt(len(values)):.1f}")
    env.close()
    loop.close()


if __name__ == "__main__":
    main()
