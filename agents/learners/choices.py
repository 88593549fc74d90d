"""DQN of Stable-Baselines3 over rows of waiting tasks: each task takes one of options x power levels."""

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import DQN
from stable_baselines3.common.utils import polyak_update

from agents.learners.learner import AgentSpec, EpisodeLog, State, Task
from agents.learners.off_policy import OwnRates, set_up
from agents.learners.randomness import PrivateTorch, generator_text, restore_generator
from agents.learners.rollout import Tally, turns
from agents.learners.row_policy import RowPolicy
from agents.learners.sb3_buffers import Replay
from agents.learners.sb3_networks import Blueprint, ChoicePolicy
from agents.learners.sb3_state import module_state, optimizers_state, restore_module, restore_optimizer
from cosim.decision import Action, Observation, Policy
from cosim.envs.loop import Loop, Round
from cosim.rng import stream, stream_key
from cosim.types import AnyArray, IntArray


class _DQN(OwnRates, DQN):
    pass


class Choices:
    """Q values of the choices of one task; epsilon-greedy over those that are possible.

    Epsilon falls linearly from 1 to `epsilon` over the first `epsilon_epochs` epochs. The target network follows by
    `tau` after each gradient step; Stable-Baselines3's copy each 10,000 steps would come once in S1's training.
    """

    def __init__(self, spec: AgentSpec, task: Task, seed: int) -> None:
        if spec.actor is None or spec.critic is None:
            raise ValueError(f"{spec.name} has no networks")
        settings = spec.settings
        self._task = task
        self._settings = settings
        self._torch = PrivateTorch(seed, "torch")
        self._rng = stream(seed, "exploration")
        self._replay_rng = stream(seed, "replay")
        generator = torch.Generator().manual_seed(stream_key(seed, "weights") % 2**63)
        lr = float(settings["lr"])
        with self._torch():
            self._algorithm = _DQN(
                ChoicePolicy,
                env=None,  # type: ignore[arg-type]  # ours is not one, it decides many rows at once
                learning_rate=lr,
                buffer_size=int(settings["buffer"]),
                batch_size=int(settings["batch"]),
                gamma=task.discount,
                replay_buffer_class=Replay,
                replay_buffer_kwargs={"rng": self._replay_rng},
                policy_kwargs={
                    "blueprint": Blueprint(spec.actor, spec.critic, lr, lr, generator),
                    "net_arch": [],
                    "optimizer_kwargs": {"fused": True},
                },
                device="cpu",
                _init_setup_model=False,
            )
            width = task.features.count + task.knobs.choices
            set_up(self._algorithm, width, spaces.Discrete(task.knobs.choices))
        self._replay: Replay = self._algorithm.replay_buffer  # type: ignore[assignment]
        self._epochs = 0

    def episode(self, loop: Loop, seed: int) -> EpisodeLog:
        """Play one episode; `updates` gradient steps follow each epoch once the warm-up is over."""
        tally = Tally()
        clip = float(self._settings["reward_clip"])
        algorithm, tau = self._algorithm, float(self._settings["tau"])
        updates, batch = int(self._settings["updates"]), int(self._settings["batch"])
        with self._torch():
            for turn in turns(loop, seed, self._see, self._explore, tally):
                self._replay.put(turn.transitions, self._task.reward(turn.transitions.reward, clip))
                self._epochs += 1
                if self._epochs > int(self._settings["warmup_epochs"]) and self._replay.size():
                    for _ in range(updates):
                        algorithm.train(1, batch)
                        polyak_update(algorithm.q_net.parameters(), algorithm.q_net_target.parameters(), tau)
        return tally.log()

    def state(self) -> State:
        """Weights, target, optimiser, buffer, generators."""
        return {
            "epochs": self._epochs,
            "updates": self._algorithm._n_updates,
            "exploration": generator_text(self._rng),
            "sampling": generator_text(self._replay_rng),
            "torch": self._torch.state,
            **module_state("policy", self._algorithm.policy),
            **optimizers_state({"optimizer": self._algorithm.policy.optimizer}),
            **self._replay.state(),
        }

    def restore(self, state: State) -> None:
        """From `state`."""
        self._epochs = int(state["epochs"])
        self._algorithm._n_updates = int(state["updates"])
        restore_generator(self._rng, str(state["exploration"]))
        restore_generator(self._replay_rng, str(state["sampling"]))
        self._torch.state = np.asarray(state["torch"])
        restore_module("policy", self._algorithm.policy, state)
        restore_optimizer("optimizer", self._algorithm.policy.optimizer, state)
        self._replay.restore(state)

    def policy(self) -> Policy:
        """The possible choice of largest Q value."""
        return RowPolicy(self._task, self._values, self._decode)

    # --- what it does in an epoch ----------------------------------------------------------------------------------

    def _see(self, round_: Round) -> AnyArray:
        return self._with_mask(self._task.features.transform(round_.features), round_.observation)

    def _with_mask(self, features: AnyArray, observation: Observation) -> AnyArray:
        mask = self._task.knobs.choice_mask(observation).astype(np.float32)
        return np.concatenate([features, mask], axis=1)

    def _explore(self, round_: Round, seen: AnyArray) -> tuple[AnyArray, Action]:
        possible = seen[:, -self._task.knobs.choices :] > 0.5
        at_random = np.argmax(np.where(possible, self._rng.random(possible.shape), -1.0), axis=1)
        anew = self._rng.random(len(seen)) < self._epsilon
        choice = at_random if anew.all() else np.where(anew, at_random, self._best(seen))
        return choice[:, None], self._task.knobs.decode_choice(choice, round_.observation)

    @property
    def _epsilon(self) -> float:
        least, over = float(self._settings["epsilon"]), int(self._settings["epsilon_epochs"])
        return max(least, 1.0 - (1.0 - least) * self._epochs / max(1, over))

    def _best(self, seen: AnyArray) -> IntArray:
        with torch.no_grad():
            q: Any = self._algorithm.q_net(torch.from_numpy(seen))
        best: IntArray = q.numpy().argmax(axis=1)
        return best

    def _values(self, features: AnyArray) -> AnyArray:
        """(T, choices) Q values, impossible ones as well: `_decode` leaves them out."""
        everything = np.ones((len(features), self._task.knobs.choices), np.float32)
        with torch.no_grad():
            q: Any = self._algorithm.q_net(torch.from_numpy(np.concatenate([features, everything], axis=1)))
        values: AnyArray = q.numpy()
        return values

    def _decode(self, values: AnyArray, observation: Observation) -> Action:
        possible = self._task.knobs.choice_mask(observation)
        return self._task.knobs.decode_choice(np.where(possible, values, -np.inf).argmax(axis=1), observation)
