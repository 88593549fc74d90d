"""`cosim circuit`: the quantum circuits of the learned policies."""

from dataclasses import asdict
from importlib.util import find_spec
from typing import Annotated, Any

import typer

from cosim import console
from cosim.commands.arguments import Json

_SHOW = (
    "cosim circuit show zz",
    "cosim circuit show amplitude --qubits 4 --layers 3 --gate-set cz",
    "cosim circuit show reuploading --qubits 3 --set axis=y",
)
app = typer.Typer(help="Quantum circuits of learned policies: drawing and cost.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command("show", epilog=console.examples(*_SHOW))
def show(
    name: Annotated[str, typer.Argument(help="zz, amplitude, reuploading, angle or basis.", metavar="NAME")],
    qubits: Annotated[int, typer.Option(help="Qubits.")] = 6,
    layers: Annotated[int, typer.Option(help="Layers of trained gates.")] = 1,
    options: Annotated[
        list[str] | None, typer.Option("--set", metavar="OPTION=VALUE", help="Of the circuit, as gamma=0.5.")
    ] = None,
    gate_set: Annotated[str, typer.Option(metavar="cnot|cz", help="Two-qubit gate that hardware has.")] = "cnot",
    json: Json = False,
) -> None:
    """Draw a circuit and count its gates after decomposition for hardware, all pairs of qubits being coupled."""
    from cosim.errors import InputError

    missing = [package for package in ("torch", "pennylane") if find_spec(package) is None]
    if missing:
        raise InputError(f"cosim circuit needs {' and '.join(missing)}; pip install 'cosim[learn]'")

    from agents.quantum.circuits import make_circuit

    circuit = make_circuit(name, qubits, layers, **_options(options or []))
    cost = asdict(circuit.cost(gate_set))
    if json:
        shape = {"weight_shape": circuit.weight_shape, "encoding": asdict(circuit.encoding), "ring": circuit.ring}
        console.say_json({"name": name, "layers": layers, "inputs": circuit.inputs, **shape, **cost})
        return
    console.say(circuit.draw() + "\n")
    console.say_table([("inputs", str(circuit.inputs)), *((key, str(value)) for key, value in cost.items())])


def _options(settings: list[str]) -> dict[str, Any]:
    """OPTION=VALUE as data, the value read as in a scenario."""
    from cosim.errors import InputError
    from cosim.scenario.document import parse, shown

    found: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not key or not equals or key in found:
            raise InputError(f"--set {shown(setting)}: is not OPTION=VALUE, or given twice; write --set gamma=0.5")
        found[key] = parse(text, f"--set {shown(setting, 100)}", numbered=False).data
    return found
