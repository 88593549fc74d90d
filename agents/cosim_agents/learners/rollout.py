"""Roll-outs: the episodes that a learner plays, step by step, with the transitions that become known."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cosim.types import AnyArray, BoolArray, IntArray
from cosim_agents.learners.environment import EpisodeLog, Outcome, RowEnvironment, Rows
from cosim_agents.learners.learner import Learner
from cosim_agents.learners.transitions import Transitions, Turn


@dataclass(slots=True)
class _Waiting:
    """Rows of one step whose reward is not known yet, and what followed the step."""

    seen: AnyArray
    values: AnyArray
    following: AnyArray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    successor: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    terminal: BoolArray = field(default_factory=lambda: np.zeros(0, np.bool_))


class EpisodeSums:
    """The sums of an episode while it is played."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}

    def begin(self, nothing: EpisodeLog) -> None:
        """Set the sums to those before the first step."""
        self._sums = dict(nothing)

    def add(self, told: EpisodeLog) -> None:
        """Add those of a step."""
        for name in self._sums:
            self._sums[name] += told[name]

    def log(self) -> EpisodeLog:
        """Return the sums so far."""
        return dict(self._sums)


See = Callable[[Any], AnyArray]
"""Returns the learner's features of rows, (n, k) float32."""
Act = Callable[[Any, AnyArray], tuple[AnyArray, Any]]
"""Returns, for rows and their features, the values to keep in the transitions, (n, A), and the action to carry out."""


def play(learner: Learner, environment: RowEnvironment, seed: int) -> EpisodeLog:
    """Play one episode to its end, let the learner learn on the way, and return the episode's sums.

    Args:
        learner: the learner.
        environment: what it plays in.
        seed: seed of the episode.
    """
    sums = EpisodeSums()
    with learner.playing():
        learner.begin(environment)
        for turn in turns(environment, seed, learner.see, learner.explore, sums):
            learner.learn(turn)
        learner.end()
    return sums.log()


def turns(environment: RowEnvironment, seed: int, see: See, act: Act, sums: EpisodeSums) -> Iterator[Turn]:
    """Play one episode, and yield each step with the transitions that became known; a step is decided in one call.

    Rows whose reward is not known when an episode is truncated (`realised` rewards of a scenario) are left out. So are
    those of the last step where an episode is over, they are not terminal and nothing follows: nothing is known of what
    would have followed, and terminal transitions would say that it is worth 0.

    Args:
        environment: what is played.
        seed: seed of the episode, with which it is reset.
        see: returns the features of rows.
        act: decides rows.
        sums: sums to which the episode is added.
    """
    waiting: dict[int, tuple[int, int]] = {}
    epochs: dict[int, _Waiting] = {}
    sums.begin(environment.nothing)
    rows: Rows | None = environment.reset(seed)
    seen = see(rows)
    epoch = 0
    over = False
    while rows is not None and not over:
        values, action = act(rows, seen)
        epochs[epoch] = _Waiting(seen, values)
        waiting.update((number, (epoch, row)) for row, number in enumerate(rows.number.tolist()))
        done = environment.step(action)
        sums.add(done.log)
        rows, over = done.following, done.over
        here = epochs[epoch]
        here.following = seen if rows is None else see(rows)
        here.successor, here.terminal = done.successor, done.terminal
        yield Turn(_settled(waiting, epochs, done, epoch), None if rows is None else here.following, done.total)
        seen = here.following
        epoch += 1


def _settled(
    waiting: dict[int, tuple[int, int]], epochs: dict[int, _Waiting], done: Outcome, newest: int
) -> Transitions:
    """Return the transitions of the rows whose reward a step made known, in its order."""
    places = [waiting.pop(number) for number in done.settled.tolist()]
    place, reward = np.array(places, np.int64).reshape(-1, 2), np.asarray(done.reward, float)
    if done.following is None:
        known = [number < newest or bool(done.terminal[row]) for number, row in places]
        place, reward = place[known], reward[known]
    epoch, row = place[:, 0], place[:, 1]
    shape = epochs[newest]
    seen = np.empty((len(place), shape.seen.shape[1]), np.float32)
    values = np.empty((len(place), shape.values.shape[1]), shape.values.dtype)
    following = np.empty_like(seen)
    terminal = np.zeros(len(place), np.bool_)
    for number in np.unique(epoch).tolist():
        kept, mine = epochs[number], epoch == number
        rows = row[mine]
        seen[mine], values[mine] = kept.seen[rows], kept.values[rows]
        following[mine] = kept.following[kept.successor[rows]]
        terminal[mine] = kept.terminal[rows]
    still = {number for number, _ in waiting.values()}
    for number in [number for number in epochs if number not in still]:
        del epochs[number]
    return Transitions(seen, values, reward, following, terminal, epoch, row)
