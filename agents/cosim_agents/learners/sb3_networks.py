"""Policies of Stable-Baselines3 with the networks of `cosim_agents.networks`: quantum, classical or hybrid.

Only the building of networks differs from Stable-Baselines3; its losses, targets and updates stay untouched.
"""

from dataclasses import dataclass
from typing import Any

import torch
from stable_baselines3.common.policies import ActorCriticPolicy, ContinuousCritic
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from stable_baselines3.dqn.policies import DQNPolicy, QNetwork
from stable_baselines3.sac.policies import Actor as SACActor
from stable_baselines3.sac.policies import SACPolicy
from stable_baselines3.td3.policies import Actor, TD3Policy
from torch import Tensor, nn

from cosim_agents.learners.learner import AgentSpec
from cosim_agents.learners.randomness import torch_generator
from cosim_agents.networks import METHODS, NetSpec, make_network
from cosim_agents.quantum.engine import VQC
from cosim_agents.quantum.training import Loss, rotosolve

_FORBIDDEN = -1e8
"""Q value of a choice that is not possible; far below any other, and finite in float32."""


@dataclass(frozen=True, slots=True)
class Blueprint:
    """The networks of a policy, their learning rates, and the random stream of their initial weights."""

    actor: NetSpec
    critic: NetSpec
    actor_lr: float
    critic_lr: float
    generator: torch.Generator
    method: str
    """Training method of the actor's circuit, one of `cosim_agents.networks.METHODS`."""

    @classmethod
    def of(cls, spec: AgentSpec, seed: int) -> "Blueprint":
        """Return the blueprint of an agent."""
        actor, critic = spec.networks
        lr, critic_lr = float(spec.settings["lr"]), float(spec.settings["critic_lr"])
        method = str(spec.settings.get("method", METHODS[0]))
        return cls(actor, critic, lr, critic_lr, torch_generator(seed, "weights"), method)

    def policy_net(self, inputs: int, outputs: int) -> nn.Module:
        """Return a fresh actor or Q network."""
        return make_network(self.actor, inputs, outputs, self.generator)

    def value_net(self, inputs: int) -> nn.Module:
        """Return a fresh critic, with one output."""
        return make_network(self.critic, inputs, 1, self.generator)


