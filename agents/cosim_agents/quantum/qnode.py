"""Circuits on a PennyLane device, which adds noise within the encoding, shots and hardware.

Angles are handed over in double precision. Gradients come from backprop on default.qubit and default.mixed, from the
adjoint method on lightning devices, and from parameter shift everywhere else and wherever there are shots.
"""

from collections.abc import Callable
from typing import Any, Final

import pennylane as qml
import torch
from torch import Tensor

from cosim.errors import InputError
from cosim_agents.quantum.circuits import Circuit
from cosim_agents.quantum.encodings import Reuploading

_SEEDED: Final = ("default.qubit", "default.mixed", "lightning.qubit")


def make_run(
    circuit: Circuit, device: str, shots: int | None, depolarizing: float, readout: float, seed: int
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a function (x (B, inputs), weights) -> <Z> (B, qubits), float64, that executes a circuit on a device.

    Misreading is a bit flip before the measurement (`readout_prob` of default.mixed fails in PennyLane 0.45). With
    shots and a gradient to the inputs, or to what multiplies them, rows run one by one: parameter shift does not take a
    batch there. All is double precision but for RZ on default.mixed, whose angle PennyLane 0.45 rounds to single where
    there is a gradient.

    Args:
        circuit: the circuit.
        device: PennyLane's name of the device.
        shots: measurements of each row; None: exact expectation values.
        depolarizing: p of `Circuit.apply`.
        readout: probability that a measured bit is read wrongly.
        seed: seed of the device's measurements, for devices that take one.

    Raises:
        InputError: there is no such device.
    """
    seeded = {"seed": seed} if device in _SEEDED and shots is not None else {}
    try:
        machine = qml.device(device, wires=circuit.qubits, **seeded)
    except (qml.exceptions.DeviceError, ImportError) as error:
        reason = str(error).split(". ", maxsplit=1)[0].rstrip(".")
        raise InputError(f"VQC: device={device!r}: {reason}; install the plug-in that brings it") from None

    def measured(x: Any, weights: Any) -> Any:
        circuit.apply(x, weights, depolarizing)
        if readout:
            for wire in range(circuit.qubits):
                qml.BitFlip(readout, wires=wire)
        return [qml.expval(qml.Z(wire)) for wire in range(circuit.qubits)]

    def node(method: str | None) -> Any:
        made = qml.QNode(measured, machine, interface="torch", diff_method=method)
        return made if shots is None else qml.set_shots(made, shots)

    plain, trained = node(None), node(_method(device, shots))

    def run(x: Tensor, weights: Tensor) -> Tensor:
        x, weights = x.double(), weights.double()
        if not len(x):  # PennyLane takes no empty batch
            return weights.sum() * x.new_zeros((0, circuit.qubits))
        graded = torch.is_grad_enabled() and (x.requires_grad or weights.requires_grad)
        execute = trained if graded else plain
        batched_angles = x.requires_grad or isinstance(circuit.encoding, Reuploading)  # that need a gradient
        if graded and batched_angles and _method(device, shots) == "parameter-shift":
            return torch.stack([torch.stack(execute(row, weights)) for row in x])
        # Samples of a single row, and what does not depend on x, come without the batch's dimension.
        return torch.stack(tuple(execute(x, weights)), -1).double().broadcast_to(len(x), circuit.qubits)

    return run


def _method(device: str, shots: int | None) -> str:
    if shots is None and device in {"default.qubit", "default.mixed"}:
        return "backprop"
    return "adjoint" if shots is None and device.startswith("lightning") else "parameter-shift"
