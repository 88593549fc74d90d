"""PPO of Stable-Baselines3 over rows of waiting tasks: its clipped loss, our own roll-outs and advantages."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import PPO

from agents.learners.learner import AgentSpec, EpisodeLog, State, Task
from agents.learners.off_policy import OwnRates, set_up
from agents.learners.randomness import PrivateTorch, generator_text, restore_generator
from agents.learners.rollout import Tally, Turn, turns
from agents.learners.row_policy import RowPolicy
from agents.learners.sb3_buffers import Rollout
from agents.learners.sb3_networks import Blueprint, RolloutPolicy
from agents.learners.sb3_state import module_state, optimizers_state, restore_module, restore_optimizer
from cosim.decision import Action, Policy
from cosim.envs.loop import Loop, Round
from cosim.rng import stream, stream_key
from cosim.types import AnyArray, FloatArray


class _PPO(OwnRates, PPO):
    pass


@dataclass(slots=True)
class _Epoch:
    """What an epoch was when it was decided; rewards come later."""

    seen: AnyArray  # (T, k)
    values: AnyArray  # (T, A)
    log_prob: AnyArray  # (T,)
    value: AnyArray  # (T,)
    reward: FloatArray  # (T,), NaN until known


class OnPolicy:
    """A Gaussian over the values of each task, learnt from whole episodes.

    Advantages follow GAE over epochs, not over rows, for a task has no next step of its own: the next value is the
    mean value of the next epoch's rows, and what is handed back the mean advantage of those rows:
    delta_i = r_i + gamma mean V(e + 1) - V_i, A_i = delta_i + gamma lambda mean A(e + 1). After an episode that was
    cut off, the epoch that would have come next gives the last mean value; after the run's end it is 0. Tasks whose
    reward did not come in time are left out. An update waits until `rollout_rows` rows have come together, at the end
    of an episode.
    """

    def __init__(self, spec: AgentSpec, task: Task, seed: int) -> None:
        if spec.actor is None or spec.critic is None:
            raise ValueError(f"{spec.name} has no networks")
        settings = spec.settings
        self._task = task
        self._settings = settings
        self._torch = PrivateTorch(seed, "torch")
        self._rng = stream(seed, "minibatches")
        values = task.values
        generator = torch.Generator().manual_seed(stream_key(seed, "weights") % 2**63)
        lr, critic_lr = float(settings["lr"]), float(settings["critic_lr"])
        with self._torch():
            self._algorithm = _PPO(
                RolloutPolicy,
                env=None,  # type: ignore[arg-type]  # ours is not one, it decides many rows at once
                learning_rate=lr,
                n_steps=1,
                batch_size=int(settings["batch"]),
                n_epochs=int(settings["passes"]),
                gamma=task.discount,
                gae_lambda=float(settings["gae_lambda"]),
                clip_range=float(settings["clip"]),
                ent_coef=float(settings["entropy"]),
                rollout_buffer_class=Rollout,
                rollout_buffer_kwargs={"rng": self._rng},
                policy_kwargs={
                    "blueprint": Blueprint(spec.actor, spec.critic, lr, critic_lr, generator),
                    "log_std_init": float(settings["log_std"]),
                },
                device="cpu",
                _init_setup_model=False,
            )
            set_up(self._algorithm, task.features.count, spaces.Box(-1.0, 1.0, (values,)))
        self._net: Any = self._algorithm.policy
        self._buffer: Rollout = self._algorithm.rollout_buffer  # type: ignore[assignment]
        self._collected: list[tuple[AnyArray, ...]] = []
        self._epochs: list[_Epoch] = []

    def episode(self, loop: Loop, seed: int) -> EpisodeLog:
        """Play one episode with the present policy, then learn if enough rows have come together."""
        tally = Tally()
        self._epochs = []
        last: Turn | None = None
        with self._torch():
            for turn in turns(loop, seed, self._see, self._explore, tally):
                last = turn
                batch = turn.transitions
                learnt = self._task.reward(batch.reward, float(self._settings["reward_clip"]))
                for epoch, row, reward in zip(batch.epoch.tolist(), batch.row.tolist(), learnt, strict=True):
                    self._epochs[epoch].reward[row] = reward
            if last is not None:
                self._collected += self._advantages(last)
            if sum(len(rows[0]) for rows in self._collected) >= int(self._settings["rollout_rows"]):
                self._buffer.fill(*(np.concatenate(column) for column in zip(*self._collected, strict=True)))
                self._collected = []
                self._algorithm.train()
        return tally.log()

    def state(self) -> State:
        """Weights, optimiser, generators, rows that wait for an update."""
        state: State = {
            "updates": self._algorithm._n_updates,
            "minibatches": generator_text(self._rng),
            "torch": self._torch.state,
            **module_state("policy", self._algorithm.policy),
            **optimizers_state({"optimizer": self._algorithm.policy.optimizer}),
        }
        for number, column in enumerate(zip(*self._collected, strict=True)):
            state[f"replay/rows/{number}"] = np.concatenate(column)
        return state

    def restore(self, state: State) -> None:
        """From `state`."""
        self._algorithm._n_updates = int(state["updates"])
        restore_generator(self._rng, str(state["minibatches"]))
        self._torch.state = np.asarray(state["torch"])
        restore_module("policy", self._algorithm.policy, state)
        restore_optimizer("optimizer", self._algorithm.policy.optimizer, state)
        rows = [np.array(state[name]) for number in range(5) if (name := f"replay/rows/{number}") in state]
        self._collected = [tuple(rows)] if rows else []

    def policy(self) -> Policy:
        """The Gaussian's mean."""
        return RowPolicy(self._task, self._mean, self._task.action)

    # --- what it does in an epoch ----------------------------------------------------------------------------------

    def _see(self, round_: Round) -> AnyArray:
        return self._task.features.transform(round_.features)

    def _explore(self, round_: Round, seen: AnyArray) -> tuple[AnyArray, Action]:
        """Values are remembered as drawn; decoding takes them cut to [-1, 1]."""
        with torch.no_grad():
            drawn, value, log_prob = self._net(torch.from_numpy(seen))
        values: AnyArray = drawn.numpy()
        unknown = np.full(len(seen), np.nan)
        self._epochs.append(_Epoch(seen, values, log_prob.numpy(), value.numpy().reshape(-1), unknown))
        return values, self._task.action(np.clip(values, -1.0, 1.0), round_.observation)

    def _mean(self, seen: AnyArray) -> AnyArray:
        with torch.no_grad():
            mean = self._net.mlp_extractor.forward_actor(torch.from_numpy(seen))
        cut: AnyArray = np.clip(mean.numpy(), -1.0, 1.0)
        return cut

    def _advantages(self, last: Turn) -> list[tuple[AnyArray, ...]]:
        """Rows of each epoch with known rewards: seen, values, log-probability, value, advantage."""
        discount, kept = self._task.discount, float(self._settings["gae_lambda"])
        next_value = 0.0
        if last.following is not None and not last.terminal:
            with torch.no_grad():
                next_value = float(self._net.predict_values(torch.from_numpy(last.following)).mean())
        next_advantage = 0.0
        collected = []
        for epoch in reversed(self._epochs):
            known = ~np.isnan(epoch.reward)
            delta = epoch.reward[known] + discount * next_value - epoch.value[known]
            advantage = (delta + discount * kept * next_advantage).astype(np.float32)
            columns = (epoch.seen, epoch.values, epoch.log_prob, epoch.value)
            collected.append((*(column[known] for column in columns), advantage))
            next_value = float(epoch.value.mean())
            next_advantage = float(advantage.mean()) if len(advantage) else 0.0
        return [rows for rows in reversed(collected) if len(rows[0])]