class _Critic(ContinuousCritic):
    """Q(s, a) from the row and its values side by side."""

    def __init__(self, blueprint: Blueprint, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.q_networks = [
            blueprint.value_net(kwargs["features_dim"] + int(self.action_space.shape[0]))  # type: ignore[index]
            for _ in range(self.n_critics)
        ]
        for index, network in enumerate(self.q_networks):
            setattr(self, f"qf{index}", network)


class _Actor(Actor):
    """a = tanh(net(s))."""

    def __init__(self, blueprint: Blueprint, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        network = blueprint.policy_net(kwargs["features_dim"], int(self.action_space.shape[0]))  # type: ignore[index]
        self.mu = nn.Sequential(network, nn.Tanh())


class DeterministicPolicy(TD3Policy):
    """The policy of DDPG and TD3 with actor and critics of a blueprint, with a learning rate each."""

    def __init__(self, *args: Any, blueprint: Blueprint, **kwargs: Any) -> None:
        self._blueprint = blueprint  # the parent's constructor builds the networks
        super().__init__(*args, **kwargs)

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        _rate(self.actor.optimizer, self._blueprint.actor_lr)
        _rate(self.critic.optimizer, self._blueprint.critic_lr)
        if self._blueprint.method == "rotosolve":
            self.actor.optimizer = RotosolveStep(self.actor, self._blueprint.actor_lr)

    def make_actor(self, features_extractor: BaseFeaturesExtractor | None = None) -> Actor:
        """Return an actor with the network of the blueprint."""
        return _Actor(self._blueprint, **self._update_features_extractor(self.actor_kwargs, features_extractor))

    def make_critic(self, features_extractor: BaseFeaturesExtractor | None = None) -> ContinuousCritic:
        """Return critics with the networks of the blueprint."""
        return _Critic(self._blueprint, **self._update_features_extractor(self.critic_kwargs, features_extractor))


class RotosolveStep(torch.optim.Adam):
    """An optimiser that moves an actor's classical weights by Adam, then sets the angles of its circuits by rotosolve.

    The loss is that of the algorithm on the rows of the present step; through a critic it is not linear in the
    circuit's expectations, so that a sweep may go uphill (`cosim_agents.quantum.training.rotosolve`).
    """

    def __init__(self, actor: nn.Module, lr: float) -> None:
        angles = {id(one) for module in actor.modules() if isinstance(module, VQC) for one in module.parameters()}
        super().__init__([one for one in actor.parameters() if id(one) not in angles], lr=lr)
        self._actor = actor
        self.loss: Loss | None = None
        """The loss that the learner minimises; it must be set before the first step."""

    def step(self, closure: Any = None) -> Any:
        """Take a step of Adam, then one sweep of rotosolve."""
        assert self.loss is not None  # noqa: S101 - or the angles would never be trained
        loss = super().step(closure)
        rotosolve(self.loss, self._actor)
        return loss


class _GaussianActor(SACActor):
    """An actor whose mean comes from the network; its deviation has a layer of its own on the row."""

    def __init__(self, blueprint: Blueprint, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        values = int(self.action_space.shape[0])
        self.latent_pi = nn.Identity()  # type: ignore[assignment]
        self.mu = blueprint.policy_net(kwargs["features_dim"], values)
        self.log_std = nn.Linear(kwargs["features_dim"], values)  # type: ignore[assignment]


class GaussianPolicy(SACPolicy):
    """The policy of SAC with actor and critics of a blueprint, with a learning rate each."""

    def __init__(self, *args: Any, blueprint: Blueprint, **kwargs: Any) -> None:
        self._blueprint = blueprint
        super().__init__(*args, **kwargs)

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        _rate(self.actor.optimizer, self._blueprint.actor_lr)
        _rate(self.critic.optimizer, self._blueprint.critic_lr)

    def make_actor(self, features_extractor: BaseFeaturesExtractor | None = None) -> SACActor:
        """Return an actor with the network of the blueprint."""
        kwargs = self._update_features_extractor(self.actor_kwargs, features_extractor)
        return _GaussianActor(self._blueprint, **kwargs)

    def make_critic(self, features_extractor: BaseFeaturesExtractor | None = None) -> ContinuousCritic:
        """Return critics with the networks of the blueprint."""
        return _Critic(self._blueprint, **self._update_features_extractor(self.critic_kwargs, features_extractor))


class _MaskedQ(QNetwork):
    """Q(s, .) of all choices; a row carries its features, then 1 for each choice that is possible.

    With the mask inside the row, the maximum over the next row's choices in the algorithm's target leaves
    impossible choices out as well.
    """

    def __init__(self, blueprint: Blueprint, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._choices = int(self.action_space.n)
        self.q_net = blueprint.policy_net(kwargs["features_dim"] - self._choices, self._choices)  # type: ignore[assignment]

    def forward(self, obs: PyTorchObs) -> Tensor:
        """Return the Q values of all choices, (B, choices)."""
        rows = self.extract_features(obs, self.features_extractor)
        features, possible = rows[:, : -self._choices], rows[:, -self._choices :]
        q: Tensor = self.q_net(features)
        return torch.where(possible > 0.5, q, _FORBIDDEN)


class ChoicePolicy(DQNPolicy):
    """The policy of DQN with Q network and target of a blueprint."""

    def __init__(self, *args: Any, blueprint: Blueprint, **kwargs: Any) -> None:
        self._blueprint = blueprint
        super().__init__(*args, **kwargs)

    def make_q_net(self) -> QNetwork:
        """Return a Q network with the network of the blueprint."""
        kwargs = self._update_features_extractor(self.net_args, features_extractor=None)
        return _MaskedQ(self._blueprint, **kwargs)


class _Pair(nn.Module):
    """Actor and critic side by side, as `ActorCriticPolicy` expects them."""

    def __init__(self, actor: nn.Module, critic: nn.Module, values: int) -> None:
        super().__init__()
        self.pi = actor
        self.vf = critic
        self.latent_dim_pi = values
        self.latent_dim_vf = 1

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        return self.pi(features), self.vf(features)

    def forward_actor(self, features: Tensor) -> Tensor:
        out: Tensor = self.pi(features)
        return out

    def forward_critic(self, features: Tensor) -> Tensor:
        out: Tensor = self.vf(features)
        return out


class RolloutPolicy(ActorCriticPolicy):
    """The policy of PPO with actor and critic of a blueprint: they give mean and value themselves, no layer follows."""

    def __init__(self, *args: Any, blueprint: Blueprint, **kwargs: Any) -> None:
        self._blueprint = blueprint
        super().__init__(*args, **{**kwargs, "ortho_init": False})

    def _build_mlp_extractor(self) -> None:
        values = int(self.action_space.shape[0])  # type: ignore[index]
        self._pair = _Pair(
            self._blueprint.policy_net(self.features_dim, values), self._blueprint.value_net(self.features_dim), values
        )
        self.mlp_extractor = self._pair  # type: ignore[assignment]

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        self.action_net = nn.Identity()
        self.value_net = nn.Identity()  # type: ignore[assignment]
        self.optimizer = self.optimizer_class(
            [
                {"params": [*self._pair.pi.parameters(), self.log_std], "lr": self._blueprint.actor_lr},
                {"params": list(self._pair.vf.parameters()), "lr": self._blueprint.critic_lr},
            ],
            **self.optimizer_kwargs,
        )


def _rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr
