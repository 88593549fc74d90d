"""One update of a network on a loss, as the learners make it: Adam on either gradient, or a sweep of rotosolve."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from cosim_agents.quantum.training import Loss, parameter_shift, rotosolve
from torch import nn


def stepper(method: str, network: nn.Module, learning_rate: float = 1e-2) -> Callable[[Loss], float]:
    """A function that makes one update and gives the loss before it; Adam's moments last from call to call."""
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)

    def step(loss: Loss) -> float:
        if method == "rotosolve":
            return rotosolve(loss, network)
        optimizer.zero_grad()
        with parameter_shift(network) if method == "parameter-shift" else nullcontext():
            value = loss()
            value.backward()
        optimizer.step()
        return float(value.detach())

    return step
