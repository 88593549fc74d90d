"""A trained network as a policy: one forward pass decides for all waiting tasks."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import torch

from cosim.decision import Action, Observation
from cosim.envs.columns import DEMAND, KEY
from cosim.errors import InputError
from cosim.types import Tier
from cosim_agents.learners.learner import Learner
from cosim_agents.learners.scenario_rows import TaskRows

_BESIDE: Final = {KEY: "keys", DEMAND: "twin"}
"""Columns that belong to no option, and the section of a scenario that adds them."""
_SINGLE: Final = ("local", "cloud")
_SECTIONS: Final = ("cloud", *_BESIDE.values())


class RowPolicy:
    """A learner as a policy of a scenario: it decides the tasks of an observation as the learner would, unexplored.

    Args:
        columns: names of the columns that the learner was trained on.
        learner: decides; it stays the caller's own.
    """

    def __init__(self, columns: Sequence[str], learner: Learner) -> None:
        self._columns = columns
        self._learner = learner
        self._parts = _trained(columns)

    def decide(self, observation: Observation) -> Action:
        """Return the action; it depends on the observation alone, whatever the number of threads.

        Raises:
            InputError: the observation has other columns than the training had; the message names them.
        """
        rows = TaskRows(observation)
        width = rows.features.shape[1]
        if _seen(observation) != self._parts or width != len(self._columns):
            raise InputError(_mismatch(self._columns, observation, width))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            action: Action = self._learner.decide(rows)
        finally:
            torch.set_num_threads(threads)
        return action


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
