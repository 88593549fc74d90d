"""Trainings in small environments, in the settings of a quick test."""

from pathlib import Path
from typing import Any

from cosim_agents.environments.known import KnownEnvironment, know_environment
from cosim_agents.learners.catalog import agent_settings, agent_spec
from cosim_agents.learners.learner import AgentSpec
from cosim_agents.train import train

QUICK = {
    "warmup_epochs": 5,
    "feature_epochs": 12,
    "batch": 8,
    "buffer": 2000,
    "hidden": "16",
    "critic_hidden": "16",
    "rollout_rows": 8,
    "passes": 2,
    "epsilon_epochs": 20,
}


def quick_spec(environment: KnownEnvironment, name: str, **options: Any) -> AgentSpec:
    """Quick settings as far as the agent has them, then the options."""
    known = agent_settings(name)
    given = {key: value for key, value in QUICK.items() if key in known} | options
    return agent_spec(name, environment.agent_options(name, given))


def quick_training(
    environment: KnownEnvironment, name: str, out: Path, episodes: int, steps: int = 0, **options: Any
) -> Path:
    """The checkpoint of a training with a checkpoint each episode."""
    spec = quick_spec(environment, name, **options)
    return train(environment, spec, 1, episodes, steps, out, checkpoint_every=1).checkpoint


def walk(kind: str = "discrete", **options: Any) -> KnownEnvironment:
    return know_environment("toys:Walk", {"kind": kind, **options})


def signals(**options: Any) -> KnownEnvironment:
    return know_environment("toys:Signals", options)
