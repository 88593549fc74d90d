"""Parameter shift equals backprop, rotosolve finds the minimum of a linear loss, and both say what they cannot do."""

import math
from itertools import pairwise

import pytest
import torch
from cosim_agents.networks import METHODS, ORDERS, NetSpec, make_network
from cosim_agents.quantum.circuits import make_circuit
from cosim_agents.quantum.engine import VQC
from cosim_agents.quantum.training import parameter_shift, rotosolve
from torch import Tensor, nn
from training_step import stepper

from cosim.errors import InputError

CIRCUITS = ["zz", "amplitude", "reuploading", "angle", "basis"]


def build(dtype: torch.dtype = torch.float64, seed: int = 1, **fields: object) -> nn.Module:
    fields = {"kind": "quantum", "qubits": 3, "layers": 2, "hidden": (4,), **fields}
    return make_network(NetSpec(**fields), 3, 2, torch.Generator().manual_seed(seed), dtype=dtype)  # type: ignore[arg-type]


def rows(dtype: torch.dtype = torch.float64, count: int = 5) -> Tensor:
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(9), dtype=dtype)


def curved(network: nn.Module, x: Tensor) -> Tensor:
    """A loss that is far from linear in the expectations and differs from row to row."""
    out = network(x).tanh()
    return ((out - x[:, :2]) ** 2).mean() + out.prod(1).sum()


def gradients(network: nn.Module, x: Tensor, *, shifted: bool) -> list[Tensor]:
    network.zero_grad()
    if shifted:
        with parameter_shift(network):
            curved(network, x).backward()
    else:
        curved(network, x).backward()
    return [parameter.grad.clone() for parameter in network.parameters()]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-6)])
@pytest.mark.parametrize("circuit", CIRCUITS)
def test_shift_equals_backprop(circuit: str, dtype: torch.dtype, tolerance: float) -> None:
    """Every circuit's weights, input factors too, and the head's get backprop's gradient: 1e-10 double, 1e-6 single."""
    network, x = build(dtype, circuit=circuit), rows(dtype)
    exact, shifted = (gradients(network, x, shifted=way) for way in (False, True))
    assert exact[0].abs().max() > 1e-2
    for one, two in zip(exact, shifted, strict=True):
        assert (one - two).abs().max() < tolerance


@pytest.mark.parametrize("order", [ORDERS[0], ORDERS[2]])
def test_shift_in_hybrids(order: str) -> None:
    """Classical layers behind and beside a circuit get backprop's gradient at the same time."""
    network, x = build(kind="hybrid", order=order), rows()
    for one, two in zip(*(gradients(network, x, shifted=way) for way in (False, True)), strict=True):
        assert (one - two).abs().max() < 1e-10


def test_shift_by_hand() -> None:
    """<Z> = cos(x + w) of RY(x) RY(w) on |0>: the gradient of w is -sin(x + w), summed over rows."""
    circuit = VQC(make_circuit("angle", 1, 1), dtype=torch.float64)
    x = torch.tensor([[0.2], [1.1]], dtype=torch.float64)
    with torch.no_grad():
        circuit.weights.fill_(0.7)
    with parameter_shift(circuit):
        circuit(x).sum().backward()
    assert circuit.weights.grad.item() == pytest.approx(-math.sin(0.9) - math.sin(1.8), abs=1e-14)


def test_shift_asks_the_circuit_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule needs expectations only: it is exact where the simulator's own derivative is taken away."""
    network, x = build(), rows()
    exact = gradients(network, x, shifted=False)
    forward = VQC.forward
    monkeypatch.setattr(VQC, "forward", lambda self, x: forward(self, x).detach())
    shifted = gradients(network, x, shifted=True)
    assert (exact[0] - shifted[0]).abs().max() < 1e-10


@pytest.mark.parametrize("circuit", ["zz", "amplitude"])
def test_both_rules_hold_with_noise(circuit: str) -> None:
    """Noise and misreading only shrink the waves: shifts give their gradient, rotosolve their least value."""
    noise = {"depolarizing": 0.1, "readout": 0.05, "dtype": torch.float64}
    network = make_network(
        NetSpec(kind="quantum", circuit=circuit, qubits=3, layers=2), 3, 2, torch.Generator().manual_seed(1), **noise
    )
    x = rows()
    exact, shifted = (gradients(network, x, shifted=way) for way in (False, True))
    assert exact[0].abs().max() > 1e-3
    for one, two in zip(exact, shifted, strict=True):
        assert (one - two).abs().max() < 1e-10
    told = [rotosolve(lambda: network(x).sum(), network) for _ in range(3)]
    assert told[2] <= told[1] < told[0]


