"""Two simulations in one process, and a policy that fails."""

import numpy as np
import pytest
from scripted import ScriptedMobility
from stories import NEAR_A, Told, scenario, write_arrivals

from cosim.audit import verify
from cosim.decision import Action
from cosim.errors import RunError
from cosim.runner import simulate
from cosim.scenario.load import load
from cosim.simulation import Simulation
from cosim.trace.writer import TraceWriter

YAML = """
name: short
duration_s: 5
policy: "wrong.py:{policy}"
mobility: {{kind: synthetic, vehicles: 2, speed_mps: 0}}
sites: {{kind: listed, sites: [{{name: A, x_m: 0, y_m: 0}}]}}
"""
WRONG = """
import numpy as np
from cosim.decision import Action


class Raises:
    def decide(self, observation):
        raise ValueError("no\\nidea")


class OutOfRange:
    def decide(self, observation):
        return Action(np.full(len(observation), 99))


class NotAnAction:
    def decide(self, observation):
        return None
"""


def build(folder, run, seed):
    """A simulation with Poisson arrivals, not yet begun."""
    chosen = scenario(seed=seed, tasks={"arrivals": {"kind": "poisson", "rate_per_s": 3.0}})
    writer = TraceWriter(folder / run, chosen.trace.part_s)
    source = ScriptedMobility(1.0, {"a": [NEAR_A] * 11, "b": [NEAR_A] * 11})
    source.bounds_m = (-1e4, -1e4, 1e4, 1e4)
    return Simulation(chosen, writer, folder, source), writer


def finish(simulation, writer):
    """The digest of a run."""
    policy = Told("A")
    policy.simulation = simulation
    simulation.run(policy)
    writer.close(True, 10.0)
    return writer.digest


def test_two_simulations_do_not_see_each_other(tmp_path):
    """Two runs whose epochs take turns in one process have the digests that they have alone."""
    write_arrivals(tmp_path, [])
    alone = [finish(*build(tmp_path, f"alone{seed}", seed)) for seed in (1, 2)]
    pairs = [build(tmp_path, f"together{seed}", seed) for seed in (1, 2)]
    open_ends = [simulation for simulation, _ in pairs]
    while open_ends:
        for simulation in list(open_ends):
            epoch = simulation.advance()
            if epoch is None:
                open_ends.remove(simulation)
            else:
                simulation.decide(Action(np.ones(len(epoch.observation), np.int64)))
    for _, writer in pairs:
        writer.close(True, 10.0)
    assert [writer.digest for _, writer in pairs] == alone
    assert alone[0] != alone[1]


@pytest.mark.parametrize("policy", ["Raises", "OutOfRange", "NotAnAction"])
def test_a_policy_that_fails_is_one_line(tmp_path, policy):
    """A policy that fails ends the run with one line that names it and the time; the trace verifies as partial."""
    (tmp_path / "wrong.py").write_text(WRONG)
    (tmp_path / "short.yaml").write_text(YAML.format(policy=policy))
    with pytest.raises(RunError) as caught:
        simulate(load(tmp_path / "short.yaml"), tmp_path / "run")
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith(f"policy wrong.py:{policy} ")
    assert "at t=" in message
    audit = verify(tmp_path / "run")
    assert audit.ok, audit.lines
    assert not audit.complete
