"""`cosim circuit`: the quantum circuits of the learned policies."""

from dataclasses import asdict
from importlib.util import find_spec
from typing import Annotated

import typer

from cosim.cli import console
from cosim.cli.arguments import Json, key_values
from cosim.cli.loudness import Commands

_SHOW = (
    "cosim circuit show zz",
    "cosim circuit show amplitude --qubits 4 --layers 3 --gate-set cz",
    "cosim circuit show reuploading --qubits 3 --set axis=y",
)
app = Commands(help="Quantum circuits of learned policies: drawing and cost.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command("show", epilog=console.examples(*_SHOW))
def show_circuit(
    name: Annotated[str, typer.Argument(help="zz, amplitude, reuploading, angle or basis.", metavar="NAME")],
    qubits: Annotated[int, typer.Option(help="Qubits.")] = 6,
    layers: Annotated[int, typer.Option(help="Layers of trained gates.")] = 1,
    options: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Option of the circuit, as gamma=0.5.")
    ] = None,
    gate_set: Annotated[str, typer.Option(metavar="cnot|cz", help="Two-qubit gate of the hardware.")] = "cnot",
    json: Json = False,
) -> None:
    """Draw a circuit and count its gates after decomposition for hardware, all pairs of qubits being coupled.

    Those of amplitude are counted for any complex amplitudes; real ones, as features are, may need fewer.
    """
    from cosim.errors import InputError

    missing = [package for package in ("torch", "pennylane") if find_spec(package) is None]
    if missing:
        raise InputError(f"cosim circuit needs {' and '.join(missing)}; pip install 'cosim-vec[learn]'")

    from cosim_agents.quantum.circuits import make_circuit

    circuit = make_circuit(name, qubits, layers, **key_values(options or [], "--set", "gamma=0.5"))
    cost = asdict(circuit.cost(gate_set))
    if json:
        shape = {"weight_shape": circuit.weight_shape, "encoding": asdict(circuit.encoding), "ring": circuit.ring}
        console.say_json({"name": name, "layers": layers, "inputs": circuit.inputs, **shape, **cost})
        return
    console.say(circuit.draw() + "\n")
    console.say_table([("inputs", str(circuit.inputs)), *((key, str(value)) for key, value in cost.items())])
