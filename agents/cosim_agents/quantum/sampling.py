"""Shots: every measurement reads one bit string, drawn from the state's probabilities, perhaps misread."""

import numpy as np
import torch
from torch import Tensor


def misread(probabilities: Tensor, qubits: int, readout: float) -> Tensor:
    """Probabilities (B, N) of the strings read, where each bit is flipped with probability `readout`."""
    states = torch.arange(probabilities.shape[-1], device=probabilities.device)
    for qubit in range(qubits):
        flipped = probabilities[:, states ^ (1 << qubit)]
        probabilities = (1.0 - readout) * probabilities + readout * flipped
    return probabilities


def frequencies(probabilities: Tensor, shots: int, rng: np.random.Generator) -> Tensor:
    """Shares (B, N) of the strings among `shots` draws for each row, in the dtype of the probabilities."""
    weights = probabilities.detach().double().cpu().numpy()
    counts = rng.multinomial(shots, weights / weights.sum(-1, keepdims=True))
    return torch.from_numpy(counts / shots).to(probabilities)
