"""Encodings of a row of numbers in a quantum state: five, as PennyLane operations and as torch state vectors.

Wire 0 is the most significant bit of a basis state's number. Angles follow PennyLane: R_P(a) = exp(-i a P / 2).
"""

import math
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final, Literal, TypeAlias

import pennylane as qml
import torch
from torch import Tensor

Axis = Literal["x", "y", "z"]

_ROTATION: Final[dict[Axis, Any]] = {"x": qml.RX, "y": qml.RY, "z": qml.RZ}


def rotate(axis: Axis, angle: Any, wire: int) -> None:
    """Queue R_P(angle) on a wire.

    Args:
        axis: P.
        angle: a number or a batch of numbers, in radians.
        wire: number of the wire.
    """
    _ROTATION[axis](angle, wires=wire)


@dataclass(frozen=True, slots=True)
class Phases:
    """Higher-order encoding: Hadamards, then exp(i gamma sum_{j<k} x_j x_k Z_j Z_k) (S1, section III-B).

    With z_j = +-1 of a basis state its phase is gamma / 2 ((x . z)^2 - |x|^2); the second term is global. Hence x and
    -x give the same state: inputs should keep to one sign. The paper does not print the Hadamards; without them the
    phases would act on |0...0> and nothing could be measured.
    """

    gamma: float = 1.0

    def apply(self, x: Any, qubits: int) -> None:
        """Queue the operations: exp(i a Z Z) = IsingZZ(-2 a)."""
        for wire in range(qubits):
            qml.Hadamard(wires=wire)
        for first in range(qubits):
            for second in range(first + 1, qubits):
                qml.IsingZZ(-2.0 * self.gamma * x[..., first] * x[..., second], wires=(first, second))

    def parts(self, x: Tensor, signs: Tensor) -> Tensor:
        """Return real and imaginary part of the states, times 2^(n/2), (2, B, 2^n / 2).

        Only basis states with bit 0 clear are given: a state and its complement have equal amplitudes.
        """
        half = signs[: len(signs) // 2]  # (2^n / 2, qubits)
        phase = (x @ half.mT).square() * (0.5 * self.gamma)
        return torch.stack((phase.cos(), phase.sin()))


@dataclass(frozen=True, slots=True)
class Amplitudes:
    """Amplitude encoding: the row, divided by its length and padded with zeros, is the state (S3; S5 eq 15).

    The length is divided out in torch, so that every way of differentiating sees the same function. A row of zeros,
    which has no direction, gives |0...0>, with gradient zero.
    """

    def apply(self, x: Any, qubits: int) -> None:
        """Queue the state preparation, one operation that takes about 2^n gates on hardware."""
        qml.StatePrep(self._padded(x, qubits), wires=range(qubits), validate_norm=False)

    def parts(self, x: Tensor, signs: Tensor) -> Tensor:
        """Return the states, (1, B, 2^n)."""
        return self._padded(x, signs.shape[1])[None]

    @staticmethod
    def _padded(x: Tensor, qubits: int) -> Tensor:
        largest = x.abs().amax(-1, keepdim=True)
        empty = largest == 0
        # the largest entry becomes 1, so that squares neither over- nor underflow
        scaled = x / torch.where(empty, torch.ones_like(largest), largest).detach()
        first = torch.zeros_like(scaled)
        first[..., 0] = 1.0
        scaled = torch.where(empty, first, scaled)
        unit = scaled / scaled.square().sum(-1, keepdim=True).sqrt()
        return torch.nn.functional.pad(unit, (0, 2**qubits - x.shape[-1]))


@dataclass(frozen=True, slots=True)
class Angles:
    """Angle encoding: R_P(x_j) on qubit j (S5 eq 16); `axis` P is x or y, z would leave |0> as it is."""

    axis: Axis = "y"

    def apply(self, x: Any, qubits: int) -> None:
        """Queue one rotation for each qubit."""
        for wire in range(qubits):
            rotate(self.axis, x[..., wire], wire)

    def parts(self, x: Tensor, signs: Tensor) -> Tensor:
        """Return the real part, and with axis x the imaginary part, of the states: (1 or 2, B, 2^n).

        RX|0> is diag(1, -i) RY|0>: a basis state with k ones has (-i)^k times the amplitude that RY gives.
        """
        state = product_state((0.5 * x).cos(), (0.5 * x).sin())
        if self.axis == "y":
            return state[None]
        ones = ((1.0 - signs).sum(1) * 0.5).long() % 4
        power = torch.tensor(((1.0, 0.0, -1.0, 0.0), (0.0, -1.0, 0.0, 1.0)), dtype=x.dtype, device=x.device)
        return power[:, None, ones] * state


@dataclass(frozen=True, slots=True)
class Bits:
    """Basis encoding: qubit j is |1> where x_j exceeds `threshold` (S5 section 3.4, one bit an input); no gradient.

    Prepared by RX(pi b), which is X^b but for a global phase.
    """

    threshold: float = 0.5

    def apply(self, x: Any, qubits: int) -> None:
        """Queue a rotation by 0 or pi for each qubit."""
        for wire in range(qubits):
            rotate("x", math.pi * (x[..., wire] > self.threshold), wire)

    def parts(self, x: Tensor, signs: Tensor) -> Tensor:  # noqa: ARG002  # as all encodings are asked
        """Return the states, (1, B, 2^n), one basis state in each row."""
        bits = (x > self.threshold).to(x.dtype)
        return product_state(1.0 - bits, bits)[None]


@dataclass(frozen=True, slots=True)
class Reuploading:
    """Re-uploading: each layer begins with R_P(w_j x_j) on qubit j, w being trained.

    S5, figures 1 and 4; P is not given there.
    """

    axis: Axis = "x"


Encoding: TypeAlias = Phases | Amplitudes | Angles | Bits | Reuploading


def product_state(zero: Tensor, one: Tensor) -> Tensor:
    """Return the state (B, 2^n) of qubits with amplitudes `zero` and `one`, each (B, n)."""
    qubits = torch.stack((zero, one), -1)  # (B, n, 2)
    return reduce(lambda state, qubit: (state[..., :, None] * qubit[..., None, :]).flatten(-2), qubits.unbind(-2))
