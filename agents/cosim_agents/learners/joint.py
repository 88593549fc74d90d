"""Joint transitions of several agents: pending until their rewards are known, then kept in a replay buffer."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from cosim.types import AnyArray, FloatArray
from cosim_agents.learners.learner import State
from cosim_agents.learners.transitions import Turn

_REPLAY: Final = "replay/"


class JointTransition(NamedTuple):
    """The decisions of all agents in one epoch, their rewards, and the epoch that followed."""

    seen: AnyArray  # (T, k + 1) float32: features of a task, then the number of the site that decides it
    values: AnyArray  # (T, A) float32
    reward: FloatArray  # (N,) of each agent
    following: AnyArray  # (T', k + 1) likewise
    terminal: bool


class JointBatch(NamedTuple):
    """B joint transitions, with the rows of all of them concatenated."""

    seen: Tensor  # (n, k + 1)
    of: Tensor  # (n,) number in the batch, from 0
    values: Tensor  # (n, A)
    reward: Tensor  # (B, N)
    following: Tensor  # (m, k + 1)
    following_of: Tensor  # (m,)
    going: Tensor  # (B, 1): 0 where nothing follows


class JointReplay:
    """A replay buffer of the last `capacity` joint transitions."""

    def __init__(self, capacity: int, rng: np.random.Generator) -> None:
        self._capacity = capacity
        self._rng = rng
        self._kept: list[JointTransition] = []
        self._oldest = 0

    def __len__(self) -> int:
        """Return the number of transitions in the buffer."""
        return len(self._kept)

    def __iter__(self) -> Iterator[JointTransition]:
        """Iterate over the transitions in no particular order."""
        return iter(self._kept)

    def add(self, joint: JointTransition) -> None:
        """Add a transition, in place of the oldest if the buffer is full."""
        if len(self._kept) < self._capacity:
            self._kept.append(joint)
        else:
            self._kept[self._oldest] = joint
            self._oldest = (self._oldest + 1) % self._capacity

    def sample(self, count: int) -> JointBatch:
        """Return `count` transitions, drawn uniformly with replacement."""
        drawn = [self._kept[number] for number in self._rng.integers(len(self._kept), size=count).tolist()]
        return JointBatch(
            seen=torch.from_numpy(np.concatenate([joint.seen for joint in drawn])),
            of=_numbered([len(joint.seen) for joint in drawn]),
            values=torch.from_numpy(np.concatenate([joint.values for joint in drawn])),
            reward=torch.from_numpy(np.stack([joint.reward for joint in drawn])).float(),
            following=torch.from_numpy(np.concatenate([joint.following for joint in drawn])),
            following_of=_numbered([len(joint.following) for joint in drawn]),
            going=torch.tensor([[0.0 if joint.terminal else 1.0] for joint in drawn]),
        )

    def state(self) -> State:
        """Return the transitions as arrays, with the rows of all epochs concatenated."""
        if not self._kept:
            return {}
        return {
            f"{_REPLAY}seen": np.concatenate([joint.seen for joint in self._kept]),
            f"{_REPLAY}values": np.concatenate([joint.values for joint in self._kept]),
            f"{_REPLAY}rows": np.array([len(joint.seen) for joint in self._kept]),
            f"{_REPLAY}reward": np.stack([joint.reward for joint in self._kept]),
            f"{_REPLAY}following": np.concatenate([joint.following for joint in self._kept]),
            f"{_REPLAY}following_rows": np.array([len(joint.following) for joint in self._kept]),
            f"{_REPLAY}terminal": np.array([joint.terminal for joint in self._kept]),
            f"{_REPLAY}oldest": self._oldest,
        }

    def restore(self, state: State) -> None:
        """Set all that `state` returns; without it the buffer is empty."""
        self._kept, self._oldest = [], 0
        if f"{_REPLAY}seen" not in state:
            return
        kept = {name.removeprefix(_REPLAY): np.asarray(value) for name, value in state.items() if _REPLAY in name}
        cuts = np.cumsum(kept["rows"])[:-1]
        seen, values = np.split(kept["seen"], cuts), np.split(kept["values"], cuts)
        following = np.split(kept["following"], np.cumsum(kept["following_rows"])[:-1])
        self._kept = list(map(JointTransition, seen, values, kept["reward"], following, kept["terminal"].tolist()))
        self._oldest = int(kept["oldest"])


@dataclass(slots=True)
class _Open:
    """An epoch whose rewards are not all known."""

    seen: AnyArray
    values: AnyArray
    reward: FloatArray
    left: int
    following: AnyArray
    terminal: bool = False


class PendingEpochs:
    """The epochs of an episode that wait until the rewards of all their tasks are known."""

    def __init__(self, agents: int) -> None:
        self._agents = agents
        self._open: dict[int, _Open] = {}
        self._epochs = 0

    def decided(self, seen: AnyArray, values: AnyArray) -> None:
        """Add an epoch: its rows, (T, k + 1), and the values decided for them, (T, A)."""
        self._open[self._epochs] = _Open(seen, values, np.zeros(self._agents), len(seen), seen)
        self._epochs += 1

    def settle(self, turn: Turn) -> list[JointTransition]:
        """Add the rewards that became known and what follows the newest epoch; return the epochs that are complete."""
        newest, known = self._open[self._epochs - 1], turn.transitions
        newest.terminal = turn.following is None
        if turn.following is not None:
            newest.following = turn.following
        for epoch, row, reward in zip(known.epoch.tolist(), known.row.tolist(), known.reward.tolist(), strict=True):
            entry = self._open[epoch]
            entry.reward[int(entry.seen[row, -1])] += reward
            entry.left -= 1
        complete = [epoch for epoch, entry in self._open.items() if not entry.left]
        closed = [self._open.pop(epoch) for epoch in complete]
        return [
            JointTransition(entry.seen, entry.values, entry.reward, entry.following, entry.terminal) for entry in closed
        ]


def _numbered(counts: list[int]) -> Tensor:
    """Return each number as often as its count says: [2, 3] gives 0, 0, 1, 1, 1."""
    return torch.from_numpy(np.repeat(np.arange(len(counts)), counts))
