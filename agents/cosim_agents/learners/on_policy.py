"""PPO of Stable-Baselines3 over rows: its clipped loss, our own roll-outs and advantages."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import PPO

from cosim.types import AnyArray, FloatArray
from cosim_agents.learners.divergence import check_losses, finite_distributions, trained_numbers
from cosim_agents.learners.environment import RowEnvironment, Rows
from cosim_agents.learners.learner import AgentSpec, LearningProblem, State
from cosim_agents.learners.randomness import Randomness
from cosim_agents.learners.sb3_algorithm import OwnRates, algorithm_state, restore_algorithm, without_environment
from cosim_agents.learners.sb3_buffers import Rollout
from cosim_agents.learners.sb3_networks import Blueprint, RolloutPolicy
from cosim_agents.learners.transitions import Turn

_ROWS: Final = "replay/rows/"


class _PPO(OwnRates, PPO):
    pass


@dataclass(slots=True)
class _Epoch:
    """An epoch as it was decided; its rewards become known later."""

    seen: AnyArray  # (T, k)
    values: AnyArray  # (T, A)
    log_prob: AnyArray  # (T,)
    value: AnyArray  # (T,)
    reward: FloatArray  # (T,), NaN until known


class OnPolicy:
    """A learner of a Gaussian over the values of each row, trained on whole episodes.

    Advantages follow GAE over epochs, not over rows, because a task has no next step of its own: the next value is the
    mean value of the next epoch's rows, and the next advantage their mean advantage:
    delta_i = r_i + gamma mean V(e + 1) - V_i, A_i = delta_i + gamma lambda mean A(e + 1). After a truncated episode,
    the tasks that wait then give the last mean value; where no task can come any more it is 0. Tasks whose reward is
    not known by then are left out, as is the last epoch where nothing is known of what follows it
    (`cosim_agents.learners.rollout.turns`): its mean value ends the sums of the epochs before. An update is made at the
    end of an episode, once `rollout_rows` rows are collected.
    """

    def __init__(self, spec: AgentSpec, task: LearningProblem, seed: int) -> None:
        settings, blueprint = spec.settings, Blueprint.of(spec, seed)
        self._task = task
        self._settings = settings
        self._random = Randomness(seed, minibatches="minibatches")
        with self._random.torch():
            self._algorithm: PPO = without_environment(
                _PPO,
                RolloutPolicy,
                task.features.count,
                spaces.Box(-1.0, 1.0, (task.values,)),
                learning_rate=blueprint.actor_lr,
                n_steps=1,  # of the buffer that is made; `Rollout.fill` sets its size
                batch_size=int(settings["batch"]),
                n_epochs=int(settings["passes"]),
                gamma=task.discount,
                gae_lambda=float(settings["gae_lambda"]),
                clip_range=float(settings["clip"]),
                ent_coef=float(settings["entropy"]),
                rollout_buffer_class=Rollout,
                rollout_buffer_kwargs={"rng": self._random["minibatches"]},
                policy_kwargs={"blueprint": blueprint, "log_std_init": float(settings["log_std"])},
            )
        self._net: Any = self._algorithm.policy
        self._buffer: Rollout = self._algorithm.rollout_buffer
        self._optimizers = {"optimizer": self._algorithm.policy.optimizer}
        self._collected: list[tuple[AnyArray, ...]] = []
        self._played: list[_Epoch] = []  # of the present episode
        self._last: Turn | None = None

    def playing(self) -> AbstractContextManager[None]:
        """See `Learner`."""
        return self._random.torch()

    def begin(self, environment: RowEnvironment) -> None:  # noqa: ARG002 - the same in every environment
        """Forget what was played of an episode before."""
        self._played = []
        self._last = None

    def see(self, rows: Rows) -> AnyArray:
        """Return the features of rows."""
        return self._task.see(rows)

    def learn(self, turn: Turn) -> None:
        """Note the rewards that became known."""
        self._last, batch = turn, turn.transitions
        learnt = self._task.reward(batch.reward, float(self._settings["reward_clip"]))
        for epoch, row, reward in zip(batch.epoch.tolist(), batch.row.tolist(), learnt, strict=True):
            self._played[epoch].reward[row] = reward

    def end(self) -> None:
        """Learn if enough rows are collected."""
        if self._last is not None:
            self._collected += self._advantages(self._last)
        if sum(len(rows[0]) for rows in self._collected) >= int(self._settings["rollout_rows"]):
            self._buffer.fill(*(np.concatenate(column) for column in zip(*self._collected, strict=True)))
            self._collected = []
            with finite_distributions():
                self._algorithm.train()
            check_losses(self._algorithm.logger.name_to_value)

    def state(self) -> State:
        """Return weights, optimiser, generators, and the rows that wait for an update."""
        state: State = {
            **self._random.state(),
            **algorithm_state(self._algorithm, self._optimizers),
        }
        for number, column in enumerate(zip(*self._collected, strict=True)):
            state[f"{_ROWS}{number}"] = np.concatenate(column)
        return state

    def restore(self, state: State) -> None:
        """Set all that `state` returns."""
        self._random.restore(state)
        restore_algorithm(self._algorithm, self._optimizers, state)
        columns = sum(name.startswith(_ROWS) for name in state)
        rows = tuple(np.array(state[f"{_ROWS}{number}"]) for number in range(columns))
        self._collected = [rows] if rows else []

    def weights(self) -> Mapping[str, list[torch.Tensor]]:
        """Return the weights of actor and critic, which one optimiser moves with a rate for each."""
        optimizer = self._optimizers["optimizer"]
        groups = [group["params"] for group in optimizer.param_groups]
        return {
            name: trained_numbers(group, optimizer) for name, group in zip(("lr", "critic_lr"), groups, strict=True)
        }

    def decide(self, rows: Rows) -> Any:
        """Return the action of the Gaussian's mean."""
        return self._task.action(self._mean(self.see(rows)), rows)

    # --- what it does in a step ------------------------------------------------------------------------------------

    def explore(self, rows: Rows, seen: AnyArray) -> tuple[AnyArray, Any]:
        """Draw values from the Gaussian; they are kept as drawn, and decoded clipped to [-1, 1]."""
        with torch.no_grad(), finite_distributions():
            drawn, value, log_prob = self._net(torch.from_numpy(seen))
        values: AnyArray = drawn.numpy()
        unknown = np.full(len(seen), np.nan)
        self._played.append(_Epoch(seen, values, log_prob.numpy(), value.numpy().reshape(-1), unknown))
        return values, self._task.action(np.clip(values, -1.0, 1.0), rows)

    def _mean(self, seen: AnyArray) -> AnyArray:
        with torch.no_grad():
            mean = self._net.mlp_extractor.forward_actor(torch.from_numpy(seen))
        cut: AnyArray = np.clip(mean.numpy(), -1.0, 1.0)
        return cut

    def _advantages(self, last: Turn) -> list[tuple[AnyArray, ...]]:
        """Return, of each epoch, the rows with known rewards: seen, values, log-probability, value and advantage."""
        discount, kept = self._task.discount, float(self._settings["gae_lambda"])
        next_value = 0.0
        if last.following is not None:
            with torch.no_grad():
                next_value = float(self._net.predict_values(torch.from_numpy(last.following)).mean())
        next_advantage = 0.0
        collected = []
        for epoch in reversed(self._played):
            known = ~np.isnan(epoch.reward)
            delta = epoch.reward[known] + discount * next_value - epoch.value[known]
            advantage = (delta + discount * kept * next_advantage).astype(np.float32)
            columns = (epoch.seen, epoch.values, epoch.log_prob, epoch.value)
            collected.append((*(column[known] for column in columns), advantage))
            next_value = float(epoch.value.mean())
            next_advantage = float(advantage.mean()) if len(advantage) else 0.0
        return [rows for rows in reversed(collected) if len(rows[0])]
