"""S1's actor circuit (6 qubits) on the torch engine, on PennyLane default.qubit and on lightning.qubit: us per row.

"update" is forward and backward to the weights; "roll-out" is without gradients, where the torch engine keeps the
composed matrix. Weights in single precision (PennyLane's devices compute in double), one thread, CPU time.
default.qubit runs a batch in one broadcast and differentiates by backprop; lightning.qubit, where it is installed,
takes row after row and differentiates by the adjoint method. Printed is the median of repeated calls, all in one
process; a ratio is how many times longer PennyLane takes.
"""

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median
from typing import Any

DEVICES = ("default.qubit", "lightning.qubit")
CASES = (("update", 4), ("update", 64), ("roll-out", 1), ("roll-out", 64), ("roll-out", 5000))
GOALS = {("update", 64): 10.0, ("roll-out", 5000): 50.0}
"""Least ratios to every device."""


def microseconds(work: Callable[[], Any], seconds: float) -> float:
    """Return the median CPU time of a call in us, over at least one call after a first that is not counted."""
    work()
    taken: list[float] = []
    until = time.perf_counter() + seconds
    while not taken or time.perf_counter() < until:
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return median(taken) * 1e6


def per_row(module: Any, what: str, rows: int, seconds: float) -> float:
    """Return the CPU time for one of `rows` rows, in us."""
    import torch

    x = torch.rand((rows, module.circuit.inputs), generator=torch.Generator().manual_seed(1))

    def update() -> None:
        module.weights.grad = None
        module(x).sum().backward()

    def roll_out() -> None:
        with torch.no_grad():
            module(x)

    return microseconds(update if what == "update" else roll_out, seconds) / rows


def main() -> None:
    """Print the table, and whether the goals are met."""
    import torch
    from cosim_agents.quantum.circuits import make_circuit
    from cosim_agents.quantum.engine import VQC

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each number")
    seconds = parser.parse_args().seconds
    torch.set_num_threads(1)
    devices = [name for name in DEVICES if name != "lightning.qubit" or find_spec("pennylane_lightning")]
    beside = "".join(f" {name:>15} {'ratio':>6}" for name in DEVICES)
    print(f"{'layers':>6} {'':>9} {'batch':>5} {'torch':>9}{beside}")
    missed = []
    for layers in (1, 4):
        circuit = make_circuit("zz", 6, layers)
        own, others = VQC(circuit), {name: VQC(circuit, backend="pennylane", device=name) for name in devices}
        for what, rows in CASES:
            spent_us = per_row(own, what, rows, seconds)
            cells = [f"{'not installed':>15}"] * len(DEVICES)
            for place, (device, other) in enumerate(others.items()):
                other_us = per_row(other, what, rows, seconds)
                ratio = other_us / spent_us
                cells[place] = f"{other_us:15.1f} {ratio:5.0f}x"
                if ratio < GOALS.get((what, rows), 0.0):
                    missed.append(f"{what} of {rows} with {layers} layers beside {device}: {ratio:.1f}x")
            print(f"{layers:6} {what:>9} {rows:5} {spent_us:9.2f} {' '.join(cells)}", flush=True)
    told = ", ".join(f"{goal:.0f}x at {what} of {rows}" for (what, rows), goal in GOALS.items())
    print(f"goals: {told}: {'missed at ' + '; '.join(missed) if missed else 'met'}")


if __name__ == "__main__":
    main()
