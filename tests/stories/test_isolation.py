"""Two simulations live in one process."""

import numpy as np
from scripted import ScriptedMobility
from stories import NEAR_A, Told, scenario, write_arrivals

from cosim.decision import Action
from cosim.simulation import Simulation
from cosim.trace.store.writer import TraceWriter


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
