"""Training methods besides backprop for networks with circuits: the parameter-shift rule, and rotosolve.

Every trained rotation is exp(-i a P / 2), so that each expectation is A sin(a + phi) + C in its angle alone. Both rules
follow from that: they need nothing but expectations, as a quantum computer gives them.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn

from cosim.errors import InputError
from cosim_agents.quantum.encodings import Reuploading
from cosim_agents.quantum.engine import VQC

Loss = Callable[[], Tensor]
"""Runs the network on one fixed batch and returns a scalar; rotosolve calls it many times."""

_FLAT: Final = 16.0
"""Number of rounding errors by which a loss must move to count as dependent on an angle."""


@contextmanager
def parameter_shift(network: nn.Module) -> Iterator[None]:
    """Within the block, take gradients of the network's circuits from shifted circuits, not the simulator's state.

    dL/da = sum_k dL/d<Z_k> (<Z_k>(a + pi/2) - <Z_k>(a - pi/2)) / 2, exact for every rotation (Mitarai et al.,
    Phys. Rev. A 98, 032309; Schuld et al., Phys. Rev. A 99, 032331). 2 P circuits for P rotations, each with the whole
    batch. Classical layers behind or beside a circuit get theirs by backprop at the same time. With shots the gradient
    is that of the estimates, free of bias where the loss is linear in the expectations.

    An input factor of re-uploading, in R_P(w x), has no such rule as a weight, its angle has: dL/dw = x dL/d(w x). The
    next rotation acts on the same qubit about the same axis, so that shifting the one is shifting the other and costs
    no further circuit.

    Raises:
        InputError: there is no circuit; a re-uploading circuit whose `axis` is not that of its first rotation; and,
            when the network runs, inputs that need a gradient themselves (layers before the circuit).
    """
    handles = [circuit.register_forward_hook(_by_shift) for circuit in _shifted_circuits(network)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def rotosolve(loss: Loss, network: nn.Module) -> float:
    """Set each angle of the network's circuits, one after the other, where the loss is least; return the loss before.

    With M(a) = A sin(a + phi) + C, measured at the present angle and a quarter turn to both sides,
    a* = a - pi/2 - atan2(2 M(a) - M(a + pi/2) - M(a - pi/2), M(a + pi/2) - M(a - pi/2)), brought into [-pi, pi)
    (Ostaszewski, Grant and Benedetti, Quantum 5, 391). Exact, and never uphill, if the loss is **linear in the
    circuit's expectations**; of any other loss, as with a critic that is an MLP, it is an approximation that may go
    uphill, the more the further the critic is from linear. Three evaluations for each angle. Classical weights do not
    change, nor does an angle that moves the loss by no more than rounding, nor do those of frozen circuits.

    Raises:
        InputError: there is no circuit, or one with re-uploading: in an input factor the loss of a batch is a sum of
            waves of many lengths, one for each row, and has no closed form.
    """
    before = math.nan
    with torch.no_grad():
        for circuit in _swept_circuits(network):
            flat = circuit.weights.data.view(-1)
            for index in range(len(flat)):
                angle = float(flat[index])
                here, right, left = (
                    _at(loss, flat, index, angle + turn) for turn in (0.0, 0.5 * math.pi, -0.5 * math.pi)
                )
                before = float(here) if math.isnan(before) else before
                cosine, sine = float(2.0 * here - right - left), float(right - left)
                rounding = _FLAT * torch.finfo(here.dtype).eps * max(abs(float(m)) for m in (here, right, left))
                best = angle
                if math.hypot(cosine, sine) > rounding:
                    best = angle - 0.5 * math.pi - math.atan2(cosine, sine)
                flat[index] = (best + math.pi) % (2.0 * math.pi) - math.pi if best != angle else angle
        return float(loss()) if math.isnan(before) else before


def _at(loss: Loss, weights: Tensor, index: int, angle: float) -> Tensor:
    weights[index] = angle
    return loss()


class _TwoTerm(torch.autograd.Function):
    """The identity on expectations; its gradient of the weights is the two-term rule."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor, values: Tensor, x: Tensor, circuit: VQC) -> Tensor:  # noqa: ARG004
        ctx.circuit = circuit
        ctx.save_for_backward(x)
        return values.clone()

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None, None]:
        (x,) = ctx.saved_tensors
        return _shift_gradient(ctx.circuit, x, outer[0]), None, None, None


def _by_shift(circuit: nn.Module, arguments: tuple[Tensor, ...], values: Tensor) -> Tensor:
    assert isinstance(circuit, VQC)  # noqa: S101 - hooked to circuits only
    (x,) = arguments
    if x.requires_grad and torch.is_grad_enabled():
        raise InputError(
            "training method=parameter-shift: the circuit's inputs need a gradient, which the rule for weights does "
            "not give (order=classical-quantum); use backprop"
        )
    result: Tensor = _TwoTerm.apply(circuit.weights, values.detach(), x, circuit)  # type: ignore[no-untyped-call]
    return result


def _shift_gradient(circuit: VQC, x: Tensor, outer: Tensor) -> Tensor:  # weight_shape
    """Return the sum over rows and qubits of dL/d<Z> times the derivative of <Z>."""
    reuploading = isinstance(circuit.circuit.encoding, Reuploading)
    layers, qubits, gates = circuit.circuit.weight_shape
    gradient = torch.zeros_like(circuit.weights.data)
    for layer in range(layers):
        for qubit in range(qubits):
            for gate in range(int(reuploading), gates):
                place = (layer, qubit, gate)
                slope = 0.5 * (_shifted(circuit, x, place, 0.5 * math.pi) - _shifted(circuit, x, place, -0.5 * math.pi))
                rows = (outer * slope).sum(-1)  # (B,)
                gradient[place] = rows.sum()
                if reuploading and gate == 1:
                    gradient[layer, qubit, 0] = (rows * x[:, qubit]).sum()
    return gradient


def _shifted(circuit: VQC, x: Tensor, place: tuple[int, int, int], turn: float) -> Tensor:  # (B, qubits)
    """Return expectations with one angle shifted; the weights are restored bit for bit."""
    own = circuit.weights.data
    moved = own.clone()
    moved[place] += turn
    circuit.weights.data = moved
    try:
        with torch.no_grad():
            return circuit.forward(x)  # not through __call__: the hook would wrap it again
    finally:
        circuit.weights.data = own


def _shifted_circuits(network: nn.Module) -> list[VQC]:
    circuits = _circuits(network, "parameter-shift")
    for one in circuits:
        encoding = one.circuit.encoding
        if isinstance(encoding, Reuploading) and encoding.axis != one.circuit.rotations[0]:
            raise InputError(
                f"training method=parameter-shift: circuit={one.circuit.name}: axis={encoding.axis}: the rule for "
                f"input factors needs axis={one.circuit.rotations[0]}, that of the next rotation; use it, or backprop"
            )
    return circuits


def _swept_circuits(network: nn.Module) -> list[VQC]:
    circuits = [one for one in _circuits(network, "rotosolve") if one.weights.requires_grad]
    for one in circuits:
        if isinstance(one.circuit.encoding, Reuploading):
            raise InputError(
                f"training method=rotosolve: circuit={one.circuit.name}: the loss of a batch is no single wave in an "
                "input factor; use backprop or parameter-shift"
            )
    return circuits


def _circuits(network: nn.Module, method: str) -> list[VQC]:
    circuits = [module for module in network.modules() if isinstance(module, VQC)]
    if not circuits:
        raise InputError(f"training method={method}: the network has no circuit; use backprop")
    return circuits
