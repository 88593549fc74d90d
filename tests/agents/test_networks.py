"""Networks by name: what they are made of, that a seed makes them, and what they cost."""

import json
from dataclasses import asdict
from itertools import pairwise

import pytest
import torch
from cosim_agents.networks import (
    METHODS,
    ORDERS,
    NetSpec,
    QuantumCost,
    QuantumNet,
    make_network,
    mlp_like,
    parameter_count,
    quantum_cost,
)
from cosim_agents.quantum.engine import VQC
from effort import drawn
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from training_step import stepper

from cosim.errors import InputError

SPECS = [
    NetSpec(hidden=(5,)),
    NetSpec(kind="quantum", qubits=4, layers=2),
    NetSpec(kind="quantum", circuit="reuploading", qubits=4, layers=2),
    *[NetSpec(kind="hybrid", order=order, qubits=4, hidden=(5,)) for order in ORDERS],
]

FROZEN = NetSpec(kind="hybrid", qubits=4, hidden=(5,), engine=(("frozen", True),))


def build(spec: NetSpec, inputs: int, outputs: int, seed: int = 1, **engine: object) -> nn.Module:
    return make_network(spec, inputs, outputs, torch.Generator().manual_seed(seed), **engine)


def mlp_size(*widths: int) -> int:
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(widths))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.kind}-{spec.circuit}-{spec.order}")
def test_rows_in_rows_out(spec: NetSpec) -> None:
    """Every kind maps (B, inputs) to (B, outputs) in float32, each row by itself, with a gradient for every weight."""
    network = build(spec, 4, 3)
    x = torch.rand(7, 4, generator=torch.Generator().manual_seed(2))
    out = network(x)
    assert out.shape == (7, 3)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out[2:3], network(x[2:3]), atol=2e-6, rtol=0)
    out.square().sum().backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.dtype == torch.float32


def test_parameters_by_hand() -> None:
    """Counts follow from the layers: S1's actor of 6 qubits and 5 values has 6 + 35 = 41."""
    assert parameter_count(build(NetSpec(kind="quantum"), 6, 5)) == 6 + mlp_size(6, 5) == 41
    hidden = {"qubits": 4, "layers": 2, "hidden": (5, 7)}
    counts = [parameter_count(build(NetSpec(kind="hybrid", order=order, **hidden), 4, 3)) for order in ORDERS]
    assert counts[0] == 8 + mlp_size(4, 5, 7, 3)
    assert counts[1] == 8 + mlp_size(4, 5, 7, 4) + mlp_size(4, 3)
    assert counts[2] == 8 + mlp_size(4, 5, 7) + mlp_size(4 + 7, 3)
    assert parameter_count(build(NetSpec(hidden=(5, 7)), 4, 3)) == mlp_size(4, 5, 7, 3)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.kind}-{spec.circuit}-{spec.order}")
def test_a_seed_makes_the_weights(spec: NetSpec) -> None:
    """The generator alone decides, bit for bit; PyTorch's global generator is neither asked nor moved."""
    torch.manual_seed(5)
    untouched = torch.get_rng_state()
    first = [parameter.clone() for parameter in build(spec, 4, 3).parameters()]
    assert torch.equal(torch.get_rng_state(), untouched)
    torch.manual_seed(6)
    again, other = (list(build(spec, 4, 3, seed).parameters()) for seed in (1, 2))
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert any(not torch.equal(one, two) for one, two in zip(first, other, strict=True))


def test_linear_layers_start_as_pytorchs() -> None:
    """Weights and biases fill +-1/sqrt(fan-in), as `torch.nn.Linear` draws them."""
    layer = build(NetSpec(hidden=(400,)), 16, 3)[0].requires_grad_(False)
    for parameter in (layer.weight, layer.bias):
        assert 0.24 < parameter.abs().max() <= 0.25
    assert float(layer.weight.std()) == pytest.approx(0.25 / 3**0.5, rel=0.03)


def test_orders_are_what_their_names_say() -> None:
    """quantum-classical reads <Z> only; classical-quantum encodes what its MLP gives; parallel adds both."""
    x = torch.rand(5, 4, generator=torch.Generator().manual_seed(3))
    nets = {order: build(NetSpec(kind="hybrid", order=order, qubits=4, hidden=(6,)), 4, 2) for order in ORDERS}
    assert all(isinstance(net, QuantumNet) for net in nets.values())
    first, second, third = (nets[order] for order in ORDERS)
    torch.testing.assert_close(first(x), first.head(first.circuit(x)))
    assert [type(layer) for layer in first.head] == [nn.Linear, nn.ReLU, nn.Linear]
    assert [type(layer) for layer in second.head] == [nn.Linear]
    torch.testing.assert_close(second(x), second.head(second.circuit(second.before(x))))
    weight, bias = third.head[0].parameters()
    both = third.circuit(x) @ weight[:, :4].T + third.beside(x) @ weight[:, 4:].T + bias
    torch.testing.assert_close(third(x), both)
    assert (third.beside(x) >= 0).all()


