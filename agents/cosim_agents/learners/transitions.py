"""Transitions of rows, complete once a row's reward is known, and the steps in which they became so."""

from dataclasses import dataclass

from cosim.types import AnyArray, BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Transitions:
    """The transitions (s_i, a_i, r_i, s'_i) of n rows whose reward has just become known."""

    seen: AnyArray  # (n, k) float32, the learner's features of the row
    values: AnyArray  # (n, A) the values that it chose
    reward: FloatArray  # (n,)
    following: AnyArray  # (n, k) features of the row that follows
    terminal: BoolArray  # (n,) whether nothing follows
    epoch: IntArray  # (n,) number of the step in the episode, from 0
    row: IntArray  # (n,) row in its step

    def __len__(self) -> int:
        """Return the number of transitions, n."""
        return len(self.reward)


@dataclass(frozen=True, slots=True)
class Turn:
    """A step in which rows were decided: the transitions that became known by it, and the rows that wait next."""

    transitions: Transitions
    following: AnyArray | None
    """(n', k) the next rows, or the last that are seen of an episode that is over; None where nothing follows."""
    total: float
    """Reward of the team in this step."""
