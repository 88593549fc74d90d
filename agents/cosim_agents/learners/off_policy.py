"""DDPG, TD3 and SAC of Stable-Baselines3 over rows: its losses and targets, our own roll-outs."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Final

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import DDPG, SAC, TD3
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.policies import ContinuousCritic

from cosim.types import AnyArray
from cosim_agents.learners.divergence import check_losses, finite_distributions, trained_numbers
from cosim_agents.learners.environment import RowEnvironment, Rows
from cosim_agents.learners.exploration import Exploration
from cosim_agents.learners.learner import AgentSpec, LearningProblem, State
from cosim_agents.learners.randomness import Randomness
from cosim_agents.learners.sb3_algorithm import OwnRates, algorithm_state, restore_algorithm, without_environment
from cosim_agents.learners.sb3_buffers import Replay
from cosim_agents.learners.sb3_networks import Blueprint, DeterministicPolicy, GaussianPolicy, RotosolveStep
from cosim_agents.learners.transitions import Turn
from cosim_agents.quantum.training import parameter_shift


class _DDPG(OwnRates, DDPG):
    pass


class _TD3(OwnRates, TD3):
    pass


class _SAC(OwnRates, SAC):
    pass


class OffPolicy:
    """A learner with an actor that gives each row its values and a critic of them, trained from a replay buffer.

    The actor maps one row to its values: scores of the options, of which the largest feasible one is taken, and
    shares and power. The first `warmup_epochs` epochs are uniform throughout; then DDPG and TD3 explore by
    `cosim_agents.learners.exploration.Exploration`, and SAC draws from its own distribution.
    """

    def __init__(self, spec: AgentSpec, task: LearningProblem, seed: int) -> None:
        self._task = task
        self._settings = spec.settings
        self._random = Randomness(seed, exploration="exploration", sampling="replay")
        self._rng = self._random["exploration"]
        self._exploration: Exploration | None = None
        if "noise_sigma" in spec.settings:
            scores = task.actions.scores or task.values
            self._exploration = Exploration(spec.settings, task.values, scores, self._rng)
        with self._random.torch():
            self._algorithm = _algorithm(spec, task, seed, self._random["sampling"])
        self._replay: Replay = self._algorithm.replay_buffer  # type: ignore[assignment]
        self._actor: Any = self._algorithm.policy.actor
        sweep = self._optimizers["actor-optimizer"]
        if isinstance(sweep, RotosolveStep):
            sweep.loss = self._actor_loss
        self._epochs = 0

    # --- the life of a learner -------------------------------------------------------------------------------------

    def playing(self) -> AbstractContextManager[None]:
        """See `Learner`."""
        return self._random.torch()

    def begin(self, environment: RowEnvironment) -> None:  # noqa: ARG002 - the same in every environment
        """Begin the exploration noise anew."""
        if self._exploration is not None:
            self._exploration.restart()

    def see(self, rows: Rows) -> AnyArray:
        """Return the features of rows."""
        return self._task.see(rows)

    def learn(self, turn: Turn) -> None:
        """Remember what became known; `updates` gradient steps follow once the warm-up is over."""
        clip = float(self._settings["reward_clip"])
        self._replay.put(turn.transitions, self._task.reward(turn.transitions.reward, clip))
        self._epochs += 1
        if self._epochs > int(self._settings["warmup_epochs"]) and self._replay.size():
            self._update(int(self._settings["updates"]), int(self._settings["batch"]))

    def end(self) -> None:
        """Do nothing: it learns after each step."""

    def _update(self, updates: int, batch: int) -> None:
        """Take gradient steps, with the training method of the actor's circuit."""
        with finite_distributions(), ExitStack() as rules:
            if self._settings.get("method") == "parameter-shift":
                rules.enter_context(parameter_shift(self._actor))
            self._algorithm.train(updates, batch)
        check_losses(self._algorithm.logger.name_to_value)

    def _actor_loss(self) -> torch.Tensor:
        """Return -mean Q(s, mu(s)) over the rows that were sampled last, which DDPG's actor minimises."""
        rows, critic = self._replay.latest, getattr(self._algorithm, "critic", None)
        assert rows is not None  # noqa: S101 - the algorithm samples before it steps
        assert isinstance(critic, ContinuousCritic)  # noqa: S101 - all three have one
        loss: torch.Tensor = -critic.q1_forward(rows.observations, self._actor(rows.observations)).mean()
        return loss

    def state(self) -> State:
        """Return weights, targets, optimisers, buffer and generators."""
        return {
            "epochs": self._epochs,
            **self._random.state(),
            **algorithm_state(self._algorithm, self._optimizers),
            **self._entropy_state(),
            **self._replay.state(),
        }

    def restore(self, state: State) -> None:
        """Set all that `state` returns."""
        self._epochs = int(state["epochs"])
        self._random.restore(state)
        restore_algorithm(self._algorithm, self._optimizers, state)
        if "log_entropy" in state:
            with torch.no_grad():
                self._log_entropy.copy_(torch.from_numpy(np.array(state["log_entropy"])))
        self._replay.restore(state)

    def weights(self) -> Mapping[str, list[torch.Tensor]]:
        """Return weights and moments of actor and critic; the entropy coefficient of SAC has the rate of the actor."""
        policy: Any = self._algorithm.policy
        entropy = [] if self._log_entropy is None else [self._log_entropy.exp()]
        return {
            "lr": [*trained_numbers(policy.actor.parameters(), policy.actor.optimizer), *entropy],
            "critic_lr": trained_numbers(policy.critic.parameters(), policy.critic.optimizer),
        }

    def decide(self, rows: Rows) -> Any:
        """Return the action of the actor's values without noise (SAC: of the mean)."""
        return self._task.action(self._values(self.see(rows)), rows)

    # --- what it does in a step ------------------------------------------------------------------------------------

    def explore(self, rows: Rows, seen: AnyArray) -> tuple[AnyArray, Any]:
        """Return the values to try, uniform throughout in the warm-up, and their action."""
        if self._epochs < int(self._settings["warmup_epochs"]):
            values: AnyArray = self._rng.uniform(-1.0, 1.0, (len(seen), self._task.values))
        elif self._exploration is not None:
            values = self._exploration.around(self._values(seen))
        else:
            with torch.no_grad(), finite_distributions():
                values = self._actor(torch.from_numpy(seen), deterministic=False).numpy()
        values = values.astype(np.float32)
        return values, self._task.action(values, rows)

    def _values(self, seen: AnyArray) -> AnyArray:
        """Return the values of the deterministic actor, (T, A)."""
        with torch.no_grad(), finite_distributions():
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
        """Log of the entropy coefficient of SAC, where it is learnt; else None."""
        return getattr(self._algorithm, "log_ent_coef", None)

    def _entropy_state(self) -> State:
        log_entropy = self._log_entropy
        return {} if log_entropy is None else {"log_entropy": log_entropy.detach().numpy().copy()}


