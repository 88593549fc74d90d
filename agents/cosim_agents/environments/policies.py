"""Policies in an environment: a trained agent, chance, or a user's class, and the episode that one plays."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from cosim.errors import InputError, RunError
from cosim.kernel.rng import stream
from cosim.scenario.document import shown
from cosim.user_code import failed_in, reason_of
from cosim_agents.environments.known import KnownEnvironment, OtherRows
from cosim_agents.environments.pettingzoo_rows import PettingZooRows
from cosim_agents.environments.spaces import SpaceRows
from cosim_agents.learned import restored
from cosim_agents.learners.environment import EpisodeLog
from cosim_agents.registry import make_policy

Decide: TypeAlias = Callable[[SpaceRows], Any]
"""Returns the actions of the rows that wait."""


@dataclass(frozen=True, slots=True)
class PlayedEpisode:
    """The result of an episode."""

    log: EpisodeLog
    """Its reward and steps."""
    begins: str
    """SHA-256 of the first rows."""
    digest: str
    """SHA-256 of all rows, actions and rewards."""


def check_policy(environment: KnownEnvironment, policy: str) -> None:
    """Check that a policy can be made for an environment.

    Raises:
        InputError: it cannot.
    """
    rows = environment.rows(0)
    try:
        _decider(policy, rows, environment, 0)
    finally:
        rows.close()


def play_policy(environment: KnownEnvironment, policy: str, seed: int, steps: int) -> PlayedEpisode:
    """Play an episode in an environment made anew.

    Args:
        environment: what is played.
        policy: `random`, file.py:Class or a checkpoint.
        seed: seed of the episode, and of what a policy draws.
        steps: most steps; 0: until the environment ends it.

    Raises:
        InputError: the policy is not possible.
        RunError: it or the environment failed.
    """
    rows = environment.rows(steps)
    try:
        decide = _decider(policy, rows, environment, seed)
        sums, over = dict(rows.nothing), False
        waiting: Any = rows.reset(seed)
        content = hashlib.sha256(waiting.features.tobytes())
        begins = content.hexdigest()
        while waiting is not None and not over:
            action = decide(waiting)
            done = rows.step(action)
            waiting, over = done.following, done.over
            content.update(repr(action).encode() + done.reward.tobytes())
            content.update(b"" if waiting is None else waiting.features.tobytes())
            for name in sums:
                sums[name] += done.log[name]
        return PlayedEpisode(sums, begins, content.hexdigest())
    finally:
        rows.close()


def _decider(policy: str, rows: OtherRows, environment: KnownEnvironment, seed: int) -> Decide:
    if policy == "random":
        return _random(rows, stream(seed, "policy"))
    if policy.endswith(".ckpt"):
        return restored(policy, rows, environment.name).decide
    if ".py" in policy:
        return _own(policy, rows, seed)
    raise InputError(
        f"policy {shown(policy)}: is none for an environment; use random, file.py:Class, a checkpoint or the folder of "
        "a training"
    )


def _random(rows: OtherRows, rng: np.random.Generator) -> Decide:
    """Return chance: uniform over a Box, and over what is allowed of each part of other actions."""
    actions = rows.actions

    def decide(waiting: SpaceRows) -> Any:
        return actions.of_values(rng.uniform(-1.0, 1.0, (len(waiting.number), actions.values)), waiting)

    return decide


def _own(policy: str, rows: OtherRows, seed: int) -> Decide:
    """Return a user's `decide(observation)`, of PettingZoo from agents' observations to their actions, by name."""
    made: Any = make_policy(policy, {}, stream(seed, "policy"))
    spaces = rows.action_space

    def decide(waiting: SpaceRows) -> Any:
        try:
            if isinstance(rows, PettingZooRows):
                answers = made.decide(dict(zip(rows.live, waiting.observations, strict=True)))
                given = [answers[one] for one in rows.live]
            else:
                given = [made.decide(waiting.observations[0])]
        except (Exception, SystemExit) as error:
            raise RunError(
                f"policy {policy}: decide() failed ({reason_of(error)}); correct it{failed_in(made.decide, error)}"
            ) from error
        for action in given:
            if not spaces.contains(action):
                raise RunError(f"policy {policy}: decide() gave {shown(action)}, which is not in {spaces}; correct it")
        return given

    return decide
