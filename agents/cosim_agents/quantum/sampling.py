"""Shots: each measurement reads a bit string that is drawn from the state's probabilities, perhaps with errors."""

import numpy as np
import torch
from torch import Tensor


def misread(probabilities: Tensor, qubits: int, readout: float) -> Tensor:
    """Return the probabilities (B, N) of the strings that are read with errors.

    Args:
        probabilities: (B, N) of the true strings.
        qubits: number of bits.
        readout: probability that a bit is read wrongly.
    """
    states = torch.arange(probabilities.shape[-1], device=probabilities.device)
    for qubit in range(qubits):
        flipped = probabilities[:, states ^ (1 << qubit)]
        probabilities = (1.0 - readout) * probabilities + readout * flipped
    return probabilities


def frequencies(probabilities: Tensor, shots: int, rng: np.random.Generator) -> Tensor:
    """Return the shares (B, N) of the strings among the draws for each row, in the dtype of the probabilities.

    Args:
        probabilities: (B, N) of the strings.
        shots: number of draws.
        rng: random stream.
    """
    weights = probabilities.detach().double().cpu().numpy()
    counts = rng.multinomial(shots, weights / weights.sum(-1, keepdims=True))
    return torch.from_numpy(counts / shots).to(probabilities)
