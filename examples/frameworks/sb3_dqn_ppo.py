"""Stable-Baselines3's DQN and PPO, with an option of the one waiting task as action.

python examples/frameworks/sb3_dqn_ppo.py 20000
"""

import sys

import gymnasium
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.evaluation import evaluate_policy

steps = int(sys.argv[1])
env = gymnasium.make("cosim.envs:cosim/Offloading-v0", rows=1, actions="discrete", episode_epochs=20)
for algorithm, settings in ((DQN, {"learning_starts": steps // 10}), (PPO, {"n_steps": min(steps, 1024)})):
    model = algorithm("MlpPolicy", env, seed=1, gamma=0.9, device="cpu", **settings).learn(steps)
    mean, spread = evaluate_policy(model, env, n_eval_episodes=5, warn=False)
    print(f"{algorithm.__name__}: reward of an episode {mean:.1f} +- {spread:.1f}")
env.close()
