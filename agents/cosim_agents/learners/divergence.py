"""The end of a training whose numbers have left the finite: which part diverged, and which setting to lower."""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Protocol

import numpy as np
import torch

from cosim.errors import RunError
from cosim.types import AnyArray

_LOSSES: Final[Mapping[str, str]] = {
    "ent_coef_loss": "lr",
    "critic_loss": "critic_lr",
    "actor_loss": "critic_lr",
    "value_loss": "critic_lr",
    "policy_gradient_loss": "lr",
    "loss": "lr",
}
"""Losses that Stable-Baselines3 logs, and the setting that governs each.

That of an actor is what the critic says of its actions: these are finite, or it could not have acted.
"""


class DivergenceError(RunError):
    """The error of a learner with a number that is not finite.

    Args:
        what: the number.
        settings: names of the settings one of which is to be lowered.
    """

    def __init__(self, what: str, *settings: str) -> None:
        super().__init__(what, *settings)
        self.what = what
        self.settings = settings

    def __str__(self) -> str:
        return f"{self.what} is not finite: the agent has diverged; train it with a lower {' or '.join(self.settings)}"


class Trained(Protocol):
    """A learner whose weights can be looked at."""

    def weights(self) -> Mapping[str, Iterable[AnyArray | torch.Tensor]]:
        """Return the numbers that training changes, by the setting that governs their steps."""
        ...


def trained_numbers(parameters: Iterable[torch.Tensor], optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Return parameters and their moments in the optimiser, which reach infinity first and then hold a weight fast."""
    found: list[torch.Tensor] = []
    for parameter in parameters:
        moments = optimizer.state.get(parameter, {}).values()
        found += [parameter, *(value for value in moments if isinstance(value, torch.Tensor))]
    return found


def diverged_settings(learner: Trained) -> list[str]:
    """Return the settings that govern a number which is not finite."""
    return [name for name, values in learner.weights().items() if not all(map(_finite, values))]


def check_losses(logged: Mapping[str, Any]) -> None:
    """Check that the losses of the last update are finite, as the logger of Stable-Baselines3 holds them.

    Raises:
        DivergenceError: one is not.
    """
    for name, setting in _LOSSES.items():
        loss = logged.get(f"train/{name}")
        if loss is not None and not math.isfinite(loss):
            entropy = "train/ent_coef" in logged  # SAC: each loss has the entropy of the actor in it
            raise DivergenceError("a loss", *(("lr", "critic_lr") if entropy else (setting,)))


def check_values(values: AnyArray) -> None:
    """Check that a network's answer holds no NaN.

    Raises:
        DivergenceError: it does.
    """
    if np.count_nonzero(np.isnan(values)):
        raise DivergenceError("an action", "lr")


@contextmanager
def finite_distributions() -> Iterator[None]:
    """Tell the error of a distribution of PyTorch that is asked for with NaN as divergence.

    Raises:
        DivergenceError: a parameter of a distribution is NaN.
    """
    try:
        yield
    except ValueError as error:
        if "to satisfy the constraint" not in str(error):
            raise
        raise DivergenceError("an action", "lr") from error


def _finite(values: AnyArray | torch.Tensor) -> bool:
    if isinstance(values, torch.Tensor):
        return bool(torch.isfinite(values).all())
    return bool(np.isfinite(values).all())
