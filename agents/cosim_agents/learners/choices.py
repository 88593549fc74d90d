"""DQN of Stable-Baselines3 over rows: each takes one of its discrete choices, as of options x power levels."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import DQN
from stable_baselines3.common.utils import polyak_update

from cosim.types import AnyArray, IntArray
from cosim_agents.learners.divergence import check_losses, check_values, trained_numbers
from cosim_agents.learners.environment import RowEnvironment, Rows
from cosim_agents.learners.exploration import falling_epsilon
from cosim_agents.learners.learner import AgentSpec, LearningProblem, State
from cosim_agents.learners.randomness import Randomness
from cosim_agents.learners.sb3_algorithm import OwnRates, algorithm_state, restore_algorithm, without_environment
from cosim_agents.learners.sb3_buffers import Replay
from cosim_agents.learners.sb3_networks import Blueprint, ChoicePolicy
from cosim_agents.learners.transitions import Turn


class _DQN(OwnRates, DQN):
    pass


class Dqn:
    """A learner of the Q values of one row's choices, epsilon-greedy over those that are possible.

    Epsilon is `cosim_agents.learners.exploration.falling_epsilon`. The target network follows by `tau` after each
    gradient step; Stable-Baselines3's copy every 10,000 steps would come once in S1's training.
    """

    def __init__(self, spec: AgentSpec, task: LearningProblem, seed: int) -> None:
        settings, blueprint = spec.settings, Blueprint.of(spec, seed)
        self._task = task
        self._settings = settings
        self._random = Randomness(seed, exploration="exploration", sampling="replay")
        self._rng = self._random["exploration"]
        with self._random.torch():
            self._algorithm: DQN = without_environment(
                _DQN,
                ChoicePolicy,
                task.features.count + task.actions.choices,
                spaces.Discrete(task.actions.choices),
                learning_rate=blueprint.actor_lr,
                buffer_size=int(settings["buffer"]),
                batch_size=int(settings["batch"]),
                gamma=task.discount,
                replay_buffer_class=Replay,
                replay_buffer_kwargs={"rng": self._random["sampling"]},
                policy_kwargs={"blueprint": blueprint, "net_arch": [], "optimizer_kwargs": {"fused": True}},
            )
        self._replay: Replay = self._algorithm.replay_buffer
        self._optimizers = {"optimizer": self._algorithm.policy.optimizer}
        self._epochs = 0

    def playing(self) -> AbstractContextManager[None]:
        """See `Learner`."""
        return self._random.torch()

    def begin(self, environment: RowEnvironment) -> None:
        """Do nothing: episodes do not differ."""

    def see(self, rows: Rows) -> AnyArray:
        """Return features, then whether each choice is possible, (n, k + choices)."""
        return self._task.see_choices(rows)

    def learn(self, turn: Turn) -> None:
        """Remember what became known; `updates` gradient steps follow once the warm-up is over."""
        clip, tau = float(self._settings["reward_clip"]), float(self._settings["tau"])
        algorithm, batch = self._algorithm, int(self._settings["batch"])
        self._replay.put(turn.transitions, self._task.reward(turn.transitions.reward, clip))
        self._epochs += 1
        if self._epochs > int(self._settings["warmup_epochs"]) and self._replay.size():
            for _ in range(int(self._settings["updates"])):
                algorithm.train(1, batch)
                check_losses(algorithm.logger.name_to_value)
                polyak_update(algorithm.q_net.parameters(), algorithm.q_net_target.parameters(), tau)

    def end(self) -> None:
        """Do nothing: it learns after each step."""

    def state(self) -> State:
        """Return weights, target, optimiser, buffer and generators."""
        return {
            "epochs": self._epochs,
            **self._random.state(),
            **algorithm_state(self._algorithm, self._optimizers),
            **self._replay.state(),
        }

    def restore(self, state: State) -> None:
        """Set all that `state` returns."""
        self._epochs = int(state["epochs"])
        self._random.restore(state)
        restore_algorithm(self._algorithm, self._optimizers, state)
        self._replay.restore(state)

    def weights(self) -> Mapping[str, list[torch.Tensor]]:
        """Return weights and moments of the Q network."""
        return {"lr": trained_numbers(self._algorithm.q_net.parameters(), self._optimizers["optimizer"])}

    def decide(self, rows: Rows) -> Any:
        """Return the action of the possible choices of largest Q value."""
        return self._task.choose(self._values(self._task.see(rows)), rows)

    # --- what it does in a step ------------------------------------------------------------------------------------

    def explore(self, rows: Rows, seen: AnyArray) -> tuple[AnyArray, Any]:
        """Return choices, (n, 1), of which a falling part is drawn, and their action."""
        possible = seen[:, -self._task.actions.choices :] > 0.5
        at_random = np.argmax(np.where(possible, self._rng.random(possible.shape), -1.0), axis=1)
        anew = self._rng.random(len(seen)) < falling_epsilon(self._settings, self._epochs)
        choice = at_random if anew.all() else np.where(anew, at_random, self._best(seen))
        return choice[:, None], self._task.actions.of_choices(choice, rows)

    def _best(self, seen: AnyArray) -> IntArray:
        with torch.no_grad():
            q: Any = self._algorithm.q_net(torch.from_numpy(seen))
        values: AnyArray = q.numpy()
        check_values(values)
        best: IntArray = values.argmax(axis=1)
        return best

    def _values(self, features: AnyArray) -> AnyArray:
        """Return the Q values, (T, choices), of impossible choices too: `LearningProblem.choose` leaves those out."""
        everything = np.ones((len(features), self._task.actions.choices), np.float32)
        with torch.no_grad():
            q: Any = self._algorithm.q_net(torch.from_numpy(np.concatenate([features, everything], axis=1)))
        values: AnyArray = q.numpy()
        return values
