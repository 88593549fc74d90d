"""A trained actor as a policy: one forward pass decides for all waiting tasks."""

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
"""From features (T, k) to values (T, A), without noise."""
Decode = Callable[[AnyArray, Observation], Action]
"""From values to an action."""


_BESIDE: Final = {KEY: "keys", DEMAND: "twin"}
"""Columns that are of no option, and the section of a scenario that brings them."""
_SINGLE: Final = ("local", "cloud")
_SECTIONS: Final = ("cloud", *_BESIDE.values())


class RowPolicy:
    """Columns, features, network, action; shares the network of the learner it came from."""

    def __init__(self, task: LearningProblem, judge: Judge, decode: Decode) -> None:
        self._task = task
        self._judge = judge
        self._decode = decode
        self._parts = _trained(task.columns)

    def decide(self, observation: Observation) -> Action:
        """The same answer to the same observation, on any number of threads.

        Raises:
            InputError: the observation has other columns than the training had; the line says which.
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
    """Why a row does not mean what it did in the training: as many columns may be of something else."""
    trained, seen = _trained(columns), _seen(observation)
    if trained == seen:
        return f"the agent was trained on {len(columns)} columns, this cosim has {width}; train again"
    return (
        f"the agent was trained with {', '.join(trained)}; this scenario has {', '.join(seen)}; "
        f"give it {_remedy(trained, seen)}"
    )


def _trained(columns: Sequence[str]) -> list[str]:
    """What the columns are of: the options in order, then what else has columns."""
    options = dict.fromkeys(name.partition(".")[0] for name in columns if "." in name)
    return [*options, *(told for name, told in _BESIDE.items() if name in columns)]


def _seen(observation: Observation) -> list[str]:
    """The same of an observation."""
    stems = [Tier(tier).name.lower() for tier in observation.tier[0].tolist()]
    options = [
        stem if stem in _SINGLE else f"{stem}{stems[: column + 1].count(stem)}" for column, stem in enumerate(stems)
    ]
    beside = [*[_BESIDE[KEY]] * (observation.keys is not None), *[_BESIDE[DEMAND]] * (observation.demand is not None)]
    return [*options, *beside]


def _remedy(trained: Sequence[str], seen: Sequence[str]) -> str:
    """Words of a command line that give a scenario what the training had."""
    before, now = (Counter(name.rstrip("0123456789") for name in names) for names in (trained, seen))
    edges, neighbours = before["edge"], before["neighbour"]
    found = [f"--set decisions.candidates={edges}"] * (edges != now["edge"])
    if neighbours != now["neighbour"]:
        found.append(f"--set radio.sidelink{f'.max_neighbours={neighbours}' if neighbours else '=null'}")
    found += [f"--set {part}={'{}' if before[part] else 'null'}" for part in _SECTIONS if before[part] != now[part]]
    if edges > now["edge"]:
        found.append("(candidates count as far as its radio.candidates and its number of sites)")
    return " ".join(found) or "its options in the same order"
