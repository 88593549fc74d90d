"""Circuits by name: what they are made of, what they cost, and what they can express."""

import doctest
import math
from typing import Any

import pennylane as qml
import pytest
import torch
from cosim_agents.quantum import circuits
from cosim_agents.quantum.algebra import kronecker, layers_matrix, ring_action
from cosim_agents.quantum.circuits import circuit_names, make_circuit, ring_pairs
from cosim_agents.quantum.cost import GATE_SETS
from cosim_agents.quantum.engine import VQC

from cosim.errors import InputError

DOUBLE = torch.float64


def test_drawings_in_docstrings_are_what_circuits_draw() -> None:
    """Every circuit stands in its docstring as it draws itself."""
    results = doctest.testmod(circuits)
    assert results.attempted > len(circuit_names())
    assert results.failed == 0


@pytest.mark.parametrize(("qubits", "pairs"), [(1, 0), (2, 1), (3, 3), (6, 6)])
def test_rings(qubits: int, pairs: int) -> None:
    """A ring of two qubits is one gate, of one qubit none, of n >= 3 qubits n gates that close it."""
    found = ring_pairs(qubits)
    assert len(found) == pairs
    assert len({frozenset(pair) for pair in found}) == pairs
    if qubits > 2:
        assert found[-1] == (qubits - 1, 0)


@pytest.mark.parametrize("name", circuit_names())
def test_parameters_are_the_entries_of_the_weights(name: str) -> None:
    """One trained number a qubit and layer; with re-uploading three angles and the input's factor."""
    circuit = make_circuit(name, 4, 3)
    gates = 4 if name == "reuploading" else 1
    assert circuit.weight_shape == (3, 4, gates)
    assert circuit.parameters == 12 * gates == circuit.cost().parameters
    assert circuit.inputs == (16 if name == "amplitude" else 4)


def test_cost_of_s1_by_hand() -> None:
    """S1's actor of L layers: 2 CNOTs for each ZZ, 1 for each CZ; one-qubit gates: 6 H, 15 RZ, 6 L RY, 2 H a CZ."""
    for layers in (1, 4):
        cost = make_circuit("zz", 6, layers).cost()
        assert cost.two_qubit_gates == 2 * 15 + 6 * layers
        assert cost.one_qubit_gates == 6 + 15 + 6 * layers + 2 * 6 * layers
    assert make_circuit("angle", 4, 3).cost("cz").two_qubit_gates == 12
    assert make_circuit("angle", 4, 3).cost("cz").depth == 1 + 3 * (1 + 4)


@pytest.mark.parametrize("name", circuit_names())
def test_two_qubit_gates_of_every_circuit_by_hand(name: str) -> None:
    """L n of the rings; 2 for each ZZ; 2 (2^n - 2) for a state, which is not one gate; in both gate sets."""
    for qubits, layers in ((3, 2), (5, 1)):
        encoding = {"zz": qubits * (qubits - 1), "amplitude": 2 * (2**qubits - 2)}.get(name, 0)
        for gate_set in ("cnot", "cz"):
            cost = make_circuit(name, qubits, layers).cost(gate_set)
            assert cost.two_qubit_gates == layers * qubits + encoding
            assert cost.gate_set == gate_set


@pytest.mark.parametrize(
    ("name", "gates"), [("zz", 5), ("amplitude", 5), ("reuploading", 20), ("angle", 6), ("basis", 6)]
)
def test_gates_of_one_qubit_by_hand(name: str, gates: int) -> None:
    """Without a partner depth is the number of gates: five layers, and H; RX, RX, RY, RZ each; R_P; or X."""
    cost = make_circuit(name, 1, 5).cost()
    assert cost.two_qubit_gates == 0
    assert cost.depth == cost.one_qubit_gates
    assert cost.depth - gates == {"zz": 1, "amplitude": 2}.get(name, 0)


@pytest.mark.parametrize("gate_set", ["cnot", "cz"])
@pytest.mark.parametrize("name", circuit_names())
def test_decomposed_gates_do_what_the_circuit_does(name: str, gate_set: str) -> None:
    """Gates and depth are those of a decomposed circuit that PennyLane counts itself and that gives the same <Z>."""
    circuit = make_circuit(name, 3, 2)
    tape = qml.tape.make_qscript(circuit.apply)(*circuit.example())
    with qml.decomposition.toggle_graph_ctx(True):
        (flat,), _ = qml.transforms.decompose(tape, gate_set={*GATE_SETS[gate_set], "GlobalPhase"})

    @qml.qnode(qml.device("default.qubit", wires=3))
    def measured(operations: list[Any]) -> Any:
        for operation in operations:
            if operation.name != "GlobalPhase":
                qml.apply(operation)
        return [qml.expval(qml.Z(wire)) for wire in range(3)]

    counted = qml.specs(measured)(flat.operations)["resources"]
    cost = circuit.cost(gate_set)
    assert set(counted.gate_types) <= GATE_SETS[gate_set]
    assert counted.gate_types[gate_set.upper()] == cost.two_qubit_gates
    assert sum(counted.gate_types.values()) == cost.one_qubit_gates + cost.two_qubit_gates
    assert counted.depth == cost.depth
    assert torch.stack(measured(flat.operations)).sub(torch.stack(measured(tape.operations))).abs().max() < 1e-10


