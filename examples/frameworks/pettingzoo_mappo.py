"""MAPPO on PettingZoo: an agent for each vehicle with an actor that all share, and a critic that sees them all.

python examples/frameworks/pettingzoo_mappo.py 20000
"""

import sys

import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical

from cosim.envs.parallel import parallel_env

env = parallel_env(agents="vehicle", slots=3, actions="discrete", episode_epochs=20)
sizes = ((env.observation_space("vehicle_0").shape[0], 3), (3 * env.observation_space("vehicle_0").shape[0], 1))
actor, critic = (nn.Sequential(nn.Linear(a, 64), nn.Tanh(), nn.Linear(64, b)) for a, b in sizes)
optimizer, seen = torch.optim.Adam([*actor.parameters(), *critic.parameters()], 1e-3), env.reset(seed=1)[0]
for _ in range(int(sys.argv[1]) // 64):
    rollout = []
    for _ in range(64):
        chances = Categorical(logits=actor(torch.tensor(old := np.stack(list(seen.values())))).detach())
        seen, rewards, *_ = env.step(dict(zip(env.agents, (action := chances.sample()).tolist(), strict=True)))
        rollout.append((old, action, chances.log_prob(action), sum(rewards.values()), np.stack(list(seen.values()))))
        seen = seen if env.agents else env.reset()[0]
    # Episodes of this scenario are truncated, so that each would have gone on.
    old, chosen, before, earned, new = (torch.tensor(np.array(part)).float() for part in zip(*rollout, strict=True))
    for _ in range(4):
        gain = earned + 0.9 * critic(new.flatten(1))[:, 0].detach() - critic(old.flatten(1))[:, 0]
        ratio = (Categorical(logits=actor(old)).log_prob(chosen) - before).exp()
        weight = (gain / gain.std()).detach()[:, None] * old[:, :, -1]  # of agents that have a task
        optimizer.zero_grad()
        (gain.square().mean() - torch.min(ratio * weight, ratio.clamp(0.8, 1.2) * weight).mean()).backward()
        optimizer.step()
    print(f"MAPPO: mean reward of 64 rounds {float(earned.mean()):.2f}")
