"""A trained actor as a policy: one forward pass decides for all waiting tasks."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from agents.learners.learner import Task
from cosim.decision import Action, Observation
from cosim.envs.columns import DEMAND, KEY, encode
from cosim.errors import InputError
from cosim.types import AnyArray, Tier

Judge = Callable[[AnyArray], AnyArray]
"""From features (T, k) to values (T, A), without noise."""
Decode = Callable[[AnyArray, Observation], Action]
"""From values to an action."""


class RowPolicy:
    """Columns, features, network, action; shares the network of the learner it came from."""

    def __init__(self, task: Task, judge: Judge, decode: Decode) -> None:
        self._task = task
        self._judge = judge
        self._decode = decode
        self._parts = _trained_parts(task.columns)

    def decide(self, observation: Observation) -> Action:
        """The same answer to the same observation, on any number of threads.

        Raises:
            InputError: the observation has other columns than the training had.
        """
        rows, parts = encode(observation), _seen_parts(observation)
        if parts != self._parts or rows.shape[1] != len(self._task.columns):
            raise InputError(
                f"policy: was trained on {len(self._task.columns)} columns a task, of {' '.join(self._parts)}; this "
                f"scenario has {rows.shape[1]}, of {' '.join(parts)}; give it the decisions.candidates, cloud, "
                "sidelink, keys and twin that the training had"
            )
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            values = self._judge(self._task.features.transform(rows))
        finally:
            torch.set_num_threads(threads)
        return self._decode(np.asarray(values), observation)


def _trained_parts(columns: Sequence[str]) -> list[str]:
    """What the columns are of: tiers of the options in order, then what else has columns."""
    options = dict.fromkeys(name.partition(".")[0] for name in columns if "." in name)
    return [*(option.rstrip("0123456789") for option in options), *(name for name in (KEY, DEMAND) if name in columns)]


def _seen_parts(observation: Observation) -> list[str]:
    """The same of an observation: as many columns may mean something else."""
    tiers = [Tier(tier).name.lower() for tier in observation.tier[0].tolist()]
    return [*tiers, *[KEY] * (observation.keys is not None), *[DEMAND] * (observation.demand is not None)]
