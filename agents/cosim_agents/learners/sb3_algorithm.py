"""Algorithms of Stable-Baselines3 without an environment: roll-outs are ours, losses and updates are theirs."""

from collections.abc import Mapping
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.logger import Logger

from cosim_agents.learners.learner import State
from cosim_agents.learners.torch_state import module_state, optimizers_state, restore_module, restore_optimizers


class OwnRates:
    """A mix-in that leaves learning rates as the policy set them: one for the actor, one for the critic."""

    def _update_learning_rate(self, optimizers: Any) -> None:
        """Do nothing."""


def without_environment(algorithm: Any, policy: Any, width: int, actions: spaces.Space[Any], **settings: Any) -> Any:
    """Return an algorithm, set up as its constructor would do with an environment.

    A `Loop` is no such environment, because one step decides many rows.

    Args:
        algorithm: class of the algorithm.
        policy: class of its policy.
        width: number of unbounded values of a row, its observation.
        actions: action space of a row.
        settings: further arguments of the algorithm's constructor.
    """
    made = algorithm(policy, env=None, device="cpu", _init_setup_model=False, **settings)
    made.observation_space = spaces.Box(-float("inf"), float("inf"), (width,))
    made.action_space = actions
    made.n_envs = 1
    made._setup_model()
    made.set_logger(Logger(None, []))
    return made


def algorithm_state(algorithm: Any, optimizers: Mapping[str, torch.optim.Optimizer]) -> State:
    """Return the number of updates, the weights with those of the targets, and the moments of the optimisers."""
    return {
        "updates": algorithm._n_updates,
        **module_state("policy", algorithm.policy),
        **optimizers_state(optimizers),
    }


def restore_algorithm(algorithm: Any, optimizers: Mapping[str, torch.optim.Optimizer], state: State) -> None:
    """Set all that `algorithm_state` returns.

    Args:
        algorithm: the algorithm.
        optimizers: its optimisers, by name.
        state: state of a learner.

    Raises:
        InputError: the state is of another network.
    """
    algorithm._n_updates = int(state["updates"])
    restore_module("policy", algorithm.policy, state)
    restore_optimizers(optimizers, state)
