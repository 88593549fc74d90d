"""A parametrised quantum circuit as a torch module: its own state-vector simulation, or any PennyLane device.

This is classical simulation: time and memory grow as 2^n to 4^n with the number of qubits n, and say nothing about the
speed of a quantum computer. What makes it fast for few qubits: layers shared by a batch are composed into one matrix,
the higher-order encoding is a vector of phases, arithmetic is real where the circuit allows, and while weights do not
change the composed matrix is kept.
"""

import math
from collections.abc import Callable
from typing import Any, Final, Literal

import numpy as np
import torch
from torch import Tensor

from cosim.errors import InputError
from cosim_agents.quantum.algebra import (
    basis_signs,
    evolve,
    followed,
    layers_matrix,
    qubit_gates,
    ring_action,
    rotation,
)
from cosim_agents.quantum.circuits import Circuit
from cosim_agents.quantum.encodings import Phases, Reuploading
from cosim_agents.quantum.noise import noisy_observables
from cosim_agents.quantum.qnode import make_run
from cosim_agents.quantum.sampling import frequencies, misread

AMPLITUDES: Final = 2**17
"""Amplitudes that are simulated at once without a gradient: they stay in the processor's cache."""

COMPOSED_QUBITS: Final = 6
"""Most qubits for which all layers are composed into one matrix for a gradient; above, layer by layer is faster."""

KEPT_QUBITS: Final = 8
"""Most qubits for which they are composed, and kept, where no gradient is needed."""


