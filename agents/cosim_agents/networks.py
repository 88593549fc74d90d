"""Networks of learners by name, classical, quantum and hybrid in three orders, behind one signature; and their cost.

All map (B, inputs) to (B, outputs) in float32 and end in a linear layer, whose outputs are unbounded.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor, nn

from cosim.errors import InputError
from cosim_agents.quantum.circuits import Circuit, make_circuit
from cosim_agents.quantum.cost import CircuitCost
from cosim_agents.quantum.encodings import Amplitudes, Bits, Phases, Reuploading
from cosim_agents.quantum.engine import VQC

Option: TypeAlias = int | float | str | bool

KINDS: Final = ("mlp", "quantum", "hybrid")
ORDERS: Final = ("quantum-classical", "classical-quantum", "parallel")
METHODS: Final = ("backprop", "parameter-shift", "rotosolve")
"""Training methods, see `cosim_agents.quantum.training`."""


@dataclass(frozen=True, slots=True)
class NetSpec:
    """The specification of a network; fields that its kind does not use are ignored. Lists, as of JSON, become tuples.

    Raises:
        InputError: an unknown kind or order, or a hidden layer without neurons.
    """

    kind: str = "mlp"
    """mlp: linear layers with ReLU between. quantum: circuit and linear head. hybrid: both, in the order below."""
    hidden: tuple[int, ...] = (64, 64)
    """Neurons of each hidden layer of the classical part."""
    circuit: str = "zz"
    """Name of the circuit, see `cosim_agents.quantum.circuits.make_circuit`."""
    qubits: int = 6
    layers: int = 1
    """Trainable layers of the circuit."""
    order: str = "quantum-classical"
    """quantum-classical: the circuit reads the inputs, an MLP its expectations. classical-quantum: an MLP down to the
    circuit's inputs, squashed to the range of its encoding, then circuit and linear head. parallel: circuit and hidden
    layers read the same inputs, a linear head reads both."""
    circuit_options: tuple[tuple[str, Option], ...] = ()
    """Options of `make_circuit`, such as (("ring", "cz"),)."""
    engine: tuple[tuple[str, Option], ...] = ()
    """Arguments of `VQC`: backend, device, shots, depolarizing, readout, frozen, zero, such as (("shots", 1000),)."""

    def __post_init__(self) -> None:
        for field, known in (("kind", KINDS), ("order", ORDERS)):
            if getattr(self, field) not in known:
                raise InputError(f"network: {field}={getattr(self, field)!r}: is not known; use {', '.join(known)}")
        if not all(isinstance(width, int) and not isinstance(width, bool) and width > 0 for width in self.hidden):
            raise InputError(
                f"network: hidden={self.hidden!r}: needs positive whole numbers; give for example [64, 64]"
            )
        if self.kind == "hybrid" and self.order == "parallel" and not self.hidden:
            raise InputError("network: hidden=[]: order=parallel has nothing beside its circuit; give a hidden layer")
        object.__setattr__(self, "hidden", tuple(self.hidden))
        for field in ("circuit_options", "engine"):
            object.__setattr__(self, field, tuple((name, value) for name, value in getattr(self, field)))


class QuantumNet(nn.Module):
    """A network with a circuit, and layers before, beside and behind it: head(circuit(before(x)), beside(x))."""

    def __init__(self, before: nn.Module, circuit: VQC, beside: nn.Module | None, head: nn.Module) -> None:
        super().__init__()
        self.before = before
        self.circuit = circuit
        self.beside = beside
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs for rows, (B, inputs) to (B, outputs)."""
        read: Tensor = self.circuit(self.before(x))
        if self.beside is not None:
            read = torch.cat((read, self.beside(x)), dim=-1)
        out: Tensor = self.head(read)
        return out


