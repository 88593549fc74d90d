"""MaskablePPO of sb3-contrib, with an option of each of up to four waiting tasks as action, impossible ones masked.

pip install sb3-contrib
python examples/frameworks/maskable_ppo.py 20000
"""

import sys

import gymnasium
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.evaluation import evaluate_policy

steps = int(sys.argv[1])
env = gymnasium.make("cosim.envs:cosim/Offloading-v0", rows=4, actions="multidiscrete", episode_epochs=20)
model = MaskablePPO("MlpPolicy", env, n_steps=min(steps, 1024), seed=1, gamma=0.9, device="cpu").learn(steps)
mean, spread = evaluate_policy(model, env, n_eval_episodes=5, warn=False)
print(f"MaskablePPO: reward of an episode {mean:.1f} +- {spread:.1f}")
env.close()
