"""A trained network as a policy: one forward pass decides for all waiting tasks."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import torch

from cosim.decision import Action, Observation
from cosim.envs.columns import DEMAND, KEY, encode
from cosim.errors import InputError
from cosim.types import AnyArray, Tier
from cosim_agents.learners.learner import LearningProblem

Judge = Callable[[AnyArray], AnyArray]
"""Returns the values (T, A) for features (T, k), without noise."""
Decode = Callable[[AnyArray, Observation], Action]
"""Returns the action for values."""


_BESIDE: Final = {KEY: "keys", DEMAND: "twin"}
"""Columns that belong to no option, and the section of a scenario that adds them."""
_SINGLE: Final = ("local", "cloud")
_SECTIONS: Final = ("cloud", *_BESIDE.values())


class RowPolicy:
    """A policy that encodes tasks to columns and features, evaluates a network on them, and decodes its values.

    Args:
        task: columns and features of the training.
        judge: evaluates the network, which stays the learner's own.
        decode: makes an action of the values.
    """

    def __init__(self, task: LearningProblem, judge: Judge, decode: Decode) -> None:
        self._task = task
        self._judge = judge
        self._decode = decode
        self._parts = _trained(task.columns)

    def decide(self, observation: Observation) -> Action:
        """Return the action; it depends on the observation alone, whatever the number of threads.

        Raises:
            InputError: the observation has other columns than the training had; the message names them.
        """
        rows = encode(observation)
        if _seen(observation) != self._parts or rows.shape[1] != len(self._task.columns):
            raise InputError(_mismatch(self._task.columns, observation, rows.shape[1]))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            values = self._judge(self._task.features.transform(rows))
        finally:
            torch.set_num_threads(threads)
        return self._decode(np.asarray(values), observation)


def _mismatch(columns: Sequence[str], observation: Observation, width: int) -> str:
    """Return why a row does not mean what it did in the training: as many columns may be of something else."""
    trained, seen = _trained(columns), _seen(observation)
    if trained == seen:
        return f"the agent was trained on {len(columns)} columns, this cosim has {width}; train again"
    return (
        f"the agent was trained with {', '.join(trained)}; this scenario has {', '.join(seen)}; "
        f"give it {_remedy(trained, seen)}"
    )


def _trained(columns: Sequence[str]) -> list[str]:
    """Return what the columns belong to: the options in order, then sections of the scenario."""
    options = dict.fromkeys(name.partition(".")[0] for name in columns if "." in name)
    return [*options, *(section for name, section in _BESIDE.items() if name in columns)]


def _seen(observation: Observation) -> list[str]:
    """Return what the columns of an observation belong to, as `_trained` does."""
    stems = [Tier(tier).name.lower() for tier in observation.tier[0].tolist()]
    options = [
        stem if stem in _SINGLE else f"{stem}{stems[: column + 1].count(stem)}" for column, stem in enumerate(stems)
    ]
    beside = [*[_BESIDE[KEY]] * (observation.keys is not None), *[_BESIDE[DEMAND]] * (observation.demand is not None)]
    return [*options, *beside]


def _remedy(trained: Sequence[str], seen: Sequence[str]) -> str:
    """Return the options of a command line that give a scenario what the training had."""
    before, now = (Counter(name.rstrip("0123456789") for name in names) for names in (trained, seen))
    edges, neighbours = before["edge"], before["neighbour"]
    found = [f"--set decisions.candidates={edges}"] * (edges != now["edge"])
    if neighbours != now["neighbour"]:
        found.append(f"--set radio.sidelink{f'.max_neighbours={neighbours}' if neighbours else '=null'}")
    found += [f"--set {part}={'{}' if before[part] else 'null'}" for part in _SECTIONS if before[part] != now[part]]
    if edges > now["edge"]:
        found.append("(candidates count as far as its radio.candidates and its number of sites)")
    return " ".join(found) or "its options in the same order"
