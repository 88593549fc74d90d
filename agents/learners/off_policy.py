"""DDPG, TD3 and SAC of Stable-Baselines3 over rows of waiting tasks: its losses and targets, our own roll-outs."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Final

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import DDPG, SAC, TD3
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.policies import ContinuousCritic

from agents.learners.learner import AgentSpec, EpisodeLog, State, Task
from agents.learners.randomness import OrnsteinUhlenbeck, PrivateTorch, generator_text, restore_generator
from agents.learners.rollout import Tally, turns
from agents.learners.row_policy import RowPolicy
from agents.learners.sb3_buffers import Replay
from agents.learners.sb3_networks import Blueprint, DeterministicPolicy, GaussianPolicy, Sweep, box
from agents.learners.sb3_state import (
    module_state,
    optimizers_state,
    restore_module,
    restore_optimizer,
)
from agents.quantum.training import parameter_shift
from cosim.decision import Action, Policy
from cosim.envs.loop import Loop, Round
from cosim.rng import stream, stream_key
from cosim.types import AnyArray


class OwnRates:
    """Learning rates stay as the policy set them: one for the actor, one for the critic."""

    def _update_learning_rate(self, optimizers: Any) -> None:
        """Keep them."""


class _DDPG(OwnRates, DDPG):
    pass


class _TD3(OwnRates, TD3):
    pass


class _SAC(OwnRates, SAC):
    pass


class OffPolicy:
    """An actor that gives each task its values, and a critic that judges them, learnt from a replay buffer.

    The actor maps one row to its values: scores of the options, of which the largest feasible one is taken, and
    shares and power. Scores are explored in two ways, for the argmax of scores whose differences outgrow the noise
    would never change again: noise on all values, and a part `epsilon` of the rows whose scores are drawn uniformly.
    These keep their share and power, or every option would be judged by what chance makes of them: on S1 a random
    share of the band makes offloading look worse than it is, and the actor would settle in its vehicle for good. The
    first `warmup_epochs` epochs are uniform throughout. SAC draws from its own distribution and needs neither.
    """

    def __init__(self, spec: AgentSpec, task: Task, seed: int) -> None:
        settings = spec.settings
        self._task = task
        self._settings = settings
        self._torch = PrivateTorch(seed, "torch")
        self._rng = stream(seed, "exploration")
        self._replay_rng = stream(seed, "replay")
        values = task.values
        self._scores = task.knobs.options if task.knobs.targets else values
        self._noise = OrnsteinUhlenbeck(
            values, float(settings.get("noise_theta", 1.0)), float(settings.get("noise_sigma", 0.0)), self._rng
        )
        with self._torch():
            self._algorithm = _algorithm(spec, task, values, seed, self._replay_rng)
        self._replay: Replay = self._algorithm.replay_buffer  # type: ignore[assignment]
        self._actor: Any = self._algorithm.policy.actor
        sweep = self._optimizers["actor-optimizer"]
        if isinstance(sweep, Sweep):
            sweep.loss = self._actor_loss
        self._epochs = 0

    # --- the life of a learner -------------------------------------------------------------------------------------

    def episode(self, loop: Loop, seed: int) -> EpisodeLog:
        """Play one episode; `updates` gradient steps follow each epoch once the warm-up is over."""
        tally = Tally()
        clip = float(self._settings["reward_clip"])
        updates, batch = int(self._settings["updates"]), int(self._settings["batch"])
        warmup = int(self._settings["warmup_epochs"])
        with self._torch():
            self._noise.restart()
            for turn in turns(loop, seed, self._see, self._explore, tally):
                self._replay.put(turn.transitions, self._task.reward(turn.transitions.reward, clip))
                self._epochs += 1
                if self._epochs > warmup and self._replay.size():
                    self._update(updates, batch)
        return tally.log()

    def _update(self, updates: int, batch: int) -> None:
        """Gradient steps, with the training method of the actor's circuit."""
        with ExitStack() as rules:
            if self._settings.get("method") == "parameter-shift":
                rules.enter_context(parameter_shift(self._actor))
            self._algorithm.train(updates, batch)

    def _actor_loss(self) -> torch.Tensor:
        """-mean Q(s, mu(s)) over the rows that were sampled last: what DDPG's actor makes small."""
        rows, critic = self._replay.latest, getattr(self._algorithm, "critic", None)
        assert rows is not None  # noqa: S101 - the algorithm samples before it steps
        assert isinstance(critic, ContinuousCritic)  # noqa: S101 - all three have one
        loss: torch.Tensor = -critic.q1_forward(rows.observations, self._actor(rows.observations)).mean()
        return loss

    def state(self) -> State:
        """Weights, targets, optimisers, buffer, generators."""
        return {
            "epochs": self._epochs,
            "updates": self._algorithm._n_updates,
            "exploration": generator_text(self._rng),
            "sampling": generator_text(self._replay_rng),
            "torch": self._torch.state,
            **module_state("policy", self._algorithm.policy),
            **optimizers_state(self._optimizers),
            **self._entropy_state(),
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
        for name, optimizer in self._optimizers.items():
            restore_optimizer(name, optimizer, state)
        if "log_entropy" in state:
            with torch.no_grad():
                self._log_entropy.copy_(torch.from_numpy(np.array(state["log_entropy"])))
        self._replay.restore(state)

    def policy(self) -> Policy:
        """The actor's values without noise (SAC: of the mean)."""
        return RowPolicy(self._task, self._values, self._task.action)

    # --- what it does in an epoch ----------------------------------------------------------------------------------

    def _see(self, round_: Round) -> AnyArray:
        return self._task.features.transform(round_.features)

    def _explore(self, round_: Round, seen: AnyArray) -> tuple[AnyArray, Action]:
        count = len(seen)
        shape = (count, self._task.values)
        if self._epochs < int(self._settings["warmup_epochs"]):
            values = self._rng.uniform(-1.0, 1.0, shape)
        elif isinstance(self._algorithm, SAC):
            with torch.no_grad():
                values = self._actor(torch.from_numpy(seen), deterministic=False).numpy()
        else:
            values = np.clip(self._values(seen) + self._noise.draw(count), -1.0, 1.0)
            anew = self._rng.random(count) < float(self._settings["epsilon"])
            values[anew, : self._scores] = self._rng.uniform(-1.0, 1.0, shape)[anew, : self._scores]
        values = values.astype(np.float32)
        return values, self._task.action(values, round_.observation)

    def _values(self, seen: AnyArray) -> AnyArray:
        """(T, A) of the deterministic actor."""
        with torch.no_grad():
            rows = torch.from_numpy(seen)
            given = self._actor(rows, deterministic=True) if isinstance(self._algorithm, SAC) else self._actor(rows)
        values: AnyArray = given.numpy()
        return values

    # --- the algorithm's parts -------------------------------------------------------------------------------------

    @property
    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        policy: Any = self._algorithm.policy
        optimizers = {"actor-optimizer": policy.actor.optimizer, "critic-optimizer": policy.critic.optimizer}
        entropy = getattr(self._algorithm, "ent_coef_optimizer", None)
        return optimizers if entropy is None else {**optimizers, "entropy-optimizer": entropy}

    @property
    def _log_entropy(self) -> Any:
        """Of SAC while it learns its entropy coefficient, else None."""
        return getattr(self._algorithm, "log_ent_coef", None)

    def _entropy_state(self) -> State:
        log_entropy = self._log_entropy
        return {} if log_entropy is None else {"log_entropy": log_entropy.detach().numpy().copy()}


def _algorithm(
    spec: AgentSpec, task: Task, values: int, seed: int, replay_rng: np.random.Generator
) -> OffPolicyAlgorithm:
    """The named algorithm with its networks and its buffer, without an environment."""
    settings = spec.settings
    if spec.actor is None or spec.critic is None:
        raise ValueError(f"{spec.name} has no networks")
    blueprint = Blueprint(
        actor=spec.actor,
        critic=spec.critic,
        actor_lr=float(settings["lr"]),
        critic_lr=float(settings["critic_lr"]),
        generator=torch.Generator().manual_seed(stream_key(seed, "weights") % 2**63),
        method=str(settings.get("method", "backprop")),
    )
    make, policy, own = _MAKERS[spec.algorithm]
    algorithm: OffPolicyAlgorithm = make(
        policy,
        env=None,
        learning_rate=blueprint.actor_lr,
        buffer_size=int(settings["buffer"]),
        batch_size=int(settings["batch"]),
        tau=float(settings["tau"]),
        gamma=task.discount,
        replay_buffer_class=Replay,
        replay_buffer_kwargs={"rng": replay_rng},
        policy_kwargs={"blueprint": blueprint, "net_arch": [], "optimizer_kwargs": {"fused": True}},
        device="cpu",
        _init_setup_model=False,
        **own(settings, values),
    )
    set_up(algorithm, task.features.count, spaces.Box(-1.0, 1.0, (values,)))
    return algorithm


def set_up(algorithm: Any, width: int, actions: spaces.Space[Any]) -> None:
    """What a constructor does with an environment; ours is not one, it decides many rows at once."""
    algorithm.observation_space = box(width)
    algorithm.action_space = actions
    algorithm.n_envs = 1
    algorithm._setup_model()
    algorithm.set_logger(Logger(None, []))


def _ddpg(_: Mapping[str, Any], __: int) -> dict[str, Any]:
    return {}


def _td3(settings: Mapping[str, Any], _: int) -> dict[str, Any]:
    return {
        "policy_delay": int(settings["policy_delay"]),
        "target_policy_noise": float(settings["target_noise"]),
        "target_noise_clip": float(settings["target_noise_clip"]),
    }


def _sac(settings: Mapping[str, Any], values: int) -> dict[str, Any]:
    return {"ent_coef": settings["entropy"], "target_entropy": -float(values)}


_MAKERS: Final[Mapping[str, tuple[Any, Any, Callable[[Mapping[str, Any], int], dict[str, Any]]]]] = {
    "ddpg": (_DDPG, DeterministicPolicy, _ddpg),
    "td3": (_TD3, DeterministicPolicy, _td3),
    "sac": (_SAC, GaussianPolicy, _sac),
}
