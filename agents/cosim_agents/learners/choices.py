"""DQN of Stable-Baselines3 over rows of waiting tasks: each task takes one of options x power levels."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import DQN
from stable_baselines3.common.utils import polyak_update

from cosim.decision import Action, Policy
from cosim.envs.loop import Loop, Round
from cosim.types import AnyArray, IntArray
from cosim_agents.learners.divergence import check_losses, check_values, trained_numbers
from cosim_agents.learners.exploration import falling_epsilon
from cosim_agents.learners.learner import AgentSpec, EpisodeLog, LearningProblem, State
from cosim_agents.learners.randomness import Randomness
from cosim_agents.learners.rollout import EpisodeSums, turns
from cosim_agents.learners.row_policy import RowPolicy
from cosim_agents.learners.sb3_algorithm import OwnRates, algorithm_state, restore_algorithm, without_environment
from cosim_agents.learners.sb3_buffers import Replay
from cosim_agents.learners.sb3_networks import Blueprint, ChoicePolicy


class _DQN(OwnRates, DQN):
    pass


class Dqn:
    """A learner of the Q values of one task's choices, epsilon-greedy over those that are possible.

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
                task.features.count + task.knobs.choices,
                spaces.Discrete(task.knobs.choices),
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

    def episode(self, loop: Loop, seed: int) -> EpisodeLog:
        """Play one episode; `updates` gradient steps follow each epoch once the warm-up is over."""
        tally = EpisodeSums()
        clip = float(self._settings["reward_clip"])
        algorithm, tau = self._algorithm, float(self._settings["tau"])
        updates, batch = int(self._settings["updates"]), int(self._settings["batch"])
        with self._random.torch():
            for turn in turns(loop, seed, self._see, self._explore, tally):
                self._replay.put(turn.transitions, self._task.reward(turn.transitions.reward, clip))
                self._epochs += 1
                if self._epochs > int(self._settings["warmup_epochs"]) and self._replay.size():
                    for _ in range(updates):
                        algorithm.train(1, batch)
                        check_losses(algorithm.logger.name_to_value)
                        polyak_update(algorithm.q_net.parameters(), algorithm.q_net_target.parameters(), tau)
        return tally.log()

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

    def policy(self) -> Policy:
        """Return the policy that takes the possible choice of largest Q value."""
        return RowPolicy(self._task, self._values, self._task.choose)

    # --- what it does in an epoch ----------------------------------------------------------------------------------

    def _see(self, round_: Round) -> AnyArray:
        return self._task.with_choices(self._task.features.transform(round_.features), round_.observation)

    def _explore(self, round_: Round, seen: AnyArray) -> tuple[AnyArray, Action]:
        possible = seen[:, -self._task.knobs.choices :] > 0.5
        at_random = np.argmax(np.where(possible, self._rng.random(possible.shape), -1.0), axis=1)
        anew = self._rng.random(len(seen)) < falling_epsilon(self._settings, self._epochs)
        choice = at_random if anew.all() else np.where(anew, at_random, self._best(seen))
        return choice[:, None], self._task.knobs.decode_choice(choice, round_.observation)

    def _best(self, seen: AnyArray) -> IntArray:
        with torch.no_grad():
            q: Any = self._algorithm.q_net(torch.from_numpy(seen))
        values: AnyArray = q.numpy()
        check_values(values)
        best: IntArray = values.argmax(axis=1)
        return best

    def _values(self, features: AnyArray) -> AnyArray:
        """Return the Q values, (T, choices), of impossible choices too: `LearningProblem.choose` leaves those out."""
        everything = np.ones((len(features), self._task.knobs.choices), np.float32)
        with torch.no_grad():
            q: Any = self._algorithm.q_net(torch.from_numpy(np.concatenate([features, everything], axis=1)))
        values: AnyArray = q.numpy()
        return values