class Squash(nn.Module):
    """Maps x to low + (high - low) sigmoid(x), which brings an unbounded layer into the range of an encoding."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low = low
        self.high = high

    def forward(self, x: Tensor) -> Tensor:
        """Return the mapped values, element by element."""
        return self.low + (self.high - self.low) * torch.sigmoid(x)


def make_network(spec: NetSpec, inputs: int, outputs: int, generator: torch.Generator, **engine: Any) -> nn.Module:
    """Return a network whose initial weights are drawn from `generator` alone, so that equal states give equal weights.

    Linear layers are uniform in +-1/sqrt(fan-in), weights and biases; circuits as `VQC` draws them. A circuit that
    reads the inputs itself must have as many: nothing is projected, cut or repeated here. Amplitude encoding takes any
    number up to 2^qubits and pads with zeros, which is part of that encoding.

    Args:
        spec: specification of the network.
        inputs: number of inputs, the columns of a row.
        outputs: number of outputs.
        generator: source of the weights, which is advanced.
        engine: arguments of `VQC`, which go before those of the spec, and dtype; an MLP takes dtype alone.

    Raises:
        InputError: the circuit does not read that many inputs, or layers stand before an encoding without a gradient.

    >>> network = make_network(NetSpec(kind="quantum", qubits=3), 3, 2, torch.Generator().manual_seed(0))
    >>> tuple(network(torch.zeros(5, 3)).shape), parameter_count(network)
    ((5, 2), 11)
    """
    dtype = engine.get("dtype", torch.float32)
    if spec.kind == "mlp":
        return _mlp((inputs, *spec.hidden, outputs), generator, dtype)
    circuit = _circuit(spec, inputs)
    order = spec.order if spec.kind == "hybrid" else None
    before: nn.Module = nn.Identity()
    beside: nn.Module | None = None
    widths: tuple[int, ...] = (circuit.qubits, outputs)
    if order == "quantum-classical":
        widths = (circuit.qubits, *spec.hidden, outputs)
    elif order == "classical-quantum":
        before = _mlp((inputs, *spec.hidden, circuit.inputs), generator, dtype).append(_squash(circuit))
    elif order == "parallel":
        beside = _mlp((inputs, *spec.hidden), generator, dtype).append(nn.ReLU())
        widths = (circuit.qubits + spec.hidden[-1], outputs)
    head = _mlp(widths, generator, dtype)
    vqc = VQC(
        circuit, generator=generator, **{**dict(spec.engine), **engine}
    )  # last, for it draws more where it has shots
    return QuantumNet(before, vqc, beside, head)


def parameter_count(module: nn.Module) -> int:
    """Return the number of trainable parameters, of circuits and layers alike."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def mlp_like(parameters: int, inputs: int, outputs: int) -> NetSpec:
    """Return the MLP of one hidden layer, or of two of equal width, whose number of parameters is nearest to a number.

    One layer of h neurons has h (inputs + 1 + outputs) + outputs parameters, two have h^2 + h more. Of two networks
    equally near, the one with one hidden layer is taken.

    Args:
        parameters: wanted number of parameters.
        inputs: number of inputs.
        outputs: number of outputs.

    >>> mlp_like(100, 6, 4).hidden
    (9,)
    """

    def size(widths: tuple[int, ...]) -> int:
        return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise((inputs, *widths, outputs)))

    one = max(1, round((parameters - outputs) / (inputs + 1 + outputs)))
    candidates: list[tuple[int, ...]] = [(one,)]
    two = 1
    while size((two, two)) < parameters:
        two += 1
    candidates += [(width, width) for width in (two - 1, two) if width]
    return NetSpec(kind="mlp", hidden=min(candidates, key=lambda widths: abs(size(widths) - parameters)))


@dataclass(frozen=True, slots=True)
class QuantumCost:
    """The cost of a network on a quantum computer, with a classical one beside it. Here all of it is simulated."""

    circuit: CircuitCost | None
    """Qubits, gates and depth after decomposition; None without a circuit, or with zeros in its place."""
    circuit_parameters: int
    """Trained weights of the circuit: none of one that is frozen."""
    classical_parameters: int
    decision_circuits: int
    """Circuits of different angles for the decision of one row; one circuit gives <Z> of all qubits."""
    update_circuits: int
    """Circuits for one update with a batch, loss included."""
    shots: int | None
    """Measurements of each circuit; None: exact expectations, which only a simulator has."""


