"""`cosim circuit show`: a drawing and honest counts."""

import json

import pytest
from cosim_agents.quantum.circuits import circuit_names, make_circuit

from cosim.cli import main as cli


@pytest.mark.parametrize("name", circuit_names())
def test_show_draws_and_counts(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Every circuit is drawn, and counted as the library counts it."""
    assert cli.status(["circuit", "show", name, "--qubits", "3", "--layers", "2", "--gate-set", "cz"]) == 0
    printed = capsys.readouterr().out
    circuit = make_circuit(name, 3, 2)
    assert circuit.draw() in printed
    assert f"two_qubit_gates  {circuit.cost('cz').two_qubit_gates}\n" in printed


def test_help_names_every_circuit(capsys: pytest.CaptureFixture[str]) -> None:
    """The help of the command leaves no circuit out."""
    assert cli.status(["circuit", "show", "--help"]) == 0
    assert set(circuit_names()) <= set(capsys.readouterr().out.replace(",", "").replace(".", "").split())


def test_show_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Options reach the circuit; JSON holds shape and cost."""
    arguments = ["--set", "gamma=0.25", "--set", "ring=cnot", "--qubits", "4", "--json"]
    assert cli.status(["circuit", "show", "zz", *arguments]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["encoding"], found["ring"], found["weight_shape"]) == ({"gamma": 0.25}, "cnot", [1, 4, 1])
    assert found["two_qubit_gates"] == 2 * 6 + 4


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["zzz"], "did you mean zz"),
        (["zz", "--qubits", "99"], "from 1 to 12"),
        (["zz", "--layers", "0"], "from 1 to 1000"),
        (["zz", "--set", "gamma"], "is not KEY=VALUE"),
        (["zz", "--set", "gamma=1", "--set", "gamma=2"], "given twice"),
        (["zz", "--set", "gamma={"], "is not valid YAML"),
        (["zz", "--set", "gamma=2026-13-45"], "finite number"),
        (["zz", "--set", "gamma=1" + 400 * "0"], "finite number"),
        (["zz", "--set", "gamma=1" + 5000 * "0"], "finite number"),
        (["zz", "--set", "axis=x"], "it takes gamma, ring"),
        (["zz", "--gate-set", "sx"], "use cnot or cz"),
    ],
)
def test_wrong_arguments_are_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], told: str) -> None:
    """Bad input ends with 2 and one line that names the remedy."""
    assert cli.status(["circuit", "show", *arguments]) == 2
    printed = capsys.readouterr()
    assert told in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def test_without_the_learning_extra(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PennyLane is not installed the command names the extra that brings it."""
    monkeypatch.setattr("cosim.cli.circuit.find_spec", lambda _: None)
    assert cli.status(["circuit", "show", "zz"]) == 2
    assert "pip install 'cosim-vec[learn]'" in capsys.readouterr().err