@pytest.mark.parametrize("order", [None, *ORDERS])
@pytest.mark.parametrize("circuit", ["zz", "reuploading"])
def test_frozen_is_the_same_network(circuit: str, order: str | None) -> None:
    """The same weights are drawn, the same values come out, and all layers but the circuit get the same gradient."""
    fields = {"kind": "hybrid", "order": order} if order else {"kind": "quantum"}
    free, frozen = (
        build(NetSpec(circuit=circuit, qubits=4, hidden=(5,), engine=engine, **fields), 4, 3)
        for engine in ((), (("frozen", True),))
    )
    assert free.state_dict().keys() == frozen.state_dict().keys()
    assert not frozen.circuit.weights.requires_grad
    assert not list(frozen.circuit.parameters()), "soft updates round: 5 % of numbers move towards an equal one"
    x = torch.rand(6, 4, generator=torch.Generator().manual_seed(3))
    for net in (free, frozen):
        net(x).square().sum().backward()
    torch.testing.assert_close(free(x), frozen(x))
    wanted = {name: one.grad for name, one in free.named_parameters() if name != "circuit.weights"}
    got = {name: one.grad for name, one in frozen.named_parameters()}
    assert wanted.keys() == got.keys()
    for name, gradient in wanted.items():
        torch.testing.assert_close(got[name], gradient, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("engine", [{}, {"shots": 10}, {"backend": "pennylane"}])
def test_zeros_in_the_place_of_a_circuit(engine: dict[str, object]) -> None:
    """What reads the circuit alone has the same output for all rows; in parallel order the classical half is left."""
    x = torch.rand(6, 4, generator=torch.Generator().manual_seed(3))
    given = (*engine.items(), ("zero", True))
    one = build(NetSpec(kind="quantum", qubits=4, engine=given), 4, 3)
    assert torch.equal(one(x), one.head[0].bias.expand(6, 3))
    one(x).sum().backward()
    assert torch.equal(one.head[0].bias.grad, torch.full((3,), 6.0))
    assert not one.head[0].weight.grad.any()
    deep, squashed, both = (
        build(NetSpec(kind="hybrid", order=order, qubits=4, hidden=(5,), engine=given), 4, 3) for order in ORDERS
    )
    for net in (deep, squashed):
        assert torch.equal(net(x), net(x[:1]).expand(6, 3))
    weight, bias = both.head[0].parameters()
    torch.testing.assert_close(both(x), both.beside(x) @ weight[:, 4:].T + bias)
    both(x).square().sum().backward()
    assert all(parameter.grad.any() for parameter in both.beside.parameters())


def test_zeros_are_frozen_already() -> None:
    """Both at once is one line."""
    with pytest.raises(InputError, match="frozen and zero"):
        build(NetSpec(kind="quantum", qubits=4, engine=(("frozen", True), ("zero", True))), 4, 3)


@pytest.mark.parametrize(
    ("circuit", "low", "high"),
    [("zz", 0.0, 1.0), ("angle", -torch.pi, torch.pi), ("reuploading", -torch.pi, torch.pi), ("amplitude", -1.0, 1.0)],
)
def test_squashed_to_the_encodings_range(circuit: str, low: float, high: float) -> None:
    """What stands before a circuit fills its encoding's range and never leaves it."""
    net = build(NetSpec(kind="hybrid", order="classical-quantum", circuit=circuit, qubits=3, hidden=()), 9, 2)
    read = net.before(300.0 * torch.randn(400, 9, generator=torch.Generator().manual_seed(4))).detach()
    assert read.shape == (400, 8 if circuit == "amplitude" else 3)
    assert float(read.min()) == pytest.approx(low, abs=1e-3)
    assert float(read.max()) == pytest.approx(high, abs=1e-3)


@pytest.mark.parametrize(
    ("fields", "inputs", "told"),
    [
        ({"kind": "quantum", "qubits": 6}, 7, "inputs=7: circuit zz of 6 qubits reads 6"),
        ({"kind": "hybrid", "order": "parallel"}, 5, "inputs=5"),
        ({"kind": "quantum", "circuit": "amplitude", "qubits": 2}, 5, "inputs=5"),
        ({"kind": "quantum", "circuit": "zzz"}, 6, "did you mean zz"),
        ({"kind": "quant"}, 6, "kind='quant'"),
        ({"kind": "hybrid", "order": "both"}, 6, "order='both'"),
        ({"hidden": (3, 0)}, 6, "hidden="),
        ({"kind": "hybrid", "order": "parallel", "hidden": ()}, 6, "hidden="),
        ({"kind": "hybrid", "order": "classical-quantum", "circuit": "basis"}, 6, "circuit=basis"),
    ],
)
def test_refused(fields: dict[str, object], inputs: int, told: str) -> None:
    """What cannot be built ends in one line that names the field; no input is silently projected or cut."""
    with pytest.raises(InputError, match=told) as caught:
        build(NetSpec(**fields), inputs, 2)
    assert "\n" not in str(caught.value)


def test_amplitude_encoding_pads() -> None:
    """Amplitude encoding takes fewer inputs than it has amplitudes: the rest are zeros."""
    spec = NetSpec(kind="quantum", circuit="amplitude", qubits=3, layers=2)
    x = torch.rand(4, 5, generator=torch.Generator().manual_seed(5))
    torch.testing.assert_close(build(spec, 5, 2)(x), build(spec, 8, 2)(nn.functional.pad(x, (0, 3))))


def test_a_spec_goes_through_json() -> None:
    """A spec written as JSON and read again is equal, and equal specs hash alike."""
    spec = NetSpec(kind="hybrid", circuit="amplitude", hidden=(8,), circuit_options=(("ring", "cz"),))
    again = NetSpec(**json.loads(json.dumps(asdict(spec))))
    assert again == spec
    assert hash(again) == hash(spec)
    assert build(spec, 6, 2).circuit.circuit.ring == "cz"


@given(st.integers(1, 4000), st.integers(1, 40), st.integers(1, 12))
@drawn(200)
def test_no_mlp_is_nearer(parameters: int, inputs: int, outputs: int) -> None:
    """No MLP of one hidden layer, or of two equal ones, has a count nearer than `mlp_like`'s."""
    hidden = mlp_like(parameters, inputs, outputs).hidden
    found = abs(mlp_size(inputs, *hidden, outputs) - parameters)
    widths = range(1, 80)
    best = min(abs(mlp_size(inputs, *[w] * depth, outputs) - parameters) for w in widths for depth in (1, 2))
    assert found <= best


def test_the_small_ddpg_of_s1() -> None:
    """An MLP with one hidden layer of 3 has exactly the 41 parameters of S1's quantum actor."""
    spec = mlp_like(41, 6, 5)
    assert spec.hidden == (3,)
    assert parameter_count(build(spec, 6, 5)) == 41


def test_quantum_cost_of_the_s1_actor() -> None:
    """6 RY: 13 circuits a row by parameter-shift, 18 by rotosolve; 4 layers give the known 1 + 2 * 24 = 49."""
    spec = NetSpec(kind="quantum", engine=(("shots", 1000),))
    cost = {method: quantum_cost(spec, 6, 5, 4, method) for method in METHODS}
    assert [cost[method].update_circuits for method in METHODS] == [4, 4 * 13, 4 * 18]
    assert {one.decision_circuits for one in cost.values()} == {1}
    backprop = cost["backprop"]
    assert backprop.circuit is not None
    assert (backprop.circuit.qubits, backprop.circuit_parameters, backprop.classical_parameters) == (6, 6, 35)
    assert backprop.circuit.two_qubit_gates > 0
    assert backprop.shots == 1000
    assert quantum_cost(NetSpec(kind="quantum", layers=4), 6, 5, 1, "parameter-shift").update_circuits == 49
    mlp = quantum_cost(NetSpec(hidden=(3,)), 6, 5, 4)
    assert (mlp.circuit, mlp.classical_parameters, mlp.decision_circuits, mlp.update_circuits) == (None, 41, 0, 0)


def test_quantum_cost_of_controls() -> None:
    """A frozen circuit is run once a row by every method and has no trained weights; of zeros nothing is run."""
    frozen, zero = (NetSpec(kind="quantum", engine=((control, True),)) for control in ("frozen", "zero"))
    for method in METHODS:
        cost = quantum_cost(frozen, 6, 5, 4, method)
        assert cost.circuit == quantum_cost(NetSpec(kind="quantum"), 6, 5, 4).circuit
        assert (cost.circuit_parameters, cost.classical_parameters) == (0, 35)
        assert (cost.decision_circuits, cost.update_circuits) == (1, 4)
        assert quantum_cost(zero, 6, 5, 4, method) == QuantumCost(None, 0, 35, 0, 0, None)
    assert [parameter_count(build(spec, 6, 5)) for spec in (frozen, zero)] == [35, 35]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spec", [*SPECS[1:4], FROZEN], ids=lambda spec: f"{spec.circuit}-{spec.order}-{spec.engine}")
def test_cost_counts_what_an_update_runs(spec: NetSpec, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`update_circuits` is the number of rows that circuits really evaluate in one step of that method."""
    if method == "rotosolve" and spec.circuit == "reuploading":
        return
    rows = []
    forward = VQC.forward
    monkeypatch.setattr(VQC, "forward", lambda self, x: (rows.append(len(x)), forward(self, x))[1])
    network = build(spec, 4, 2)
    x = torch.rand(3, 4, generator=torch.Generator().manual_seed(6))
    stepper(method, network)(lambda: network(x).sum())
    assert sum(rows) == quantum_cost(spec, 4, 2, 3, method).update_circuits


@pytest.mark.parametrize(
    ("spec", "method", "told"),
    [
        (SPECS[0], "parameter-shift", "kind=mlp has no circuit"),
        (NetSpec(kind="hybrid", order="classical-quantum", qubits=4), "parameter-shift", "order=classical-quantum"),
        (SPECS[1], "adam", "method='adam'"),
        (SPECS[2], "rotosolve", "circuit=reuploading"),
    ],
)
def test_no_cost_of_what_cannot_be(spec: NetSpec, method: str, told: str) -> None:
    """A method that cannot train a network has no cost but a line that says why."""
    with pytest.raises(InputError, match=told):
        quantum_cost(spec, 4, 2, 3, method)
