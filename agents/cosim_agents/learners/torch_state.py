"""Weights and optimiser states of PyTorch as plain arrays, and back."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import torch
from torch import nn

from cosim.errors import InputError
from cosim.types import AnyArray
from cosim_agents.learners.learner import State

_DRAWN: Final = "drawn"
"""Name of the buffer that counts a circuit's measurements, see `cosim_agents.quantum.engine.VQC`."""


def module_state(prefix: str, module: nn.Module) -> State:
    """Return each parameter and buffer of a module under `prefix/name`."""
    return {f"{prefix}/{name}": tensor.detach().numpy().copy() for name, tensor in module.state_dict().items()}


def restore_module(prefix: str, module: nn.Module, state: State) -> None:
    """Set all parameters and buffers of a module.

    Only the counts of a circuit's measurements may be missing or superfluous: a policy may be measured in another way
    than it was trained.

    Args:
        prefix: as given to `module_state`.
        module: the module.
        state: state of a learner.

    Raises:
        InputError: the state is of another network.
    """
    kept = {name.removeprefix(f"{prefix}/"): value for name, value in state.items() if name.startswith(f"{prefix}/")}
    wanted = module.state_dict()
    drawn = {name for name in {**kept, **wanted} if name.rpartition(".")[2] == _DRAWN}
    for name in drawn - kept.keys():
        kept[name] = wanted[name].numpy()
    for name in drawn - wanted.keys():
        del kept[name]
    shapes = {name: tuple(tensor.shape) for name, tensor in wanted.items()}
    if {name: np.shape(value) for name, value in kept.items()} != shapes:
        raise InputError("checkpoint: its weights are of another network than its agent names; train again")
    module.load_state_dict({name: _tensor(kept[name]) for name in wanted})


def optimizers_state(optimizers: Mapping[str, torch.optim.Optimizer]) -> State:
    """Return moments and step counts of each parameter of each optimiser; learning rates come from the settings."""
    return {
        f"replay/{prefix}/{number}/{name}": np.asarray(value.detach().numpy()).copy()
        for prefix, optimizer in optimizers.items()
        for number, moments in optimizer.state_dict()["state"].items()
        for name, value in moments.items()
    }


def restore_optimizers(optimizers: Mapping[str, torch.optim.Optimizer], state: State) -> None:
    """Set the moments of optimisers; one that had not stepped stays fresh."""
    for prefix, optimizer in optimizers.items():
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in state.items():
            if name.startswith(f"replay/{prefix}/"):
                number, part = name.removeprefix(f"replay/{prefix}/").split("/")
                moments.setdefault(int(number), {})[part] = _tensor(value)
        fresh = optimizer.state_dict()
        optimizer.load_state_dict({"state": moments, "param_groups": fresh["param_groups"]})


def _tensor(value: object) -> torch.Tensor:
    array: AnyArray = np.array(value)  # a copy: the checkpoint's arrays may be read-only
    return torch.from_numpy(array)
