"""A trained actor as a policy: one forward pass decides for all waiting tasks."""

from collections.abc import Callable

import numpy as np
import torch

from agents.learners.learner import Task
from cosim.decision import Action, Observation
from cosim.envs.columns import encode
from cosim.errors import InputError
from cosim.types import AnyArray

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

    def decide(self, observation: Observation) -> Action:
        """The same answer to the same observation, on any number of threads.

        Raises:
            InputError: the observation has other columns than the training had.
        """
        rows = encode(observation)
        if rows.shape[1] != len(self._task.columns):
            raise InputError(
                f"policy: was trained on {len(self._task.columns)} columns a task, this scenario has {rows.shape[1]}; "
                "give it the decisions.candidates, cloud, sidelink, keys, ledger and twin that the training had"
            )
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            values = self._judge(self._task.features.transform(rows))
        finally:
            torch.set_num_threads(threads)
        return self._decode(np.asarray(values), observation)