class VQC(torch.nn.Module):
    """A module that gives <Z> of each qubit after a circuit, differentiable with respect to weights and inputs.

    Args:
        circuit: the circuit, from `make_circuit`.
        backend: "torch", this module's state vectors, or "pennylane".
        device: PennyLane's name of a device, for backend "pennylane".
        shots: measurements of each row; None gives exact expectation values. On torch the gradient stays that of the
            exact values, which only a simulator knows; on PennyLane it is the parameter-shift rule with as many shots
            for each of its circuits.
        depolarizing: p of `Circuit.apply`.
        readout: probability that a measured bit is read wrongly: <Z> shrinks by 1 - 2 readout.
        frozen: whether the weights stay as they are drawn; they are a buffer then, no parameter.
        zero: whether all <Z> are 0, whatever weights and inputs are; no circuit is run.
        dtype: dtype of weights and outputs, float32 or float64.
        generator: draws the weights and, with shots, their seed; without it both come from seed 0.

    With shots on torch, the seed and the number of draws are buffers: a module with a loaded state continues the draws
    of the one that was saved. A PennyLane device draws from its own generator, which is not saved.

    Raises:
        InputError: a value is out of range, or this backend cannot compute the combination exactly.

    >>> from cosim_agents.quantum.circuits import make_circuit
    >>> network = VQC(make_circuit("angle", 2, 1))
    >>> tuple(network(torch.zeros(5, 2)).shape)
    (5, 2)
    """

    weights: Tensor
    signs: Tensor
    action: Tensor
    outcomes: Tensor
    drawn: Tensor

    def __init__(
        self,
        circuit: Circuit,
        *,
        backend: Literal["torch", "pennylane"] = "torch",
        device: str = "default.qubit",
        shots: int | None = None,
        depolarizing: float = 0.0,
        readout: float = 0.0,
        frozen: bool = False,
        zero: bool = False,
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.circuit, self.backend, self.device_name = circuit, backend, device
        self.shots, self.depolarizing, self.readout = shots, depolarizing, readout
        self.frozen, self.zero = frozen, zero
        self._check(dtype)
        generator = generator or torch.Generator().manual_seed(0)
        weights = initial_weights(circuit, generator).to(dtype)  # drawn always: what is drawn next stays the same
        if frozen or zero:  # a buffer: soft updates of targets would round a parameter away from its equal
            self.register_buffer("weights", weights)
        else:
            self.weights = torch.nn.Parameter(weights)
        signs, action = basis_signs(circuit.qubits), ring_action(circuit.ring, circuit.qubits)
        cnot = circuit.ring == "cnot"
        self.register_buffer("signs", signs.to(dtype), persistent=False)
        self.register_buffer("action", action if cnot else action.to(dtype), persistent=False)
        self.register_buffer("outcomes", (signs[action] if cnot else signs).to(dtype), persistent=False)
        if shots is not None:  # seed, draws so far
            seed = torch.randint(2**31, (1,), generator=generator)
            self.register_buffer("drawn", torch.cat((seed, torch.zeros_like(seed))))
        self._kept: tuple[Tensor, Tensor] | None = None
        self._run: Callable[[Tensor, Tensor], Tensor] | None = None
        if backend == "pennylane":
            self._run = self._make_run()

    def forward(self, x: Tensor) -> Tensor:
        """Return the expectation values, or their estimates, (B, qubits), for inputs (B, inputs)."""
        if x.ndim != 2 or x.shape[1] != self.circuit.inputs:
            raise InputError(
                f"circuit {self.circuit.name}: x of shape {tuple(x.shape)}: give (B, {self.circuit.inputs})"
            )
        x = x.to(self.weights.dtype)
        if self.zero:
            return x.new_zeros(len(x), self.circuit.qubits)
        if self.backend == "pennylane":
            self._run = self._run or self._make_run()
            return self._run(x, self.weights).to(x.dtype)
        rows = AMPLITUDES >> self.circuit.qubits
        if torch.is_grad_enabled() or len(x) <= rows:
            return self._expectations(x)
        return torch.cat([self._expectations(part) for part in torch.split(x, rows)])

    def _expectations(self, x: Tensor) -> Tensor:
        if self.depolarizing:
            return (1.0 - 2.0 * self.readout) * self._noisy(x)
        probabilities = self._probabilities(x)
        exact = (1.0 - 2.0 * self.readout) * (probabilities @ self.outcomes)
        if self.shots is None:
            return exact
        estimate = self._estimated(probabilities, self.shots)
        return exact + (estimate - exact).detach() if exact.requires_grad else estimate

    def _probabilities(self, x: Tensor) -> Tensor:
        """Return the probabilities of the basis states before the last ring, (B, N)."""
        circuit, encoding = self.circuit, self.circuit.encoding
        if isinstance(encoding, Reuploading):
            own = rotation(encoding.axis, self.weights[..., 0] * x[:, None, :])
            gates = followed(own, qubit_gates(circuit.rotations, self.weights[..., 1:]))
            return _squared(evolve(circuit, gates, self.action))
        parts = encoding.parts(x, self.signs)
        if circuit.qubits > (COMPOSED_QUBITS if self._graded else KEPT_QUBITS):
            if isinstance(encoding, Phases):
                parts = torch.cat((parts, parts.flip(-1)), -1) * 2.0 ** (-0.5 * circuit.qubits)
            gates = qubit_gates(circuit.rotations, self.weights)
            after = evolve(circuit, gates, self.action, parts.flatten(0, 1)).reshape(parts.shape)
            return _squared(after).sum(0)
        squares = (parts @ self._shared()).square().sum(0)
        return squares if squares.shape[-1] == len(self.signs) else squares.reshape(len(squares), 2, -1).sum(1)

    def _noisy(self, x: Tensor) -> Tensor:
        parts = self.circuit.encoding.parts(x, self.signs)  # type: ignore[union-attr]  # re-uploading is refused
        turned = (parts @ self._shared()).reshape(*parts.shape[:2], self.circuit.qubits, -1)
        noisy: Tensor = (turned * parts[:, :, None, :]).sum((0, -1))
        return noisy

    def _estimated(self, probabilities: Tensor, shots: int) -> Tensor:
        # The last ring, which `_probabilities` leaves out, permutes the strings; a CZ ring changes signs alone.
        if self.circuit.ring == "cnot":
            probabilities = probabilities[:, self.action.argsort()]
        if self.readout:
            probabilities = misread(probabilities, self.circuit.qubits, self.readout)
        rng = np.random.default_rng(self.drawn.tolist())
        self.drawn[1] += 1
        return frequencies(probabilities, shots, rng) @ self.signs

    @property
    def _graded(self) -> bool:
        return torch.is_grad_enabled() and self.weights.requires_grad

    def _shared(self) -> Tensor:
        """Return `_composed` of the weights, the kept one where no gradient is needed and they have not changed.

        Weights are compared by value: writing through `.data`, as the soft update of Stable-Baselines3 does, leaves a
        parameter's version number as it is.
        """
        if self._graded:
            return self._composed(self.weights)
        kept = self._kept
        known = kept is not None and kept[0].dtype == self.weights.dtype and kept[0].device == self.weights.device
        if kept is None or not known or not torch.equal(kept[0], self.weights):
            with torch.inference_mode(False), torch.no_grad():
                weights = self.weights.detach().clone()
                kept = self._kept = weights, self._composed(weights)
        return kept[1]

    def _composed(self, weights: Tensor) -> Tensor:
        """Return all that a batch shares, as one real matrix that multiplies the parts of encoded states on the right.

        Without noise (K, N) or (K, 2 N), the real and imaginary part of the layers' unitary, K being the length of a
        part; with noise (K, n K), the real parts of the observables, since the parts of a state are real or the
        observables are.
        """
        circuit = self.circuit
        if self.depolarizing:
            observables = noisy_observables(circuit, weights, self.action, self.signs, self.depolarizing)
            matrix = observables.real if observables.is_complex() else observables
            if isinstance(circuit.encoding, Phases):
                matrix = _folded(_folded(matrix, -1), -2) * 0.5**circuit.qubits
            return matrix.transpose(0, 1).flatten(1)
        matrix = layers_matrix(circuit, weights, self.action).mT
        if matrix.is_complex():
            matrix = torch.cat((matrix.real, matrix.imag), -1)
        if isinstance(circuit.encoding, Phases):
            matrix = _folded(matrix, -2) * 2.0 ** (-0.5 * circuit.qubits)
        return matrix

    def _make_run(self) -> Callable[[Tensor, Tensor], Tensor]:
        seed = 0 if self.shots is None else int(self.drawn[0])
        return make_run(self.circuit, self.device_name, self.shots, self.depolarizing, self.readout, seed)

    def _check(self, dtype: torch.dtype) -> None:
        if dtype not in {torch.float32, torch.float64}:
            raise InputError(f"VQC: dtype={dtype}: use torch.float32 or torch.float64")
        if self.frozen and self.zero:
            raise InputError("VQC: frozen and zero: what is not run has no angles to freeze; give one of them")
        shots = self.shots
        if shots is not None and (not isinstance(shots, int) or shots < 1):
            raise InputError(f"VQC: shots={shots!r}: give a whole number from 1, or None for exact expectation values")
        for what, value, most in (("depolarizing", self.depolarizing, 1.0), ("readout", self.readout, 0.5)):
            if not isinstance(value, int | float) or not 0.0 <= value <= most:
                raise InputError(f"VQC: {what}={value!r}: give a probability from 0 to {most:g}")
        mixed = 'use backend="pennylane" with device="default.mixed"'
        if self.backend == "pennylane":
            if (self.depolarizing or self.readout) and self.device_name != "default.mixed":
                raise InputError(f'VQC: device="{self.device_name}" cannot simulate noise; {mixed}')
        elif self.backend != "torch":
            raise InputError(f"VQC: backend={self.backend!r}: use torch or pennylane")
        elif self.device_name != "default.qubit":
            raise InputError(f'VQC: device="{self.device_name}" is one of PennyLane; use it with backend="pennylane"')
        elif self.depolarizing and isinstance(self.circuit.encoding, Reuploading):
            raise InputError(f"VQC: depolarizing between encodings needs density matrices; {mixed}")
        elif self.depolarizing and self.shots is not None:
            raise InputError(f"VQC: depolarizing with shots needs density matrices; {mixed}")

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without what can be computed or built again: a QNode cannot be copied."""
        return {**self.__dict__, "_kept": None, "_run": None}


def initial_weights(circuit: Circuit, generator: torch.Generator) -> Tensor:
    """Return initial weights: angles uniform in [-pi, pi), input factors of re-uploading 1; float64."""
    weights = (2.0 * torch.rand(circuit.weight_shape, generator=generator, dtype=torch.float64) - 1.0) * math.pi
    if isinstance(circuit.encoding, Reuploading):
        weights[..., 0] = 1.0
    return weights


def _squared(state: Tensor) -> Tensor:
    return torch.view_as_real(state).square().sum(-1) if state.is_complex() else state.square()


def _folded(matrix: Tensor, axis: int) -> Tensor:
    """Return the sums of entries of a basis state and its complement, whose amplitudes are equal in the zz encoding."""
    half = matrix.shape[axis] // 2
    return matrix.narrow(axis, 0, half) + matrix.narrow(axis, half, half).flip(axis)
