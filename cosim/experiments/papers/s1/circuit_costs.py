"""The cost of learners' actors on a quantum computer, and on a classical one beside it; here all is simulated."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from cosim_agents.learners.catalog import agent_spec
from cosim_agents.learners.learner import AgentSpec
from cosim_agents.networks import make_network, mlp_like, parameter_count, quantum_cost
from cosim_agents.quantum.circuits import make_circuit

from cosim.envs.knobs import Knobs
from cosim.experiments.papers.lines import CsvTable, estimate
from cosim.experiments.papers.measured import StudyTraining
from cosim.experiments.pieces import find_done
from cosim.types import FloatArray

GATE_SETS: Final = ("cnot", "cz")
DECOMPOSER: Final = "PennyLane graph decomposition, all-to-all"
_SMALL: Final = "-small"


def cost_table(trained: Mapping[tuple[str, str], Sequence[StudyTraining]], knobs: Knobs, store: Path) -> CsvTable:
    """Return a row for each learner and setting.

    Circuits of an update are those of one batch in the actor's loss: by backprop through the simulator's state, which
    no device gives away, and by the parameter-shift rule, which a device needs. Target networks and the actor's part in
    the critic's target are left out. An update of REINFORCE takes all rows of an episode; its circuits are told for one
    row. Expectations are exact (no shots). The columns of time are the only ones that
    differ from machine to machine: of one process with one thread, other processes beside it.

    Args:
        trained: finished trainings of each seed, by setting and agent.
        knobs: knobs of the scenario, which set the number of the actors' outputs.
        store: folder of the pieces.
    """
    gates = [f"{what}_{gate_set}" for gate_set in GATE_SETS for what in ("one_qubit_gates", "two_qubit_gates", "depth")]
    table = CsvTable(
        (
            *("agent", "setting", "circuit", "qubits", *gates, "decomposer"),
            *(
                "circuits_per_task_decided",
                "circuits_per_update_backprop",
                "circuits_per_update_parameter_shift",
                "shots",
            ),
            *("circuit_parameters", "classical_parameters_of_actor", "seeds", "cpu_s_per_seed", "wall_s_per_seed"),
        )
    )
    for (setting, agent), trainings in trained.items():
        spec = agent_spec(agent, trainings[0].options)
        times = [estimate(_seconds(trainings, name, store)).value for name in ("cpu_s", "wall_s")]
        told = _actor(spec, knobs)
        table.rows.append((agent, setting, *told, len(trainings), *(round(value, 1) for value in times)))
    return table


def _actor(spec: AgentSpec, knobs: Knobs) -> tuple[Any, ...]:
    outputs = knobs.choices if spec.algorithm in ("dqn", "reinforce") else len(knobs.names) + knobs.network_size
    inputs, batch = int(spec.settings.get("components", 0)), int(spec.settings.get("batch", 1))
    if spec.actor is None:
        return ("", "", *[""] * (3 * len(GATE_SETS)), "", 0, 0, 0, "", 0, "")
    if spec.name.endswith(_SMALL):
        quantum = make_network(spec.actor, inputs, outputs, torch.Generator().manual_seed(0))
        spec = replace(spec, actor=mlp_like(parameter_count(quantum), inputs, outputs))
    assert spec.actor is not None  # noqa: S101 - seen above
    cost = quantum_cost(spec.actor, inputs, outputs, batch)
    if cost.circuit is None:
        return ("", "", *[""] * (3 * len(GATE_SETS)), "", 0, 0, 0, "", 0, cost.classical_parameters)
    circuit = make_circuit(spec.actor.circuit, spec.actor.qubits, spec.actor.layers, **dict(spec.actor.circuit_options))
    gates = []
    for gate_set in GATE_SETS:
        counted = circuit.cost(gate_set)
        gates += [counted.one_qubit_gates, counted.two_qubit_gates, counted.depth]
    shifted = quantum_cost(spec.actor, inputs, outputs, batch, "parameter-shift").update_circuits
    circuits = (cost.decision_circuits, cost.update_circuits, shifted, "exact")
    parameters = (cost.circuit_parameters, cost.classical_parameters)
    return (circuit.name, cost.circuit.qubits, *gates, DECOMPOSER, *circuits, *parameters)


def _seconds(trainings: Sequence[StudyTraining], name: str, store: Path) -> FloatArray:
    """Return the time of each whole training, scaled from the part that its last process did."""
    found = []
    for training in trainings:
        done = find_done(store, training)
        if done is not None and done.result["here"]:
            found.append(getattr(done, name) * training.episodes / done.result["here"])
    return np.array(found)
