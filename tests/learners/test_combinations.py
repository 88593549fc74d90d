"""Circuits, orders, training methods and ways to measure: each combination trains, or is refused at the very start."""

from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
import small
from cosim_agents import checkpoint
from cosim_agents.learners.catalog import agent_spec
from cosim_agents.networks import METHODS, ORDERS
from cosim_agents.quantum.circuits import circuit_names
from cosim_agents.train import CHECKPOINT, train

from cosim.cli import main as cli
from cosim.errors import InputError

MIXED = {"device": "default.mixed"}
LOADED = small.scenario()
ALL_ORDERS = ("quantum", *ORDERS)
COVERING = {
    (circuit, order, method)
    for circuit, methods in {
        "zz": ("backprop", "parameter-shift", "rotosolve", "rotosolve"),
        "amplitude": ("parameter-shift", "rotosolve", "backprop", "backprop"),
        "reuploading": ("parameter-shift", "parameter-shift", "backprop", "backprop"),
        "angle": ("rotosolve", "backprop", "backprop", "parameter-shift"),
        "basis": ("rotosolve", "backprop", "", "parameter-shift"),
    }.items()
    for order, method in zip(ALL_ORDERS, methods, strict=True)
}
"""Of the combinations that can be, few in which every two of circuit, order and method meet."""
ALGORITHMS = ("q-td3", "q-sac", "q-dqn", "q-ppo", "q-maddpg", "q-reinforce")


def moved(name: str, out: Path, **options: object) -> bool:
    """Whether two more episodes move each circuit of the network that decides, and all weights are finite."""
    states = []

    def keep(*_: object) -> None:
        states.append(checkpoint.read(out / CHECKPOINT).state)

    train(LOADED, small.spec(name, **options), 1, 3, 3, out, checkpoint_every=1, progress=keep)
    before, _, after = states
    weights = [key for key in after if key.endswith("circuit.weights") and "target" not in key]
    assert weights
    assert all(np.isfinite(value).all() for value in after.values() if isinstance(value, np.ndarray))
    return all((before[key] != after[key]).any() for key in weights)


def cannot(circuit: str, order: str, method: str = METHODS[0]) -> str:
    """What is told of a combination that cannot be; empty if it can."""
    if method == "rotosolve" and circuit == "reuploading":
        return "use backprop or parameter-shift"
    if order == "classical-quantum":
        return "use backprop" if method == "parameter-shift" else "another circuit" * (circuit == "basis")
    return ""


@pytest.mark.parametrize(
    ("circuit", "order", "method"),
    [
        case if cannot(*case) or case in COVERING else pytest.param(*case, marks=pytest.mark.long)
        for case in product(circuit_names(), ALL_ORDERS, METHODS)
    ],
)
def test_methods(circuit: str, order: str, method: str, tmp_path: Path) -> None:
    """Each method trains each circuit in each order, but for what its rule does not cover."""
    told = cannot(circuit, order, method)
    if not told:
        assert moved("q-ddpg", tmp_path, circuit=circuit, order=order, method=method)
        return
    with pytest.raises(InputError, match=told) as error:
        agent_spec("q-ddpg", {"circuit": circuit, "order": order, "method": method})
    assert "\n" not in str(error.value)


def test_every_two_meet() -> None:
    """What `make test` trains has every two of circuit, order and method that the long run has."""
    possible = {case for case in product(circuit_names(), ALL_ORDERS, METHODS) if not cannot(*case)}
    pairs, met = ({two for case in cases for two in combinations(case, 2)} for cases in (possible, COVERING & possible))
    assert pairs == met


@pytest.mark.parametrize(
    ("circuit", "name"),
    [
        pytest.param(circuit, name, marks=[] if place == number else pytest.mark.long)
        for place, circuit in enumerate(circuit_names())
        for number, name in enumerate(ALGORITHMS)
    ],
)
def test_algorithms(circuit: str, name: str, tmp_path: Path) -> None:
    """Each algorithm trains each circuit, one order each."""
    order = ALL_ORDERS[(circuit_names().index(circuit) + len(name)) % 4]
    if cannot(circuit, order):
        order = "parallel"
    assert moved(name, tmp_path, circuit=circuit, order=order)


@pytest.mark.parametrize(
    "measured",
    [
        {"depolarizing": 0.1, "readout": 0.1},
        {"device": "default.qubit"},
        {"readout": 0.1, "shots": 50},
        pytest.param({"shots": 50}, marks=pytest.mark.long),
        pytest.param({"device": "lightning.qubit"}, marks=pytest.mark.long),
        pytest.param({"device": "default.qubit", "shots": 5}, marks=pytest.mark.long),
        {**MIXED, "depolarizing": 0.1, "readout": 0.1, "shots": 5},
    ],
    ids="-".join,
)
@pytest.mark.parametrize("circuit", ["zz", pytest.param("reuploading", marks=pytest.mark.long)])
def test_measurements(circuit: str, measured: dict, tmp_path: Path) -> None:
    """Shots, noise and devices of PennyLane train too; noise between encodings needs density matrices."""
    options = {"circuit": circuit, "qubits": 2, "components": 2, "batch": 2, "critic_hidden": "4", **measured}
    if circuit == "reuploading" and "depolarizing" in measured and "device" not in measured:
        with pytest.raises(InputError, match=r"default\.mixed"):
            small.spec("q-ddpg", **options)
        return
    assert moved("q-ddpg", tmp_path, **options)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["order=classical-quantum", "method=parameter-shift"], "use backprop"),
        (["circuit=basis", "order=classical-quantum"], "circuit=basis"),
        (["circuit=reuploading", "method=rotosolve"], "rotosolve"),
        (["qubits=4"], "components=4"),
        (["circuit=angle", "gamma=2"], "gamma"),
        (["circuit=zzz"], "did you mean zz"),
        (["ring=xx"], "cz or cnot"),
        (["device=nowhere"], "nowhere"),
        (["device=default.qubit", "readout=0.1"], "default.mixed"),
        (["depolarizing=0.1", "shots=10"], "default.mixed"),
        (["order=parallel", "hidden="], "hidden"),
    ],
)
def test_refused_on_the_command_line(
    options: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot work ends `cosim train` with status 2 and one line, before anything is written."""
    given = [part for option in options for part in ("--option", option)]
    out = tmp_path / "out"
    assert cli.status(["train", "s1_semantic_iov", "--agent", "q-ddpg", "--seeds", "1", "--out", str(out), *given]) == 2
    line = capsys.readouterr().err
    assert told in line
    assert line.count("\n") == 1
    assert not out.exists()
