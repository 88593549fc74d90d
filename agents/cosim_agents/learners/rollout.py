"""Roll-outs: an episode as transitions, one for each task, which is complete once the task's reward is known."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from cosim.decision import Action
from cosim.envs.loop import Loop, Round, Step
from cosim.types import AnyArray, BoolArray, FloatArray, IntArray, Tier
from cosim_agents.learners.learner import EpisodeLog


@dataclass(frozen=True, slots=True)
class Transitions:
    """The transitions (s_i, a_i, r_i, s'_i) of n tasks whose reward has just become known."""

    seen: AnyArray  # (n, k) float32, the learner's features of the task
    values: AnyArray  # (n, A) the values that it chose
    reward: FloatArray  # (n,)
    following: AnyArray  # (n, k) features of a task of the next epoch
    terminal: BoolArray  # (n,) whether there is no next epoch: the run is over
    epoch: IntArray  # (n,) number of the epoch in the episode, from 0
    row: IntArray  # (n,) row in its epoch

    def __len__(self) -> int:
        """Return the number of transitions, n."""
        return len(self.reward)


@dataclass(frozen=True, slots=True)
class Turn:
    """An epoch that was decided: the transitions that became known by its step, and the next epoch."""

    transitions: Transitions
    following: AnyArray | None
    """(T', k) the next epoch's rows, after a truncated episode too; None where the run is over."""


@dataclass(slots=True)
class EpisodeSums:
    """Sums of an episode while it is played."""

    reward: float = 0.0
    cost: float = 0.0
    latency_s: float = 0.0
    energy_j: float = 0.0
    tasks: int = 0
    offloaded: int = 0

    def log(self) -> EpisodeLog:
        """Return the sums so far."""
        return EpisodeLog(self.reward, self.cost, self.latency_s, self.energy_j, self.tasks, self.offloaded)


@dataclass(slots=True)
class _Waiting:
    """Tasks of one epoch whose reward is not known yet."""

    seen: AnyArray
    values: AnyArray
    following: AnyArray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    terminal: bool = False


See = Callable[[Round], AnyArray]
"""Returns the learner's features of a round, (T, k) float32."""
Act = Callable[[Round, AnyArray], tuple[AnyArray, Action]]
"""Returns, for a round and its features, the values to keep in the transitions, (T, A), and the action to carry out."""


def turns(loop: Loop, seed: int, see: See, act: Act, tally: EpisodeSums) -> Iterator[Turn]:
    """Play one episode, and yield each epoch with the transitions that became known; an epoch is decided in one call.

    The task that follows task i of an epoch is row i mod T' of the next epoch: tasks do not go on, so it stands for
    the tasks that the decision leaves behind it. At the end of a truncated episode, s' is the epoch that would have
    come next and its value counts; at the end of the run nothing follows (terminal). Tasks whose reward is not known
    when an episode is truncated (`realised` rewards) are left out.

    Args:
        loop: loop that is played; it must give all rows of an epoch at once.
        seed: seed of the episode, with which the loop is reset.
        see: returns the features of a round.
        act: decides a round.
        tally: sums to which the episode is added.
    """
    waiting: dict[int, tuple[int, int]] = {}
    epochs: dict[int, _Waiting] = {}
    first = loop.reset(seed)
    seen = see(first)
    round_: Round | None = first
    epoch = 0
    over = False
    while round_ is not None and not over:
        values, action = act(round_, seen)
        tier = round_.observation.tier[np.arange(len(seen)), action.option]
        tally.offloaded += int(np.count_nonzero(tier != Tier.LOCAL))
        epochs[epoch] = _Waiting(seen, values)
        waiting.update((task, (epoch, row)) for row, task in enumerate(round_.observation.task.tolist()))
        step = loop.step(action)
        _count(tally, step)
        round_, over = step.following, step.truncated
        here = epochs[epoch]
        here.following, here.terminal = (seen, True) if round_ is None else (see(round_), False)
        yield Turn(_settled(waiting, epochs, step, epoch), None if here.terminal else here.following)
        seen = here.following
        epoch += 1


def _count(tally: EpisodeSums, step: Step) -> None:
    tally.reward += step.total
    tally.cost += step.costs.cost
    tally.latency_s += step.costs.latency_s
    tally.energy_j += step.costs.energy_j
    tally.tasks += step.costs.tasks


def _settled(waiting: dict[int, tuple[int, int]], epochs: dict[int, _Waiting], step: Step, newest: int) -> Transitions:
    """Return the transitions of the tasks whose reward a step made known, in its order."""
    places = [waiting.pop(task) for task in step.settled_task.tolist()]
    place = np.array(places, np.int64).reshape(-1, 2)
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
        following[mine] = kept.following[rows % len(kept.following)]
        terminal[mine] = kept.terminal
    still = {number for number, _ in waiting.values()}
    for number in [number for number in epochs if number not in still]:
        del epochs[number]
    return Transitions(seen, values, np.asarray(step.settled_reward, float), following, terminal, epoch, row)