def test_shift_twice_in_one_loss() -> None:
    """A network that runs twice in one loss gets both parts of the gradient."""
    network, x = build(), rows()

    def twice() -> Tensor:
        return (network(x) * network(0.5 * x)).sum()

    twice().backward()
    exact = network.circuit.weights.grad.clone()
    network.zero_grad()
    with parameter_shift(network):
        twice().backward()
    assert (network.circuit.weights.grad - exact).abs().max() < 1e-10


def test_shift_leaves_the_network_as_it_was() -> None:
    """Weights are the same bits afterwards; hooks are gone, after an error as well."""
    network, x = build(), rows()
    before = network.circuit.weights.detach().clone()
    gradients(network, x, shifted=True)
    assert torch.equal(network.circuit.weights, before)
    with pytest.raises(ZeroDivisionError), parameter_shift(network):
        raise ZeroDivisionError
    assert not network.circuit._forward_hooks


@pytest.mark.parametrize("shots", [None, 20_000])
def test_shift_on_pennylane(shots: int | None) -> None:
    """On PennyLane the gradient is the engine's, exactly, or with shots within five standard errors."""
    spec = NetSpec(kind="quantum", qubits=2, layers=1)
    x = rows()[:2, :2]
    engine = {"backend": "pennylane", "shots": shots, "dtype": torch.float64}
    ours, theirs = (
        make_network(spec, 2, 1, torch.Generator().manual_seed(1), **options)
        for options in ({"dtype": torch.float64}, engine)
    )
    ours(x).sum().backward()
    with parameter_shift(theirs):
        theirs(x).sum().backward()
    difference = (ours.circuit.weights.grad - theirs.circuit.weights.grad).abs().max()
    head = ours.head[0].weight.detach().abs().sum()
    assert difference < (1e-10 if shots is None else 5 * float(head) * math.sqrt(len(x) / (2 * shots)))


def test_methods_train_alike() -> None:
    """Five Adam steps by backprop and by parameter shift end at the same weights, and lower the loss."""
    networks = [build(circuit="reuploading") for _ in range(2)]
    x = rows()
    told = []
    for method, network in zip(("backprop", "parameter-shift"), networks, strict=True):
        step = stepper(method, network)
        told.append([step(lambda network=network: curved(network, x)) for _ in range(5)])
    assert told[0] == pytest.approx(told[1], abs=1e-10)
    assert told[0][-1] < told[0][0]
    for one, two in zip(networks[0].parameters(), networks[1].parameters(), strict=True):
        assert (one - two).abs().max() < 1e-8


def test_rotosolve_leaves_the_critic_alone() -> None:
    """A sweep moves the actor's angles only: a critic in the loss gets neither update nor gradient."""
    actor, critic = build(), nn.Linear(2, 1, dtype=torch.float64)
    before = [parameter.detach().clone() for parameter in critic.parameters()]
    rotosolve(lambda: -critic(actor(rows())).mean(), actor)
    for parameter, old in zip(critic.parameters(), before, strict=True):
        assert parameter.grad is None
        assert torch.equal(parameter, old)


