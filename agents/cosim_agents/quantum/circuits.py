"""Parametrised quantum circuits by name: an encoding, then layers of trained rotations and a ring of entangling gates.

Every circuit is followed by a measurement of Z on each qubit. The ring couples (0,1), (1,2), ..., (n-1,0); of two
qubits it is one gate, of one qubit it is nothing.

>>> print(make_circuit("zz", 3, 1).draw())
0: ──H─╭IsingZZ─╭IsingZZ──RY──────────╭●────╭Z─┤  <Z>
1: ──H─╰IsingZZ─│────────╭IsingZZ──RY─╰Z─╭●─│──┤  <Z>
2: ──H──────────╰IsingZZ─╰IsingZZ──RY────╰Z─╰●─┤  <Z>
"""

import difflib
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import pennylane as qml
import torch

from cosim.errors import InputError
from cosim.scenario.document import shown
from cosim_agents.quantum.cost import CircuitCost, decomposed_cost
from cosim_agents.quantum.encodings import Amplitudes, Angles, Axis, Bits, Encoding, Phases, Reuploading, rotate

Ring = Literal["cz", "cnot"]

MOST_QUBITS: Final = 12
"""Bound of n: state preparation takes 2^n gates, the engine's noise n matrices of 4^n numbers."""

MOST_LAYERS: Final = 1000


