"""What a user's script may do with the public names; test_user_types.py gives it to mypy, nobody runs it."""

from pathlib import Path
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt
import pandas as pd

import cosim
from cosim import Action, Observation, Trace
from cosim.envs.forms import Shown
from cosim.trace.facts.run import TaskEnded
from cosim.trace.metrics.statistics import Estimate


class LeastLoaded:
    """README's policy."""

    def decide(self, observation: Observation) -> Action:
        """Take the option whose processor has the shortest queue."""
        wait_s = np.where(observation.feasible, observation.wait_s, np.inf)
        return Action(option=wait_s.argmin(axis=1))


policy: cosim.Policy = LeastLoaded()
loaded = cosim.load("intersection", ["duration_s=20"])
assert_type(loaded, cosim.Loaded)
assert_type(loaded.scenario, cosim.Scenario)
assert_type(loaded.scenario.radio.bandwidth_hz, float)

simulation = cosim.Simulation(loaded.scenario)
while (epoch := simulation.advance()) is not None:
    assert_type(epoch, cosim.DecisionEpoch)
    assert_type(epoch.observation, Observation)
    assert_type(epoch.observation.expected_s, npt.NDArray[np.float64])
    simulation.decide(Action(option=epoch.observation.expected_s.argmin(axis=1)))
simulation.close()

result = cosim.simulate(loaded, Path("runs/a"))
assert_type(result, cosim.RunResult)
assert_type(result.digest, str)
assert_type(result.kpis["latency_mean"], Estimate)

with Trace.open(Path("runs/a")) as trace:
    assert_type(trace, Trace)
    ended = trace.table(TaskEnded)
    assert_type(ended, pd.DataFrame)
    queue_s = (ended.started_s - ended.queued_s).mean()
    assert_type(trace.sql("SELECT 1 AS one"), pd.DataFrame)
    assert_type(trace.complete_to_s, float)
    assert_type(cosim.kpis(trace)["released"].value, float)
assert_type(cosim.verify(Path("runs/a")).ok, bool)

environment = cosim.OffloadingEnv("intersection", ["duration_s=20"])
seen, _ = environment.reset(seed=1)
assert_type(seen, Shown)
seen, reward, terminated, truncated, info = environment.step(environment.action_space.sample())
assert_type(reward, float)
assert_type(terminated, bool)
assert_type(info, dict[str, Any])

try:
    cosim.load("nowhere")
except cosim.InputError as error:
    told = str(error)
