"""The cost of a circuit on hardware: gates and depth after decomposition to a named gate set.

Decomposed by PennyLane's graph-based decomposition, every pair of qubits coupled, nothing merged or cancelled
afterwards. Without decomposition a state preparation would count as one gate, and PennyLane's older decomposer spends
two CNOTs on a CZ. A state preparation takes 2 (2^n - 2) two-qubit gates (Moettonen et al., Quant. Inf. Comput. 5, 467):
half of them set phases, which amplitudes of both signs could do without. Gates that correct errors, routing and
calibration are left out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pennylane as qml

from cosim.errors import InputError, RunError

GATE_SETS: Final[Mapping[str, frozenset[str]]] = {
    "cnot": frozenset(("Hadamard", "RX", "RY", "RZ", "CNOT")),
    "cz": frozenset(("Hadamard", "RX", "RY", "RZ", "CZ")),
}
"""Gates of each gate set by PennyLane's names; a global phase is free."""


@dataclass(frozen=True, slots=True)
class CircuitCost:
    """The cost of one execution; `parameters` counts weights, `depth` gates one after another."""

    qubits: int
    one_qubit_gates: int
    two_qubit_gates: int
    depth: int
    parameters: int
    gate_set: str


def decomposed_cost(queue: Callable[[], None], qubits: int, parameters: int, gate_set: str) -> CircuitCost:
    """Return the cost of the operations that a function queues, after decomposition.

    Args:
        queue: queues PennyLane operations.
        qubits: number of qubits.
        parameters: number of weights.
        gate_set: one of GATE_SETS.

    Raises:
        InputError: there is no such gate set.
        RunError: PennyLane knows no decomposition.
    """
    if gate_set not in GATE_SETS:
        raise InputError(f"gate_set = {gate_set!r}: no such gate set; use {' or '.join(GATE_SETS)}")
    with qml.queuing.AnnotatedQueue() as queued:
        queue()
    tape = qml.tape.QuantumScript.from_queue(queued)
    with qml.decomposition.toggle_graph_ctx(True):
        (flat,), _ = qml.transforms.decompose(tape, gate_set={*GATE_SETS[gate_set], "GlobalPhase"})
    gates = [gate for gate in flat.operations if gate.name != "GlobalPhase"]
    foreign = sorted({gate.name for gate in gates} - GATE_SETS[gate_set])
    if foreign:
        raise RunError(f"gate_set {gate_set}: PennyLane left {', '.join(foreign)} as they are; use another gate set")
    paired = sum(len(gate.wires) == 2 for gate in gates)
    return CircuitCost(qubits, len(gates) - paired, paired, _depth(gates), parameters, gate_set)


def _depth(gates: list[Any]) -> int:
    reached: dict[int, int] = {}
    for gate in gates:
        deepest = 1 + max(reached.get(wire, 0) for wire in gate.wires)
        reached.update(dict.fromkeys(gate.wires, deepest))
    return max(reached.values(), default=0)
