"""PPO in a loop of your own, as CleanRL writes it: an actor, a critic, and the clipped loss on 128 tasks at a time.

python examples/frameworks/own_ppo.py 20000
"""

import sys

import gymnasium
import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical

env = gymnasium.make("cosim.envs:cosim/Offloading-v0", rows=1, actions="discrete", episode_epochs=20)
sizes = ((env.observation_space.shape[0], int(env.action_space.n)), (env.observation_space.shape[0], 1))
actor, critic = (nn.Sequential(nn.Linear(a, 64), nn.Tanh(), nn.Linear(64, b)) for a, b in sizes)
optimizer, seen = torch.optim.Adam([*actor.parameters(), *critic.parameters()], 1e-3), env.reset(seed=1)[0]
for _ in range(int(sys.argv[1]) // 128):
    rollout = []
    for _ in range(128):
        chances = Categorical(logits=actor(torch.tensor(seen)).detach())
        new, reward, terminated, truncated, _ = env.step(int(action := chances.sample()))
        rollout.append((seen, int(action), float(chances.log_prob(action)), reward, new, not terminated))
        seen = env.reset()[0] if terminated or truncated else new
    batch = (torch.tensor(np.array(part)).float() for part in zip(*rollout, strict=True))
    old, chosen, before, earned, new, going = batch  # a truncated episode would have gone on
    for _ in range(4):
        gain = earned + 0.9 * going * critic(new)[:, 0].detach() - critic(old)[:, 0]
        ratio, weight = (Categorical(logits=actor(old)).log_prob(chosen) - before).exp(), (gain / gain.std()).detach()
        optimizer.zero_grad()
        (gain.square().mean() - torch.min(ratio * weight, ratio.clamp(0.8, 1.2) * weight).mean()).backward()
        optimizer.step()
    print(f"PPO: mean reward of 128 tasks {float(earned.mean()):.2f}")