def quantum_cost(spec: NetSpec, inputs: int, outputs: int, batch: int, method: str = METHODS[0]) -> QuantumCost:
    """Return the cost of a network: parameters, and circuits for each decision and update.

    With P trained rotations and a batch of B rows an update takes (1 + 2 P) B circuits by parameter-shift and 3 P B by
    a sweep of rotosolve. Backprop takes B: it goes through the simulator's state, which no device gives away. P leaves
    out the input factors of re-uploading, whose derivative comes with that of the rotation behind them. A frozen
    circuit has P = 0 and takes B by each method, for the layers around it. Left out: circuits that target networks and
    critics run in an update.

    Args:
        spec: specification of the network.
        inputs: number of inputs.
        outputs: number of outputs.
        batch: rows of an update.
        method: training method, one of METHODS.

    Raises:
        InputError: as `make_network`; an unknown method, or one that cannot train this network.
    """
    check_method(method, spec)
    network = make_network(spec, inputs, outputs, torch.Generator().manual_seed(0))
    if not isinstance(network, QuantumNet) or network.circuit.zero:
        return QuantumCost(None, 0, parameter_count(network), 0, 0, None)
    circuit, weights = network.circuit.circuit, parameter_count(network.circuit)
    rotations = weights
    if weights and isinstance(circuit.encoding, Reuploading):
        rotations -= circuit.layers * circuit.qubits
    each_row = {"backprop": 1, "parameter-shift": 1 + 2 * rotations, "rotosolve": max(1, 3 * rotations)}[method]
    classical = parameter_count(network) - weights
    return QuantumCost(circuit.cost(), weights, classical, 1, each_row * batch, network.circuit.shots)


def check_method(method: str, spec: NetSpec) -> None:
    """Check that a training method can train a network.

    Raises:
        InputError: it cannot, or it is not known.
    """
    if method not in METHODS:
        raise InputError(f"training method={method!r}: is not known; use {', '.join(METHODS)}")
    if method != "backprop" and spec.kind == "mlp":
        raise InputError(f"training method={method}: kind=mlp has no circuit; use backprop")
    if method == "parameter-shift" and not _reads_rows(spec):
        raise InputError(
            "training method=parameter-shift: order=classical-quantum: layers before the circuit need the gradient of "
            "its inputs, which the rule for weights does not give; use backprop"
        )
    if method == "rotosolve" and spec.circuit == "reuploading":
        raise InputError(
            "training method=rotosolve: circuit=reuploading: the loss of a batch is no single wave in an input factor; "
            "use backprop or parameter-shift"
        )


def _reads_rows(spec: NetSpec) -> bool:
    """Return whether the circuit reads the inputs themselves, not the outputs of layers before it."""
    return not (spec.kind == "hybrid" and spec.order == "classical-quantum")


def _circuit(spec: NetSpec, inputs: int) -> Circuit:
    options = dict(spec.circuit_options)
    if spec.circuit == "amplitude" and _reads_rows(spec):
        options.setdefault("inputs", inputs)
    circuit = make_circuit(spec.circuit, spec.qubits, spec.layers, **options)
    if _reads_rows(spec) and circuit.inputs != inputs:
        raise InputError(
            f"network: inputs={inputs}: circuit {circuit.name} of {circuit.qubits} qubits reads {circuit.inputs}; "
            f"give --option components={circuit.inputs}, other qubits, or --option order=classical-quantum"
        )
    return circuit


def _squash(circuit: Circuit) -> Squash:
    """Return the layer that maps to an encoding's range: [0, 1] for zz, even in its inputs; a turn for rotations."""
    if isinstance(circuit.encoding, Bits):
        raise InputError(
            f"network: circuit={circuit.name}: layers before it would get no gradient through its bits; "
            "use another circuit or order=quantum-classical"
        )
    if isinstance(circuit.encoding, Phases):
        return Squash(0.0, 1.0)
    if isinstance(circuit.encoding, Amplitudes):
        return Squash(-1.0, 1.0)
    return Squash(-torch.pi, torch.pi)


def _mlp(widths: Iterable[int], generator: torch.Generator, dtype: torch.dtype) -> nn.Sequential:
    """Return linear layers with ReLU between, none after the last."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [_linear(fan_in, fan_out, generator, dtype), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _linear(fan_in: int, fan_out: int, generator: torch.Generator, dtype: torch.dtype) -> nn.Linear:
    """Return a linear layer with PyTorch's own initial weights, drawn from this generator instead of the global one."""
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, fan_in, fan_out, dtype=dtype)  # type: ignore[no-untyped-call]
    bound = fan_in**-0.5
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
    return layer
