"""PPO of RLlib, in one process, with an option of the one waiting task as action.

pip install "ray[rllib]"
python examples/frameworks/rllib_ppo.py 20000
"""

import sys

import gymnasium
import ray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.tune.registry import register_env

NAME = "cosim.envs:cosim/Offloading-v0"
steps = int(sys.argv[1])
register_env("offloading", lambda given: gymnasium.make(NAME, rows=1, actions="discrete", **given))
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
config = PPOConfig().environment("offloading", env_config={"episode_epochs": 20}).debugging(seed=1)
config = config.env_runners(num_env_runners=0, rollout_fragment_length=128)
config = config.training(train_batch_size=128, minibatch_size=64, num_epochs=4, gamma=0.9)
algorithm = config.build_algo()
for _ in range(max(1, steps // 128)):
    told = algorithm.train()["env_runners"]
    print(f"PPO: reward of an episode {told['episode_return_mean']:.1f}")
algorithm.stop()
ray.shutdown()
