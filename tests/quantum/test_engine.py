"""The torch engine against PennyLane, and what a module of a learner must do: copy, save, remember, forget."""

import copy
import io
from typing import Any

import pytest
import torch
from circuit_modules import CIRCUITS, DOUBLE, SHAPES, everything, inputs, largest_difference, pair, seeded
from cosim_agents.quantum import engine
from cosim_agents.quantum.circuits import make_circuit
from cosim_agents.quantum.engine import VQC
from effort import few
from stable_baselines3.common.utils import polyak_update

from cosim.errors import InputError


@pytest.mark.parametrize(("name", "options"), CIRCUITS)
def test_engine_is_pennylane(name: str, options: dict[str, Any]) -> None:
    """Outputs and gradients to weights and inputs agree within 1e-10 in double and 1e-5 in single precision."""
    for qubits, layers in few(SHAPES, 5):
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


@pytest.mark.parametrize(
    ("name", "options", "qubits", "layers"),
    [
        pytest.param(*circuit, *shape, marks=[] if (number + turn) % 2 else pytest.mark.long)
        for turn, shape in enumerate([(10, 1), (7, 2)])
        for number, circuit in enumerate(CIRCUITS)
    ],
)
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