@dataclass(frozen=True, slots=True)
class Circuit:
    """A parametrised circuit: its name, the encoding of inputs, and the gates of a layer.

    Weights are angles in radians of shape (layers, qubits, gates): the last axis follows `rotations` in the order in
    which they act; with re-uploading its first entry is the factor w of the input.
    """

    name: str
    qubits: int
    layers: int
    inputs: int
    encoding: Encoding
    rotations: tuple[Axis, ...]
    ring: Ring

    @property
    def weight_shape(self) -> tuple[int, int, int]:
        """Shape of the weights: (layers, qubits, weights of a qubit in a layer)."""
        return self.layers, self.qubits, len(self.rotations) + isinstance(self.encoding, Reuploading)

    @property
    def parameters(self) -> int:
        """Number of weights."""
        layers, qubits, gates = self.weight_shape
        return layers * qubits * gates

    def apply(self, x: Any, weights: Any, depolarizing: float = 0.0) -> None:
        """Queue the circuit's PennyLane operations, for a QNode or a drawing.

        Args:
            x: (inputs,) or (B, inputs), a torch tensor.
            weights: `weight_shape`.
            depolarizing: probability p of rho -> (1 - p) rho + p / 3 (X rho X + Y rho Y + Z rho Z) on each qubit after
                each layer; the encoding itself is free of noise.
        """
        trained = 0
        if isinstance(self.encoding, Reuploading):
            trained = 1
        else:
            self.encoding.apply(x, self.qubits)
        for layer in range(self.layers):
            for wire in range(self.qubits):
                if isinstance(self.encoding, Reuploading):
                    rotate(self.encoding.axis, weights[layer, wire, 0] * x[..., wire], wire)
                for gate, axis in enumerate(self.rotations, trained):
                    rotate(axis, weights[layer, wire, gate], wire)
            for pair in ring_pairs(self.qubits):
                (qml.CZ if self.ring == "cz" else qml.CNOT)(wires=pair)
            if depolarizing:
                for wire in range(self.qubits):
                    qml.DepolarizingChannel(depolarizing, wires=wire)

    def draw(self) -> str:
        """Return a drawing of the circuit in characters, with gates by name and measurements at the right."""

        def measured(x: Any, weights: Any) -> Any:
            self.apply(x, weights)
            return [qml.expval(qml.Z(wire)) for wire in range(self.qubits)]

        node = qml.QNode(measured, qml.device("default.qubit", wires=self.qubits))
        drawn = qml.draw(node, decimals=None, show_matrices=False, max_length=10_000)
        return str(drawn(*self.example()))

    def cost(self, gate_set: str = "cnot") -> CircuitCost:
        """Return qubits, gates and depth for one row of inputs, decomposed to "cnot" or "cz" (`quantum.cost`).

        Counted as drawn, with the last ring, even where it has no effect.

        Raises:
            InputError: there is no such gate set.
        """
        return decomposed_cost(lambda: self.apply(*self.example()), self.qubits, self.parameters, gate_set)

    def example(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return inputs and weights in general position, so that no gate of a decomposition is trivial by accident."""
        x = torch.cos(torch.arange(1.0, self.inputs + 1, dtype=torch.float64))
        weights = torch.arange(1.0, self.parameters + 1, dtype=torch.float64).reshape(self.weight_shape)
        return x, 0.1 + weights.sin().abs()


def ring_pairs(qubits: int) -> tuple[tuple[int, int], ...]:
    """Return the pairs of qubits of a ring in the order in which its gates act."""
    if qubits < 3:
        return ((0, 1),) if qubits == 2 else ()
    return tuple((wire, (wire + 1) % qubits) for wire in range(qubits))


def zz(qubits: int, layers: int, gamma: float = 1.0, ring: Ring = "cz") -> Circuit:
    """Return the circuit of S1's actor: higher-order encoding of n inputs, then layers of RY and a CZ ring.

    What it can express: the last CZ ring commutes with the measurements and has no effect. With a single layer, as in
    the paper, what is left is <Z_k> = -sin(w_k) prod_{j != k} cos(2 gamma x_j x_k): each output is a fixed function of
    the inputs times one trained factor. The ring matters from two layers on. And the encoding is even, f(x) = f(-x):
    inputs must keep to one sign (see `Phases`).

    Args:
        qubits: n, the number of inputs too.
        layers: number of trained layers.
        gamma: strength of the encoding.
        ring: gates of the ring.

    >>> print(zz(2, 1).draw())
    0: ──H─╭IsingZZ──RY─╭●─┤  <Z>
    1: ──H─╰IsingZZ──RY─╰Z─┤  <Z>
    """
    return Circuit("zz", qubits, layers, qubits, Phases(gamma), ("y",), ring)


def amplitude(qubits: int, layers: int, inputs: int | None = None, ring: Ring = "cnot") -> Circuit:
    """Return the circuit of S5 eq 15 and 27-30: amplitude encoding of up to 2^n inputs, layers of RX and a CNOT ring.

    S5 prints CNOT in eq 28 and writes CZ in its text: CNOT here, CZ by option. What it can express: CNOT takes products
    of X to products of X, so all RX of all layers commute when they are moved through the rings; the layers together
    are exp(-i/2 sum_l w_l X_l), X_l being strings of X, and a fixed permutation. With ring="cz" that is not so.

    Args:
        qubits: n.
        layers: number of trained layers.
        inputs: number of inputs; None: 2^n.
        ring: gates of the ring.

    >>> print(amplitude(2, 1).draw())
    0: ─╭|Ψ⟩──RX─╭●─┤  <Z>
    1: ─╰|Ψ⟩──RX─╰X─┤  <Z>
    """
    return Circuit("amplitude", qubits, layers, 2**qubits if inputs is None else inputs, Amplitudes(), ("x",), ring)


def reuploading(qubits: int, layers: int, axis: Axis = "x", ring: Ring = "cz") -> Circuit:
    """Return the re-uploading circuit of S5, figures 1 to 4: each layer is R(w x), then V = RZ RY RX, then a CZ ring.

    The product V is read as printed: RX acts first. Hence the last layer's RZ commutes with what follows: its n weights
    have no effect. Figure 4 begins with one V more and has the ring before R(w x): both are left out here.

    Args:
        qubits: n, the number of inputs too.
        layers: number of trained layers.
        axis: axis of the rotations by inputs.
        ring: gates of the ring.

    >>> print(reuploading(2, 1).draw())
    0: ──RX──RX──RY──RZ─╭●─┤  <Z>
    1: ──RX──RX──RY──RZ─╰Z─┤  <Z>
    """
    return Circuit("reuploading", qubits, layers, qubits, Reuploading(axis), ("x", "y", "z"), ring)


def angle(qubits: int, layers: int, axis: Axis = "y", ring: Ring = "cz") -> Circuit:
    """Return a circuit of angle encoding of n inputs (radians), then layers of RY and a CZ ring.

    The last ring has no effect on the measurements.

    Args:
        qubits: n, the number of inputs too.
        layers: number of trained layers.
        axis: axis of the rotations by inputs.
        ring: gates of the ring.

    >>> print(angle(2, 1).draw())
    0: ──RY──RY─╭●─┤  <Z>
    1: ──RY──RY─╰Z─┤  <Z>
    """
    return Circuit("angle", qubits, layers, qubits, Angles(axis), ("y",), ring)


def basis(qubits: int, layers: int, threshold: float = 0.5, ring: Ring = "cz") -> Circuit:
    """Return a circuit of basis encoding of n bits, then layers of RY and a CZ ring.

    The last ring has no effect on the measurements.

    Args:
        qubits: n, the number of inputs too.
        layers: number of trained layers.
        threshold: value above which an input counts as 1.
        ring: gates of the ring.

    >>> print(basis(2, 1).draw())
    0: ──RX──RY─╭●─┤  <Z>
    1: ──RX──RY─╰Z─┤  <Z>
    """
    return Circuit("basis", qubits, layers, qubits, Bits(threshold), ("y",), ring)


_CIRCUITS: Final[Mapping[str, Callable[..., Circuit]]] = {
    "zz": zz,
    "amplitude": amplitude,
    "reuploading": reuploading,
    "angle": angle,
    "basis": basis,
}


def circuit_names() -> list[str]:
    """Return the names that `make_circuit` knows."""
    return list(_CIRCUITS)


def make_circuit(name: str, qubits: int, layers: int, **options: Any) -> Circuit:
    """Return the circuit of a name.

    Args:
        name: one of `circuit_names()`.
        qubits: number of qubits, 1 to `MOST_QUBITS`.
        layers: number of trained layers, 1 to `MOST_LAYERS`.
        options: keyword arguments of the function of that name: gamma, ring, inputs, axis, threshold.

    Raises:
        InputError: there is no such circuit or option, or a value is out of range.

    >>> make_circuit("reuploading", 4, 2).weight_shape
    (2, 4, 4)
    """
    if name not in _CIRCUITS:
        near = difflib.get_close_matches(name, _CIRCUITS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(f"circuit = {name!r}: no such circuit; {hint}use {', '.join(_CIRCUITS)}")
    _within(name, "qubits", qubits, MOST_QUBITS)
    _within(name, "layers", layers, MOST_LAYERS)
    factory = _CIRCUITS[name]
    known = list(inspect.signature(factory).parameters)[2:]
    for option, value in options.items():
        if option not in known:
            raise InputError(f"circuit {name}: {option}={shown(value)}: no such option; it takes {', '.join(known)}")
        _check_option(name, option, value, 2**qubits)
    return factory(qubits, layers, **options)


def _within(name: str, what: str, value: Any, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise InputError(f"circuit {name}: {what}={shown(value)}: give a whole number from 1 to {most}")


def _check_option(name: str, option: str, value: Any, states: int) -> None:
    if option == "inputs":
        if value is not None:
            _within(name, option, value, states)
    elif option in {"gamma", "threshold"}:
        # compared, for a whole number too large for a float has no `isfinite`
        if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= sys.float_info.max:
            raise InputError(f"circuit {name}: {option}={shown(value)}: give a finite number")
    else:
        choices = ("cz", "cnot") if option == "ring" else ("x", "y") if name == "angle" else ("x", "y", "z")
        if value not in choices:
            raise InputError(f"circuit {name}: {option}={shown(value)}: use {' or '.join(choices)}")
