"""The torch engine against PennyLane, and what a module of a learner must do: copy, save, remember, forget."""

import copy
import io
from typing import Any

import pytest
import torch
from stable_baselines3.common.utils import polyak_update
from torch import Tensor

from agents.quantum import engine
from agents.quantum.circuits import Circuit, make_circuit
from agents.quantum.engine import VQC
from cosim.errors import InputError

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


@pytest.mark.parametrize(("name", "options"), CIRCUITS)
def test_engine_is_pennylane(name: str, options: dict[str, Any]) -> None:
    """Outputs and gradients to weights and inputs agree within 1e-10 in double and 1e-5 in single precision."""
    for qubits, layers in SHAPES:
        circuit = make_circuit(name, qubits, layers, **options)
        module, reference = pair(circuit)
        x = inputs(circuit)
        expected = everything(reference, x)
        assert largest_difference(everything(module, x), expected) < 1e-10
        single = VQC(circuit, generator=seeded())
        found = everything(single, x.float())
        assert {one.dtype for one in found} == {torch.float32}
        assert largest_difference(found, expected) < 1e-5
        with torch.no_grad():
            assert largest_difference([module(x)], expected[:1]) < 1e-10


@pytest.mark.parametrize(("name", "options"), CIRCUITS)
@pytest.mark.parametrize(("qubits", "layers"), [(7, 2), (10, 1)])
def test_more_qubits_are_pennylane(name: str, options: dict[str, Any], qubits: int, layers: int) -> None:
    """So do they of more qubits, where layers act one by one; without a gradient they are composed up to eight."""
    circuit = make_circuit(name, qubits, layers, **options)
    for dtype, tolerance in ((DOUBLE, 1e-10), (torch.float32, 1e-5)):
        module, reference = pair(circuit, dtype)
        x = inputs(circuit, 2, dtype)
        expected = everything(reference, x)
        found = everything(module, x)
        assert {one.dtype for one in (*found, *expected)} == {dtype}
        assert largest_difference(found, expected) < tolerance
        with torch.no_grad():
            assert largest_difference([module(x), reference(x)], [expected[0]] * 2) < tolerance
        assert (module._kept is not None) == (qubits == 7 and name != "reuploading")


