"""Modules of circuits on the torch engine and on PennyLane, and what they answer: for tests that compare the two."""

from typing import Any

import torch
from cosim_agents.quantum.circuits import Circuit
from cosim_agents.quantum.engine import VQC
from torch import Tensor

DOUBLE = torch.float64
ROUNDED_RZ = 1e-7
"""default.mixed of PennyLane 0.45 rounds RZ to single precision where there is a gradient."""
SHAPES = [(1, 1), (1, 2), (2, 1), (2, 3), (3, 2), (4, 1), (4, 3), (5, 2), (6, 1), (6, 3)]
CIRCUITS: list[tuple[str, dict[str, Any]]] = [
    ("zz", {}),
    ("zz", {"gamma": 0.3, "ring": "cnot"}),
    ("amplitude", {}),
    ("amplitude", {"ring": "cz"}),
    ("reuploading", {}),
    ("reuploading", {"axis": "y", "ring": "cnot"}),
    ("reuploading", {"axis": "z"}),
    ("angle", {}),
    ("angle", {"axis": "x", "ring": "cnot"}),
    ("basis", {}),
    ("basis", {"threshold": 0.0, "ring": "cnot"}),
]


def seeded(seed: int = 1) -> torch.Generator:
    """A generator of our own."""
    return torch.Generator().manual_seed(seed)


def inputs(circuit: Circuit, rows: int = 3, dtype: torch.dtype = DOUBLE) -> Tensor:
    """Rows of both signs."""
    return torch.randn((rows, circuit.inputs), generator=seeded(2), dtype=DOUBLE).to(dtype)


def pair(circuit: Circuit, dtype: torch.dtype = DOUBLE, **noise: float) -> tuple[VQC, VQC]:
    """A module on torch and one on PennyLane with the same weights."""
    device = "default.mixed" if noise else "default.qubit"
    reference = VQC(circuit, backend="pennylane", device=device, dtype=dtype, generator=seeded(), **noise)
    return VQC(circuit, dtype=dtype, generator=seeded(), **noise), reference


def everything(module: VQC, x: Tensor) -> list[Tensor]:
    """Outputs, gradient of the weights and gradient of the inputs, of a fixed mixture of the outputs."""
    x = x.clone().requires_grad_()
    mixture = torch.randn((len(x), module.circuit.qubits), generator=seeded(3), dtype=DOUBLE)
    found = module(x)
    scalar = (found * mixture.to(found.dtype)).sum()
    grads = torch.autograd.grad(scalar, (module.weights, x), allow_unused=True, materialize_grads=True)
    return [found.detach(), *grads]


def largest_difference(left: list[Tensor], right: list[Tensor]) -> float:
    """Of all numbers."""
    return max(float((a.detach().double() - b.detach().double()).abs().max()) for a, b in zip(left, right, strict=True))
