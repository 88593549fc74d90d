"""Matrices of rotations and entangling rings, as torch tensors: the algebra under the state-vector engine.

Wire 0 is the most significant bit of a basis state's number; n qubits have N = 2^n basis states.
"""

from functools import reduce

import torch
from torch import Tensor

from cosim_agents.quantum.circuits import Circuit, Ring, ring_pairs
from cosim_agents.quantum.encodings import Axis


def basis_signs(qubits: int) -> Tensor:
    """Return the eigenvalues of Z, (N, n): +1 where the bit is clear, -1 where it is set; float64.

    >>> basis_signs(2).tolist()
    [[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]
    """
    states = torch.arange(2**qubits)[:, None]
    return 1.0 - 2.0 * (states >> torch.arange(qubits - 1, -1, -1) & 1).double()


def ring_action(ring: Ring, qubits: int) -> Tensor:
    """Return the action of a ring on each basis state, (N,): a sign for "cz", float64; the new state for "cnot"."""
    states = torch.arange(2**qubits)
    signs = torch.ones(2**qubits, dtype=torch.float64)
    for first, second in ring_pairs(qubits):
        control, target = qubits - 1 - first, qubits - 1 - second
        signs = signs * (1 - 2 * (states >> control & states >> target & 1))
        states = states ^ ((states >> control & 1) << target) if ring == "cnot" else states
    return signs if ring == "cz" else states


def through_ring(ring: Ring, action: Tensor, rows: Tensor) -> Tensor:
    """Return a matrix (N, ...) with the ring applied to its first axis.

    Args:
        ring: kind of ring.
        action: its action, from `ring_action`.
        rows: the matrix.
    """
    if ring == "cz":
        return action[:, None] * rows
    return rows.index_select(0, action.argsort())


def rotation(axis: Axis, angle: Tensor) -> Tensor:
    """Return exp(-i angle P / 2), shape (..., 2, 2); real for axis y, complex otherwise."""
    cos, sin = (0.5 * angle).cos(), (0.5 * angle).sin()
    if axis == "y":
        entries = (cos, -sin, sin, cos)
    elif axis == "x":
        zero = torch.zeros_like(cos)
        cosine, tilted = torch.complex(cos, zero), torch.complex(zero, -sin)
        entries = (cosine, tilted, tilted, cosine)
    else:
        phase = torch.complex(cos, -sin)
        zero = torch.zeros_like(phase)
        entries = (phase, zero, zero, phase.conj())
    return torch.stack(entries, -1).reshape(*angle.shape, 2, 2)


def qubit_gates(axes: tuple[Axis, ...], angles: Tensor) -> Tensor:
    """Return the product of a qubit's rotations, the first acting first: (..., len(axes)) -> (..., 2, 2)."""
    first, *others = (rotation(axis, angle) for axis, angle in zip(axes, angles.unbind(-1), strict=True))
    return reduce(followed, others, first)


def followed(first: Tensor, second: Tensor) -> Tensor:
    """Return the product second @ first, real if both are."""
    kind = torch.promote_types(first.dtype, second.dtype)
    return second.to(kind) @ first.to(kind)


def kronecker(gates: Tensor) -> Tensor:
    """Return the tensor product over qubits: (..., n, 2, 2) -> (..., N, N)."""

    def product(left: Tensor, right: Tensor) -> Tensor:
        entries = left[..., :, None, :, None] * right[..., None, :, None, :]
        return entries.flatten(-4, -3).flatten(-2, -1)

    return reduce(product, gates.unbind(-3))


def layers_matrix(circuit: Circuit, weights: Tensor, action: Tensor) -> Tensor:
    """Return the unitary (N, N) of all layers without the last ring; real where all rotations are about y.

    Args:
        circuit: its rotations and ring are used.
        weights: angles, (layers, n, rotations).
        action: action of the ring, from `ring_action`.
    """
    matrices = kronecker(qubit_gates(circuit.rotations, weights)).unbind(0)
    return reduce(lambda done, layer: layer @ through_ring(circuit.ring, action, done), matrices[1:], matrices[0])


def evolve(circuit: Circuit, gates: Tensor, action: Tensor, state: Tensor | None = None) -> Tensor:
    """Return the states (B, N) after all layers without the last ring, without forming any N x N matrix.

    A layer acts as A S B^T on the state written as a matrix S, A and B being the products of half the qubits each.

    Args:
        circuit: its ring is used.
        gates: (layers, n, 2, 2), or (B, layers, n, 2, 2) where each sample has its own.
        action: action of the ring, from `ring_action`.
        state: (B, N) before the layers; None: |0...0>.
    """
    upper = circuit.qubits // 2
    rows = kronecker(gates[..., :upper, :, :]) if upper else gates.new_ones(*gates.shape[:-3], 1, 1)
    columns = kronecker(gates[..., upper:, :, :])
    sizes = rows.shape[-1], columns.shape[-1]
    if state is None:
        after = rows[..., 0, :, 0, None] * columns[..., 0, None, :, 0]
    else:
        after = rows[..., 0, :, :] @ state.to(gates.dtype).reshape(*state.shape[:-1], *sizes) @ columns[..., 0, :, :].mT
    for layer in range(1, circuit.layers):
        flat = after.flatten(-2)
        turned = flat * action if circuit.ring == "cz" else flat.index_select(-1, action.argsort())
        after = rows[..., layer, :, :] @ turned.reshape(*turned.shape[:-1], *sizes) @ columns[..., layer, :, :].mT
    return after.flatten(-2)