def test_rotosolve_finds_the_minimum_in_one_sweep() -> None:
    """Sum of <Z_k> = cos(x_k + w_k), minimum -3: one sweep, from any start, at w_k = pi - x_k."""
    circuit = VQC(make_circuit("angle", 3, 1), dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    x = torch.tensor([[0.3, -1.2, 2.0]], dtype=torch.float64)
    start = circuit(x).sum().item()
    assert rotosolve(lambda: circuit(x).sum(), circuit) == pytest.approx(start, abs=1e-14)
    assert circuit(x).sum().item() == pytest.approx(-3.0, abs=1e-12)
    assert circuit.weights.abs().max() <= math.pi
    rotosolve(lambda: -circuit(x).sum(), circuit)
    assert circuit(x).sum().item() == pytest.approx(3.0, abs=1e-12)


@pytest.mark.parametrize("circuit", ["zz", "amplitude", "angle", "basis"])
def test_rotosolve_on_a_linear_loss(circuit: str) -> None:
    """With a linear loss no sweep goes uphill, and each new angle is the best of a fine grid while the others stand."""
    network, x = build(circuit=circuit), rows()
    factors = torch.randn(5, 2, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    values = []

    def loss() -> Tensor:
        value = (network(x) * factors).sum()
        values.append(float(value))
        return value

    told = [rotosolve(loss, network) for _ in range(3)]
    weights = network.circuit.weights
    present = values[::3]  # before each angle is moved
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(present))
    assert told == pytest.approx(present[:: weights.numel()])
    assert told[1] < told[0]
    with torch.no_grad():
        reached = float(loss())
        flat = weights.data.view(-1)
        for angle in torch.linspace(-math.pi, math.pi, 200).tolist():
            flat[-1] = angle
            assert float(loss()) >= reached - 1e-12


def test_rotosolve_leaves_classical_weights() -> None:
    """A step of rotosolve moves angles, no classical weight; an angle without effect stays as it is."""
    network, x = build(), rows()
    head = [parameter.detach().clone() for parameter in network.head.parameters()]
    angles = network.circuit.weights.detach().clone()
    rotosolve(lambda: network(x).sum(), network)
    assert not torch.equal(network.circuit.weights, angles)
    assert all(torch.equal(one, two) for one, two in zip(network.head.parameters(), head, strict=True))
    with torch.no_grad():
        network.circuit.weights.add_(7.0)
    moved = network.circuit.weights.detach().clone()
    rotosolve(lambda: 0.0 * network(x).sum() + 3.0, network)
    assert torch.equal(network.circuit.weights, moved)


@pytest.mark.parametrize("method", METHODS)
def test_a_frozen_circuit_is_not_trained(method: str) -> None:
    """No method moves its angles, beside a free circuit either; a sweep of it alone still tells the loss."""
    frozen, free = build(engine=(("frozen", True),)), build(seed=2)
    networks, x = nn.ModuleList([frozen, free]), rows()
    before = frozen.circuit.weights.clone(), free.circuit.weights.detach().clone()
    stepper(method, networks)(lambda: curved(frozen, x) + curved(free, x))
    assert torch.equal(frozen.circuit.weights, before[0])
    assert not torch.equal(free.circuit.weights, before[1])
    assert rotosolve(lambda: curved(frozen, x), frozen) == float(curved(frozen, x).detach())
    assert torch.equal(frozen.circuit.weights, before[0])


def test_rotosolve_is_an_approximation_elsewhere() -> None:
    """With (<Z> - 0.3)^2, not linear, the closed form stops short of the minimum 0, as its docstring says."""
    circuit = VQC(make_circuit("angle", 1, 1), dtype=torch.float64)
    x = torch.tensor([[0.4]], dtype=torch.float64)
    rotosolve(lambda: (circuit(x) - 0.3).square().sum(), circuit)
    assert (circuit(x) - 0.3).square().item() > 1e-3


@pytest.mark.parametrize(
    ("method", "fields", "told"),
    [
        ("parameter-shift", {"kind": "mlp"}, "has no circuit"),
        ("rotosolve", {"kind": "mlp"}, "has no circuit"),
        ("rotosolve", {"circuit": "reuploading"}, "no single wave"),
        ("parameter-shift", {"circuit": "reuploading", "circuit_options": (("axis", "y"),)}, "axis=y"),
        ("parameter-shift", {"kind": "hybrid", "order": "classical-quantum"}, "order=classical-quantum"),
    ],
)
def test_refused(method: str, fields: dict[str, object], told: str) -> None:
    """A method that cannot train a network says so in one line."""
    network = build(**fields)
    with pytest.raises(InputError, match=told) as caught:
        stepper(method, network)(lambda: network(rows()).sum())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", ["backprop", "rotosolve"])
def test_layers_before_a_circuit(method: str) -> None:
    """classical-quantum trains by backprop, its first layer too; rotosolve turns its angles."""
    network = build(kind="hybrid", order="classical-quantum")
    before = [parameter.detach().clone() for parameter in network.parameters()]
    stepper(method, network)(lambda: network(rows()).sum())
    moved = [not torch.equal(one, two) for one, two in zip(network.parameters(), before, strict=True)]
    assert any(moved)
    assert all(moved) == (method == "backprop")
