"""A scenario of four vehicles and two servers that a learner can meet in milliseconds."""

from pathlib import Path

import numpy as np
from cosim_agents.features import Features
from cosim_agents.learners.catalog import agent_settings, agent_spec, make_learner
from cosim_agents.learners.learner import AgentSpec, Learner, LearningProblem, State
from cosim_agents.learners.scenario_rows import ScenarioRows
from cosim_agents.train import train

from cosim.envs.loop import Loop
from cosim.scenario.load import Loaded, load

QUICK = {
    "warmup_epochs": 2,
    "feature_epochs": 10,
    "batch": 4,
    "buffer": 1000,
    "hidden": "8",
    "critic_hidden": "8",
    "rollout_rows": 8,
    "passes": 2,
    "components": 3,
    "qubits": 3,
    "lr": 1e-2,
    "epsilon_epochs": 10,
}


def scenario(*overrides: str) -> Loaded:
    return load("s1_semantic_iov", ["twin=null", *overrides])


def spec(name: str, **options: object) -> AgentSpec:
    """Quick settings as far as the agent has them, then the options."""
    known = agent_settings(name)
    return agent_spec(name, {key: value for key, value in QUICK.items() if key in known} | options)


def quick_train(loaded: Loaded, agent: AgentSpec, out: Path, episodes: int = 3, seed: int = 1, epochs: int = 4) -> Path:
    return train(loaded, agent, seed, episodes, epochs, out, checkpoint_every=1).checkpoint


def fresh(loaded: Loaded, agent: AgentSpec, seed: int = 1) -> tuple[Learner, ScenarioRows]:
    """A learner with features of its columns as they are, and an environment for it."""
    environment = ScenarioRows(Loop(loaded, episode_epochs=4))
    width = len(environment.columns)
    rows = np.random.default_rng(0).normal(size=(50, width))
    features = Features.fit(rows, int(agent.settings["components"]))
    task = LearningProblem(environment.columns, environment.actions, features, 0.9)
    return make_learner(agent, task, seed), environment


def same(one: State, other: State) -> bool:
    """Bit for bit."""
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)
