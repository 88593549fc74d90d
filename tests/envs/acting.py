"""Drives a loop with a rule, and short versions of the bundled scenarios."""

from collections.abc import Callable, Iterator

import numpy as np

from cosim.decision import Action, Observation
from cosim.envs.loop import Loop, Round, Step
from cosim.types import AnyArray

SHORT = {
    "quickstart": 5,
    "grid": 5,
    "highway_v2v": 5,
    "per_task": 3,
    "s1_semantic_iov": 30,
    "intersection": 20,
    "qib_vec": 20,
    "s5_placement_paper": 40,
    "s5_placement_physical": 40,
    "s5_placement_city": 5,
}
"""Simulated seconds in which each has several epochs."""
Rule = Callable[[Observation], Action]


def shortened(name: str, *more: str) -> list[str]:
    """Overrides that make a bundled scenario short."""
    return [f"duration_s={SHORT[name]}", "statistics.warmup_s=0", "statistics.batches=2", *more]


def some(observation: Observation) -> Action:
    """Options, shares and powers that depend on the tasks' numbers alone, feasible where anything is."""
    mixed = (observation.task[:, None] * 7 + np.arange(observation.tier.shape[1]) * 5) % 11 + 1.0
    option = np.where(observation.feasible, mixed, 0.0).argmax(axis=1)
    share, power_w = (observation.task % 4 + 1) / 4.0, observation.max_power_w * (observation.task % 5 + 1) / 5.0
    return Action(option, share=share, power_w=power_w)


def rows_of(action: Action, rows: slice) -> Action:
    """The part of an action that answers a round."""
    parts: list[AnyArray | None] = [action.share, action.power_w, action.cpu_share]
    return Action(action.option[rows], *(None if part is None else part[rows] for part in parts))


def steps(loop: Loop, seed: int | None = None, rule: Rule = some) -> Iterator[tuple[Round, Step]]:
    """An episode to its end."""
    waiting: Round | None = loop.reset(seed)
    while waiting is not None:
        step = loop.step(rows_of(rule(waiting.observation), waiting.rows))
        yield waiting, step
        waiting = None if step.over else step.following