def test_one_layer_of_s1_is_a_trained_factor_times_a_fixed_product() -> None:
    """<Z_k> = -sin(w_k) prod_{j != k} cos(2 gamma x_j x_k) for one layer: the ring has no effect."""
    module = VQC(make_circuit("zz", 5, 1, gamma=0.7), dtype=DOUBLE)
    x = torch.rand((9, 5), dtype=DOUBLE, generator=torch.Generator().manual_seed(3))
    cosines = (1.4 * x[:, :, None] * x[:, None, :]).cos()
    cosines[:, torch.arange(5), torch.arange(5)] = 1.0
    expected = -module.weights[0, :, 0].sin() * cosines.prod(-1)
    torch.testing.assert_close(module(x), expected, atol=1e-12, rtol=0.0)


def test_s1_encoding_is_even() -> None:
    """zz(x) = zz(-x), but not where a single sign is turned."""
    module = VQC(make_circuit("zz", 4, 2), dtype=DOUBLE)
    x = torch.rand((5, 4), dtype=DOUBLE, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(module(x), module(-x), atol=1e-12, rtol=0.0)
    turned = x * torch.tensor([-1.0, 1.0, 1.0, 1.0])
    assert (module(x) - module(turned)).abs().max() > 0.01


def test_rotations_about_x_commute_through_cnot_rings() -> None:
    """amplitude: its layers are one function of commuting strings of X; a CZ ring makes them more than that."""
    hadamards = kronecker(torch.tensor([[[1.0, 1.0], [1.0, -1.0]]] * 3, dtype=torch.complex128)) / 8**0.5
    entries = {}
    for ring in ("cnot", "cz"):
        circuit = make_circuit("amplitude", 3, 3, ring=ring)
        layers = layers_matrix(circuit, VQC(circuit).weights.double().detach(), ring_action(circuit.ring, 3))
        seen_from_x = hadamards @ layers @ hadamards  # strings of X are diagonal here, CNOTs permute
        entries[ring] = int((seen_from_x.abs() > 1e-6).sum())
    assert entries["cnot"] == 8
    assert entries["cz"] > 8


def test_last_rz_of_reuploading_is_idle() -> None:
    """The last layer's RZ commutes with the ring and the measurement; that of the layer before does not."""
    module = VQC(make_circuit("reuploading", 3, 2), dtype=DOUBLE)
    x = torch.rand((4, 3), dtype=DOUBLE, generator=torch.Generator().manual_seed(5))
    module(x).square().sum().backward()
    gradient = module.weights.grad
    assert gradient is not None
    assert gradient[1, :, 3].abs().max() < 1e-12
    assert gradient[0, :, 3].abs().min() > 1e-6


@pytest.mark.parametrize(
    ("name", "qubits", "layers", "options", "told"),
    [
        ("zzz", 2, 1, {}, "did you mean zz"),
        ("zz", 0, 1, {}, "qubits=0"),
        ("zz", 13, 1, {}, "from 1 to 12"),
        ("zz", True, 1, {}, "qubits=true"),
        ("zz", 2, 0, {}, "layers=0"),
        ("zz", 2, 1.5, {}, "layers=1.5"),
        ("zz", 2, 1, {"axis": "x"}, "it takes gamma, ring"),
        ("zz", 2, 1, {"gamma": math.nan}, "finite"),
        ("zz", 2, 1, {"gamma": "big"}, "finite"),
        ("zz", 2, 1, {"gamma": -math.inf}, "finite"),
        ("zz", 2, 1, {"gamma": 10**400}, "finite"),
        ("zz", 2, 1, {"ring": "cy"}, "use cz or cnot"),
        ("angle", 2, 1, {"axis": "z"}, "use x or y"),
        ("amplitude", 2, 1, {"inputs": 5}, "from 1 to 4"),
        ("basis", 2, 1, {"threshold": None}, "finite"),
    ],
)
def test_impossible_circuits(name: str, qubits: Any, layers: Any, options: dict[str, Any], told: str) -> None:
    """A wrong name, option or value is refused with what is possible."""
    with pytest.raises(InputError, match=told):
        make_circuit(name, qubits, layers, **options)


def test_unknown_gate_set() -> None:
    """A gate set that is not known is refused by name."""
    with pytest.raises(InputError, match="use cnot or cz"):
        make_circuit("zz", 2, 1).cost("sx")