@pytest.mark.parametrize(("name", "options"), CIRCUITS)
def test_layer_by_layer_is_the_composed_matrix(
    name: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above `COMPOSED_QUBITS` gradients, above `KEPT_QUBITS` all, go layer by layer, with the same results."""
    circuit = make_circuit(name, 4, 3, **options)
    module, x = VQC(circuit, dtype=DOUBLE), inputs(circuit)
    composed = everything(module, x)
    monkeypatch.setattr(engine, "COMPOSED_QUBITS", 0)
    monkeypatch.setattr(engine, "KEPT_QUBITS", 0)
    assert largest_difference(everything(module, x), composed) < 1e-12
    with torch.no_grad():
        assert largest_difference([module(x)], composed[:1]) < 1e-12
    assert module._kept is None


def test_fewer_inputs_than_amplitudes() -> None:
    """Missing amplitudes are zero; an input's length is of no matter, neither is a row of zeros a fault."""
    circuit = make_circuit("amplitude", 3, 2, inputs=5)
    module, reference = pair(circuit)
    x = inputs(circuit)
    assert largest_difference(everything(module, x), everything(reference, x)) < 1e-10
    torch.testing.assert_close(module(x * 1e200), module(x))
    zeros = everything(module, torch.zeros((2, 5), dtype=DOUBLE))
    first = torch.eye(5, dtype=DOUBLE)[:1]
    torch.testing.assert_close(zeros[0], module(first).detach().expand(2, 3))
    assert all(found.isfinite().all() for found in zeros)


@pytest.mark.parametrize(("name", "options"), [c for c in CIRCUITS if c[0] != "reuploading"])
def test_noise_is_default_mixed(name: str, options: dict[str, Any]) -> None:
    """Depolarised and misread expectation values and their gradients agree with density matrices: 1e-10 and 1e-5."""
    for qubits, layers in ((1, 2), (2, 1), (3, 2)):
        circuit = make_circuit(name, qubits, layers, **options)
        x = inputs(circuit)
        module, reference = pair(circuit, depolarizing=0.07, readout=0.03)
        expected = everything(reference, x)
        assert largest_difference(everything(module, x), expected) < 1e-10
        with torch.no_grad():
            assert largest_difference([module(x)], expected[:1]) < 1e-10
        single = VQC(circuit, depolarizing=0.07, readout=0.03, generator=seeded())
        assert largest_difference(everything(single, x.float()), expected) < 1e-5
        clean = VQC(circuit, dtype=DOUBLE, generator=seeded())
        assert largest_difference([clean(x)], expected[:1]) > 1e-4


def test_misreading_shrinks() -> None:
    """Misread bits shrink every expectation value by 1 - 2 r, whatever the circuit."""
    circuit = make_circuit("reuploading", 3, 2)
    module, reference = pair(circuit, readout=0.1)
    x = inputs(circuit)
    assert largest_difference(everything(module, x), everything(reference, x)) < ROUNDED_RZ
    exact = VQC(circuit, dtype=DOUBLE, generator=seeded())
    with torch.no_grad():
        for misread in (module, reference):
            torch.testing.assert_close(misread(x), 0.8 * exact(x), atol=1e-10, rtol=0.0)


def test_noise_within_an_encoding_is_a_density_matrix() -> None:
    """PennyLane depolarises between re-uploads: of RX(w x) RX RY RZ and p, twice on one qubit, <Z> as by hand."""
    circuit = make_circuit("reuploading", 1, 2)
    noisy = VQC(circuit, backend="pennylane", device="default.mixed", depolarizing=0.3, dtype=DOUBLE)
    clean = VQC(circuit, dtype=DOUBLE)
    x = inputs(circuit)
    with torch.no_grad():
        # on one qubit the channel shrinks Bloch's vector by 1 - 4 p / 3 and commutes with rotations
        torch.testing.assert_close(noisy(x), (1.0 - 4.0 * 0.3 / 3.0) ** 2 * clean(x), atol=1e-10, rtol=0.0)


@pytest.mark.parametrize(("name", "ring"), [("zz", "cz"), ("amplitude", "cnot"), ("reuploading", "cnot")])
def test_shots_scatter_as_binomials(name: str, ring: str) -> None:
    """Estimates from S shots, misread ones too, have the exact mean and variance (1 - <Z>^2) / S."""
    circuit, shots, rows = make_circuit(name, 3, 2, ring=ring), 50, 4000
    x = inputs(circuit, 1).expand(rows, -1)
    module = VQC(circuit, shots=shots, readout=0.05, dtype=DOUBLE, generator=seeded())
    exact = VQC(circuit, readout=0.05, dtype=DOUBLE, generator=seeded())(x[:1]).detach()[0]
    found = module(x).detach()
    variance = (1.0 - exact.square()) / shots
    assert ((found.mean(0) - exact).abs() < 5.0 * (variance / rows).sqrt()).all()
    assert ((found.var(0) / variance - 1.0).abs() < 0.15).all()


def test_bits_of_one_shot_belong_together() -> None:
    """After RY(pi/2) and a CNOT of two qubits both bits are equal in every shot, as in a Bell pair."""
    module = VQC(make_circuit("angle", 2, 1, ring="cnot"), shots=1, dtype=DOUBLE, generator=seeded())
    with torch.no_grad():
        module.weights.zero_()
    found = module(torch.tensor([[torch.pi / 2, 0.0]], dtype=DOUBLE).expand(200, -1))
    assert torch.equal(found[:, 0], found[:, 1])
    assert 50 < int((found[:, 0] > 0).sum()) < 150


def test_pennylane_draws_shots_and_shifts_parameters() -> None:
    """On PennyLane shots give estimates and parameter-shift gradients near the exact ones, for inputs too."""
    circuit = make_circuit("zz", 2, 1)
    sampled = VQC(circuit, backend="pennylane", shots=4000, dtype=DOUBLE, generator=seeded())
    exact, x = VQC(circuit, dtype=DOUBLE, generator=seeded()), inputs(circuit, 2)
    difference = largest_difference(everything(sampled, x), everything(exact, x))
    assert 0.0 < difference < 0.25
    with torch.no_grad():
        assert largest_difference([sampled(x)], [exact(x)]) < 0.1
    mixed = VQC(
        circuit, backend="pennylane", device="default.mixed", shots=4000, depolarizing=0.1, dtype=DOUBLE,
        generator=seeded(),
    )  # fmt: skip
    noisy = VQC(circuit, depolarizing=0.1, dtype=DOUBLE, generator=seeded())
    with torch.no_grad():
        assert 0.0 < largest_difference([mixed(x)], [noisy(x)]) < 0.1


@pytest.mark.parametrize("noise", [{}, {"depolarizing": 0.05, "readout": 0.1}])
def test_pennylane_scatters_as_binomials(noise: dict[str, float]) -> None:
    """Shots on a PennyLane device, noise too, have the mean and the variance (1 - <Z>^2) / S of the torch engine."""
    circuit, shots, rows = make_circuit("zz", 2, 1), 50, 400
    device = "default.mixed" if noise else "default.qubit"
    drawn = VQC(circuit, backend="pennylane", device=device, shots=shots, dtype=DOUBLE, generator=seeded(), **noise)
    x = inputs(circuit, 1)
    with torch.no_grad():
        exact = VQC(circuit, dtype=DOUBLE, generator=seeded(), **noise)(x)[0]
        found = drawn(x.expand(rows, -1))
    variance = (1.0 - exact.square()) / shots
    assert ((found.mean(0) - exact).abs() < 5.0 * (variance / rows).sqrt()).all()
    assert ((found.var(0) / variance - 1.0).abs() < 5.0 * (2.0 / rows) ** 0.5).all()


def test_another_device_differentiates_by_the_adjoint_method() -> None:
    """lightning.qubit gives the same outputs and gradients within single precision."""
    pytest.importorskip("pennylane_lightning")
    circuit = make_circuit("zz", 3, 2)
    x = inputs(circuit)
    module = VQC(circuit, backend="pennylane", device="lightning.qubit", dtype=DOUBLE, generator=seeded())
    expected = everything(VQC(circuit, dtype=DOUBLE, generator=seeded()), x)
    assert largest_difference(everything(module, x), expected) < 1e-6


def test_gradient_with_shots_is_exact() -> None:
    """On torch the gradient is that of the exact values, though the outputs are drawn."""
    circuit = make_circuit("angle", 3, 2)
    drawn, exact = (VQC(circuit, shots=shots, dtype=DOUBLE, generator=seeded()) for shots in (10, None))
    x = inputs(circuit)
    assert largest_difference(everything(drawn, x)[1:], everything(exact, x)[1:]) < 1e-12
    assert largest_difference(everything(drawn, x)[:1], everything(exact, x)[:1]) > 1e-3


def test_shots_go_on_where_they_were_saved() -> None:
    """Each call draws anew; a loaded or copied module draws on as the saved one would have."""
    circuit = make_circuit("zz", 3, 1)
    module = VQC(circuit, shots=20, generator=seeded())
    x = inputs(circuit, dtype=torch.float32)
    first = module(x)
    other = VQC(circuit, shots=20, generator=seeded(9))
    other.load_state_dict(module.state_dict())
    copied = copy.deepcopy(module)
    second = module(x)
    assert not torch.equal(first, second)
    assert torch.equal(other(x), second)
    assert torch.equal(copied(x), second)


def by_optimizer(module: VQC) -> None:
    """A step of Adam."""
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    module(torch.ones((1, module.circuit.inputs))).sum().backward()
    optimizer.step()


def by_loading(module: VQC) -> None:
    """Weights of another module."""
    module.load_state_dict(VQC(module.circuit, generator=seeded(8)).state_dict())


def by_copying(module: VQC) -> None:
    """In place."""
    with torch.no_grad():
        module.weights.copy_(torch.zeros_like(module.weights))


def by_data(module: VQC) -> None:
    """In place, past the version counter."""
    module.weights.data.add_(0.5)


def by_soft_update(module: VQC) -> None:
    """As Stable-Baselines3 moves a target network."""
    polyak_update(VQC(module.circuit, generator=seeded(8)).parameters(), module.parameters(), 0.3)


def by_replacing(module: VQC) -> None:
    """Another parameter."""
    module.weights = torch.nn.Parameter(torch.zeros_like(module.weights))


def by_widening(module: VQC) -> None:
    """To double precision."""
    module.double()


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize(
    "change", [by_optimizer, by_loading, by_copying, by_data, by_soft_update, by_replacing, by_widening]
)
def test_kept_matrix_goes_when_weights_change(change: Any, noise: float) -> None:
    """What is remembered during roll-outs never outlives the weights it was made of."""
    module = VQC(make_circuit("zz", 3, 2), depolarizing=noise, generator=seeded())
    x = inputs(module.circuit, dtype=torch.float32)
    with torch.no_grad():
        before = module(x)
        kept = module._kept
        module(x)
        assert module._kept is kept
    change(module)
    with torch.no_grad():
        after = module(x)
    assert module._kept is not kept
    torch.testing.assert_close(after, module(x).detach())
    if change is not by_widening:
        assert (after - before).abs().max() > 1e-3


def test_training_remembers_nothing() -> None:
    """Under a gradient the matrix belongs to the graph of one call."""
    module = VQC(make_circuit("zz", 3, 2))
    module(inputs(module.circuit)).sum().backward()
    assert module._kept is None


def test_inference_mode_leaves_nothing_behind_that_breaks_training() -> None:
    """A matrix kept in inference mode serves later gradients to the inputs of frozen weights."""
    module = VQC(make_circuit("angle", 3, 2), dtype=DOUBLE)
    x = inputs(module.circuit)
    with torch.inference_mode():
        module(x)
    module.weights.requires_grad_(False)
    x.requires_grad_()
    module(x).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().max() > 0.0


@pytest.mark.parametrize("backend", ["torch", "pennylane"])
def test_copies_are_independent(backend: Any) -> None:
    """Copying and saving give the same outputs; then the copy goes its own way. Its state is the weights alone."""
    module = VQC(make_circuit("zz", 3, 1), backend=backend, generator=seeded())
    x = inputs(module.circuit, dtype=torch.float32)
    with torch.no_grad():
        expected = module(x)
        twin = copy.deepcopy(module)
        assert torch.equal(twin(x), expected)
        twin.weights.add_(1.0)
        assert not torch.allclose(twin(x), expected)
        assert torch.equal(module(x), expected)
    assert list(module.state_dict()) == ["weights"]
    saved = io.BytesIO()
    torch.save(module.state_dict(), saved)
    saved.seek(0)
    other = VQC(module.circuit, generator=seeded(7))
    other.load_state_dict(torch.load(saved, weights_only=True))
    torch.testing.assert_close(other(x).detach(), expected, atol=1e-6, rtol=0.0)


def test_weights_come_from_the_generator() -> None:
    """Equal seeds give equal weights in both precisions; the global generator is not touched; factors begin at 1."""
    circuit = make_circuit("reuploading", 3, 2)
    before = torch.random.get_rng_state()
    first, second = (VQC(circuit, dtype=dtype, generator=seeded()).weights for dtype in (torch.float32, DOUBLE))
    assert torch.equal(first, second.float())
    assert not torch.equal(first, VQC(circuit, generator=seeded(2)).weights)
    assert torch.equal(first[..., 0], torch.ones((2, 3)))
    assert torch.equal(VQC(circuit).weights, VQC(circuit).weights)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("backend", ["torch", "pennylane"])
@pytest.mark.parametrize("shots", [None, 5])
def test_a_batch_without_rows(backend: Any, shots: int | None) -> None:
    """No rows give no expectations, and a gradient of zero."""
    module = VQC(make_circuit("zz", 3, 1), backend=backend, shots=shots)
    found = module(torch.zeros((0, 3)))
    assert found.shape == (0, 3)
    found.sum().backward()
    assert module.weights.grad is not None
    assert module.weights.grad.abs().max() == 0.0
    with torch.no_grad():
        assert module(torch.zeros((0, 3))).shape == (0, 3)


def test_a_batch_is_its_rows() -> None:
    """Any number of rows, beyond what is simulated at once, in any layout of memory."""
    module = VQC(make_circuit("zz", 6, 1), dtype=DOUBLE)
    x = torch.rand((6, 2 * (engine.AMPLITUDES >> 6) + 5), generator=seeded(), dtype=DOUBLE).mT
    with torch.no_grad():
        found = module(x)
        assert found.shape == (len(x), 6)
        for part in (slice(7), slice((engine.AMPLITUDES >> 6) - 3, (engine.AMPLITUDES >> 6) + 3), slice(-7, None)):
            torch.testing.assert_close(found[part], module(x[part]), atol=1e-12, rtol=0.0)


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("zz", {"backend": "qiskit"}, "use torch or pennylane"),
        ("zz", {"dtype": torch.float16}, "float32 or torch.float64"),
        ("zz", {"shots": 0}, "whole number from 1"),
        ("zz", {"shots": 2.5}, "whole number from 1"),
        ("zz", {"depolarizing": 1.5}, "from 0 to 1"),
        ("zz", {"depolarizing": "much"}, "from 0 to 1"),
        ("zz", {"readout": 0.6}, "from 0 to 0.5"),
        ("zz", {"depolarizing": 0.1, "shots": 5}, 'device="default.mixed"'),
        ("reuploading", {"depolarizing": 0.1}, 'device="default.mixed"'),
        ("zz", {"backend": "pennylane", "readout": 0.1}, 'device="default.mixed"'),
        ("zz", {"backend": "pennylane", "device": "no.such"}, "install the plug-in"),
        ("zz", {"device": "lightning.qubit"}, 'with backend="pennylane"'),
    ],
)
def test_what_cannot_be_computed_exactly_is_refused(name: str, arguments: dict[str, Any], told: str) -> None:
    """A combination that a backend has not is refused, with the backend that has it."""
    with pytest.raises(InputError, match=told):
        VQC(make_circuit(name, 2, 1), **arguments)


def test_inputs_of_the_wrong_width() -> None:
    """Rows of another length are refused."""
    with pytest.raises(InputError, match=r"give \(B, 3\)"):
        VQC(make_circuit("zz", 3, 1))(torch.zeros((2, 4)))
