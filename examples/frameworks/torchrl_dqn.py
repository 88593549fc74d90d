"""DQN of TorchRL: the environment wrapped, a collector, a replay buffer, its loss and its target network.

pip install torchrl
python examples/frameworks/torchrl_dqn.py 20000
"""

import sys

import gymnasium
import torch
from tensordict.nn import TensorDictSequential
from torchrl.collectors import Collector
from torchrl.data import LazyTensorStorage, ReplayBuffer
from torchrl.envs import GymWrapper
from torchrl.modules import EGreedyModule, QValueActor
from torchrl.objectives import DQNLoss, SoftUpdate

steps = int(sys.argv[1])
made = gymnasium.make("cosim.envs:cosim/Offloading-v0", rows=1, actions="discrete", episode_epochs=20)
env = GymWrapper(made, categorical_action_encoding=True)
net = torch.nn.Sequential(torch.nn.Linear(made.observation_space.shape[0], 64), torch.nn.ReLU(), torch.nn.Linear(64, 3))
actor = QValueActor(net, in_keys=["observation"], spec=env.action_spec)
explorer = TensorDictSequential(actor, EGreedyModule(env.action_spec, eps_init=0.2, annealing_num_steps=steps))
loss, replay = (
    DQNLoss(actor, action_space=env.action_spec, delay_value=True),
    ReplayBuffer(storage=LazyTensorStorage(10_000)),
)
loss.make_value_estimator(gamma=0.9)
optimizer, target = torch.optim.Adam(net.parameters(), 1e-3), SoftUpdate(loss, eps=0.95)
for data in Collector(env, explorer, frames_per_batch=32, total_frames=steps, auto_register_policy_transforms=True):
    replay.extend(data)
    for _ in range(8):
        optimizer.zero_grad()
        loss(replay.sample(64))["loss"].backward()
        optimizer.step()
        target.step()
    print(f"DQN: mean reward of 32 tasks {float(data['next', 'reward'].mean()):.2f}")