def _algorithm(spec: AgentSpec, task: LearningProblem, seed: int, sampling: np.random.Generator) -> OffPolicyAlgorithm:
    """Return the algorithm of Stable-Baselines3 with its networks and its buffer."""
    settings, blueprint = spec.settings, Blueprint.of(spec, seed)
    kind, policy, own = _KINDS[spec.algorithm]
    algorithm: OffPolicyAlgorithm = without_environment(
        kind,
        policy,
        task.features.count,
        spaces.Box(-1.0, 1.0, (task.values,)),
        learning_rate=blueprint.actor_lr,
        buffer_size=int(settings["buffer"]),
        batch_size=int(settings["batch"]),
        tau=float(settings["tau"]),
        gamma=task.discount,
        replay_buffer_class=Replay,
        replay_buffer_kwargs={"rng": sampling},
        policy_kwargs={"blueprint": blueprint, "net_arch": [], "optimizer_kwargs": {"fused": True}},
        **own(settings, task.values),
    )
    return algorithm


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


_KINDS: Final[Mapping[str, tuple[Any, Any, Callable[[Mapping[str, Any], int], dict[str, Any]]]]] = {
    "ddpg": (_DDPG, DeterministicPolicy, _ddpg),
    "td3": (_TD3, DeterministicPolicy, _td3),
    "sac": (_SAC, GaussianPolicy, _sac),
}
