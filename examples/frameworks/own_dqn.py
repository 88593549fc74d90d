"""DQN in a loop of your own, as CleanRL writes it: a network, its target, and a replay buffer.

python examples/frameworks/own_dqn.py 20000
"""

import sys

import gymnasium
import numpy as np
import torch
from torch import nn

env = gymnasium.make("cosim.envs:cosim/Offloading-v0", rows=1, actions="discrete", episode_epochs=20)
width, options = env.observation_space.shape[0], int(env.action_space.n)
q, slow = (nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, options)) for _ in range(2))
optimizer, replay, rng = torch.optim.Adam(q.parameters(), 1e-3), [], np.random.default_rng(1)
seen, info = env.reset(seed=1)
for step in range(int(sys.argv[1])):
    at_random = env.action_space.sample(info["action_mask"])  # one of the options that may be chosen
    action = at_random if rng.random() < 0.1 else int(q(torch.tensor(seen)).argmax())
    following, reward, terminated, truncated, info = env.step(action)
    replay.append((seen, action, reward, following, terminated))  # a truncated episode would have gone on
    seen, info = env.reset() if terminated or truncated else (following, info)
    batch = zip(*(replay[row] for row in rng.integers(len(replay), size=32)), strict=True)
    old, chosen, earned, new, ended = (torch.tensor(np.array(part), dtype=torch.float32) for part in batch)
    goal = earned + 0.9 * (1.0 - ended) * slow(new).max(dim=1).values.detach()
    optimizer.zero_grad()
    nn.functional.smooth_l1_loss(q(old).gather(1, chosen.long()[:, None])[:, 0], goal).backward()
    optimizer.step()
    if step % 200 == 0:
        slow.load_state_dict(q.state_dict())
print(f"DQN: mean reward of the last 100 tasks {np.mean([row[2] for row in replay[-100:]]):.2f}")
