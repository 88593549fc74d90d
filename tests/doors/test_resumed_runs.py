"""Runs that a signal ends at any moment: resumed, they are in the end those that nobody ended."""

import random
import shutil
from pathlib import Path

import pytest
from effort import rest_long, seeds
from started_at_once import CommandServer, content

from cosim.audit.verify import verify
from cosim.cli import main as cli

SCENARIO = """\
name: crossing
map: intersection
duration_s: 10
seed: 3
mobility: {kind: libsumo, begin_s: 30}
sites: {kind: map}
statistics: {batches: 2, warmup_s: 0}
trace: {part_s: 1.5, positions: true}
"""
KEEPER = """\
import numpy as np
from cosim import Action

class Keeper:
    \"\"\"Remembers where every vehicle went, and draws anew for one that it has seen twice there.\"\"\"

    def __init__(self, rng, memory=3):
        self._rng, self._memory, self._seen = rng, memory, {}

    def decide(self, observation):
        option = []
        for vehicle, feasible in zip(observation.vehicle.tolist(), observation.feasible):
            last = self._seen.setdefault(vehicle, [])
            if len(last) % self._memory == 0 or not feasible[last[-1]]:
                last.append(int(self._rng.choice(np.flatnonzero(feasible))))
            else:
                last.append(last[-1])
            option.append(last[-1])
        return Action(option=np.array(option))
"""
POLICIES = ("keeper.py:Keeper", "greedy-latency", "random", "round-robin", "agent.ckpt")
CASES = [
    ("libsumo", "keeper.py:Keeper"),
    ("replay", "random"),
    *((kind, policy) for policy in POLICIES for kind in ("replay", "libsumo")),
]
CHANGED = {"manifest.json", "provenance.json"}
"""Files that tell of the machine and of the time at which a run began."""


def trained(folder: Path) -> None:
    """An agent that has hardly learnt, beside the scenario."""
    from cosim_agents.learners.catalog import agent_spec
    from cosim_agents.train import train

    from cosim.scenario.load import load

    quick = {"warmup_epochs": 2, "feature_epochs": 5, "batch": 4, "buffer": 100, "hidden": "8"}
    spec = agent_spec("dqn", quick)
    made = train(load(folder / "crossing.yaml"), spec, seed=1, episodes=1, epochs=3, out=folder / "training")
    shutil.copy(made.checkpoint, folder / "agent.ckpt")


def prepared(folder: Path, kind: str, policy: str) -> list[str]:
    """The words that run a policy on live or replayed traffic."""
    (folder / "crossing.yaml").write_text(SCENARIO)
    (folder / "keeper.py").write_text(KEEPER)
    changes = []
    if kind == "replay":
        assert cli.status(["map", "record", "crossing.yaml", "traffic.parquet", "--quiet"]) == 0
        changes = ["--set", "mobility={kind: replay, file: traffic.parquet}"]
    if policy == "agent.ckpt":
        trained(folder)
    return ["run", "crossing.yaml", "--policy", policy, *changes, "--no-picture", "--quiet", "--out"]


@pytest.mark.parametrize(("kind", "policy"), rest_long(dict.fromkeys(CASES)))
def test_a_run_that_is_ended_at_any_moment(place: Path, server: CommandServer, kind: str, policy: str) -> None:
    """After SIGINT, SIGTERM or SIGKILL, also in the resume, it ends with the digest and the files of a whole run."""
    words = prepared(place, kind, policy)
    whole_s = server.undisturbed_s([*words, "whole"])
    whole, left = verify(place / "whole"), content(place / "whole")
    assert whole.ok
    for seed in seeds(20 if (kind, policy) in CASES[:2] else 5):
        dice, run = random.Random(seed), place / f"run{seed}"
        while True:
            number, status, told = server.ended_early([*words, run.name], whole_s, dice)
            if status and (run / "manifest.json").exists():
                break
            shutil.rmtree(run, ignore_errors=True)  # it was too quick, or had not begun
        again = ["run", "--resume", run.name, "--no-picture", "--quiet"]
        if dice.random() < 0.3:
            server.ended_early(again, whole_s, dice)
        status, told = server.ended(*server.begun(again)[0])
        assert (status, told) == (0, "") or "is finished" in told, (seed, number, told)
        report = verify(run)
        assert report.ok, report.lines
        assert report.digest == whole.digest
        now = content(run)
        assert now.keys() == left.keys()
        assert [name for name in now if now[name] != left[name] and name not in CHANGED] == []
        shutil.rmtree(run)
