"""Depolarising noise in layers that a batch shares: the observables are carried back to the encoded state.

In the Heisenberg picture noise and layers act on the n observables, once for a batch: <Z_k> is <psi(x)|O_k|psi(x)>
with O_k = L_1^+(... L_l^+(Z_k)), each layer's adjoint being noise, then ring, then rotations. Exact; n matrices of 4^n.
"""

import torch
from torch import Tensor

from cosim_agents.quantum.algebra import kronecker, qubit_gates
from cosim_agents.quantum.circuits import Circuit


def noisy_observables(circuit: Circuit, weights: Tensor, action: Tensor, signs: Tensor, depolarizing: float) -> Tensor:
    """Return the observables O (n, N, N) of all <Z_k>, Hermitian; real where all rotations are about y.

    Args:
        circuit: a circuit whose encoding stands before all layers.
        weights: its weights.
        action: result of `cosim_agents.quantum.algebra.ring_action`.
        signs: result of `cosim_agents.quantum.algebra.basis_signs`, in the dtype of the weights.
        depolarizing: p of `Circuit.apply`.
    """
    matrices = kronecker(qubit_gates(circuit.rotations, weights))
    observables = torch.diag_embed(signs.mT).to(matrices.dtype)
    for layer in matrices.flip(0).unbind(0):
        observables = _depolarized(observables, depolarizing)
        if circuit.ring == "cz":
            observables = action[:, None] * observables * action
        else:
            observables = observables[:, action][:, :, action]
        observables = layer.mH @ observables @ layer
    return observables


def _depolarized(observables: Tensor, probability: float) -> Tensor:
    """Return (1 - q) O + q / 2 (trace over a qubit), for each qubit in turn, q = 4 p / 3; it is its own adjoint."""
    mixed = 4.0 * probability / 3.0
    states = torch.arange(observables.shape[-1], device=observables.device)
    for qubit in range(len(observables)):
        bit = 1 << qubit
        # of the observables' precision: a number times a truth value would be single precision
        same = ((states & bit)[:, None] == states & bit).to(observables.real.dtype)
        other = states ^ bit
        partner = observables[:, other][:, :, other]
        observables = (1.0 - mixed) * observables + 0.5 * mixed * same * (observables + partner)
    return observables
