"""Noise and shots of the torch engine against density matrices, binomials, and PennyLane's own."""

import copy
from typing import Any

import pytest
import torch
from circuit_modules import CIRCUITS, DOUBLE, ROUNDED_RZ, everything, inputs, largest_difference, pair, seeded
from cosim_agents.quantum.circuits import make_circuit
from cosim_agents.quantum.engine import VQC


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
