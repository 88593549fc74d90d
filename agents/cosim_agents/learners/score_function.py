"""The score-function gradient of discrete choices, E[(R - b) grad log pi(choice)] (Williams 1992), in its parts."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from cosim.types import AnyArray, BoolArray, FloatArray, IntArray
from cosim_agents.learners.learner import State, Value


def log_probabilities(logits: Tensor, possible: Tensor) -> Tensor:
    """Return log pi of a softmax over the possible choices of each row, (B, C); minus infinity for the others."""
    return torch.log_softmax(logits.masked_fill(~possible, -torch.inf), dim=1)


def draw_choices(log_prob: AnyArray, rng: np.random.Generator) -> IntArray:
    """Return a choice of each row, drawn with probabilities pi: the largest of log pi plus Gumbel noise, (B,)."""
    drawn: IntArray = (log_prob + rng.gumbel(size=log_prob.shape)).argmax(axis=1)
    return drawn


def score_loss(log_prob: Tensor, choice: Tensor, advantage: Tensor, entropy: float) -> Tensor:
    """Return a loss whose gradient is minus the score-function estimate: -mean(A log pi(choice)) - c mean(H(pi)).

    Args:
        log_prob: (B, C) from `log_probabilities`.
        choice: (B,) choices that were made, drawn from pi.
        advantage: (B,) return less baseline; what it depends on is not differentiated.
        entropy: c, the weight of the entropy H in nat.
    """
    made = log_prob.gather(1, choice[:, None])[:, 0]
    finite = log_prob.masked_fill(torch.isneginf(log_prob), 0.0)  # 0 log 0 = 0, in the gradient too
    spread = -(log_prob.exp() * finite).sum(dim=1)
    return -(advantage.detach() * made).mean() - entropy * spread.mean()


def falling_entropy(settings: Mapping[str, Value], episodes: int) -> float:
    """Return the weight of the entropy: from `entropy` linearly to `entropy_last` over `entropy_episodes` episodes.

    >>> settings = {"entropy": 0.3, "entropy_last": 0.1, "entropy_episodes": 100}
    >>> [round(falling_entropy(settings, episodes), 3) for episodes in (0, 50, 200)]
    [0.3, 0.2, 0.1]
    """
    first, last = float(settings["entropy"]), float(settings["entropy_last"])
    return last + (first - last) * max(0.0, 1.0 - episodes / max(1, int(settings["entropy_episodes"])))


def row_returns(
    rewards: Sequence[FloatArray],
    terminal: Sequence[BoolArray],
    worth: Sequence[float],
    following: float,
    discount: float,
) -> list[FloatArray]:
    """Return R_i(e) = r_i + gamma mean R(e + 1) of each row of each step of an episode, NaN where r_i is not known.

    The mean is over the rows of the next step, since a row need not have a next step of its own; where it is one row,
    this is the usual return. What is not known is estimated: a step without a known reward by the worth of its rows,
    and what follows an episode that was cut off by that of the rows that wait then. Nothing follows a terminal row.

    Args:
        rewards: (n,) of each step, NaN where not known.
        terminal: (n,) of each step, whether nothing follows the row.
        worth: estimated mean return of each step's rows.
        following: that of the rows that wait after the last step.
        discount: gamma.
    """
    found: list[FloatArray] = []
    ahead = following
    for reward, last, estimate in zip(reversed(rewards), reversed(terminal), reversed(worth), strict=True):
        returned = reward + discount * np.where(last, 0.0, ahead)
        known = returned[~np.isnan(returned)]
        ahead = float(known.mean()) if len(known) else estimate
        found.append(returned)
    return found[::-1]


def lasting_returns(
    rewards: Sequence[FloatArray],
    terminal: Sequence[BoolArray],
    successors: Sequence[IntArray],
    worth: Sequence[FloatArray],
    discount: float,
) -> list[FloatArray]:
    """Return R_i(e) = r_i + gamma R_i'(e + 1) of each row and the row i' that follows it, NaN where r_i is not known.

    Nothing follows a terminal row. Where an episode was cut off, or an agent in it, and where a reward is not known,
    the return of what follows is estimated.

    Args:
        rewards: (n,) of each step, NaN where not known.
        terminal: (n,) of each step, whether nothing follows the row.
        successors: (n,) of each step, which of the rows beyond it follows each row.
        worth: (m,) of each step, estimated returns of the rows beyond it: those of the next step first.
        discount: gamma.
    """
    found: list[FloatArray] = []
    ahead: FloatArray = np.zeros(0)
    for reward, last, successor, estimate in zip(*map(reversed, (rewards, terminal, successors, worth)), strict=True):
        beyond = estimate.copy()
        beyond[: len(ahead)] = np.where(np.isnan(ahead), estimate[: len(ahead)], ahead)
        ahead = reward + discount * np.where(last, 0.0, beyond[successor])
        found.append(ahead)
    return found[::-1]


class RunningMoments:
    """Mean and deviation of the numbers seen, of which the earlier ones are forgotten.

    A batch has the weight `forget`, but at first 1 / (number of batches): until then all batches weigh the same.

    >>> seen = RunningMoments(0.1)
    >>> seen.add(np.array([0.0, 2.0]))
    >>> seen.add(np.array([4.0, 6.0]))
    >>> seen.mean, round(seen.deviation**2, 6)
    (3.0, 5.0)
    """

    def __init__(self, forget: float) -> None:
        self._forget = forget
        self._batches = 0
        self._variance = 0.0
        self.mean = 0.0
        """The mean; 0 before the first batch."""

    @property
    def deviation(self) -> float:
        """The standard deviation; 1 where all numbers were equal."""
        return self._variance**0.5 or 1.0

    def add(self, numbers: FloatArray) -> None:
        """Add a batch of at least one number."""
        self._batches += 1
        weight = max(self._forget, 1.0 / self._batches)
        apart = float(numbers.mean()) - self.mean
        self._variance = (1.0 - weight) * (self._variance + weight * apart**2) + weight * float(numbers.var())
        self.mean += weight * apart

    def state(self) -> State:
        """Return all that changes."""
        return {"batches": self._batches, "mean": self.mean, "variance": self._variance}

    def restore(self, state: State) -> None:
        """Set all that `state` returns."""
        self._batches = int(state["batches"])
        self.mean, self._variance = float(state["mean"]), float(state["variance"])
