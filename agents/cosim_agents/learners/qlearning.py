"""Tabular Q-learning (Watkins 1989) on a discretised state: a learner whose every number can be inspected.

Each feature of a task is divided into `bins` classes, at quantiles of the rows of the first, random epochs, so that all
classes are equally frequent; the classes of all features together are the state. The choices are those of
`cosim.envs.knobs`: options times power levels; only possible ones are taken, and count in the maximum. All tasks share
the table: k features give bins^k states, so keep k small (`components`).
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

import numpy as np

from cosim.errors import InputError
from cosim.kernel.rng import stream
from cosim.types import AnyArray, BoolArray, FloatArray, IntArray
from cosim_agents.learners.environment import RowEnvironment, Rows
from cosim_agents.learners.exploration import falling_epsilon
from cosim_agents.learners.learner import AgentSpec, LearningProblem, State
from cosim_agents.learners.randomness import generator_text, restore_generator
from cosim_agents.learners.transitions import Transitions, Turn

_MOST_CELLS: Final = 10_000_000


class QTable:
    """A table of Q values, learnt by Q(s, c) <- Q(s, c) + alpha (r + gamma max_c' Q(s', c') - Q(s, c)).

    alpha = n^-decay at the n-th visit of the cell. With decay in (1/2, 1] the table converges to the optimal values
    where all cells are visited for ever; 0.77 does so fastest (Even-Dar and Mansour 2003). Cells begin at 0.

    Args:
        states: number of rows.
        choices: number of columns.
        discount: gamma.
        decay: exponent of the learning rate.
    """

    def __init__(self, states: int, choices: int, discount: float, decay: float) -> None:
        self.value: FloatArray = np.zeros((states, choices))
        self.visits: IntArray = np.zeros((states, choices), np.int64)
        self._discount = discount
        self._decay = decay

    def learn(
        self,
        state: IntArray,
        choice: IntArray,
        reward: FloatArray,
        following: IntArray,
        possible: BoolArray,
        terminal: BoolArray,
    ) -> None:
        """Learn from n transitions at once.

        Those of the same cell pull it to their mean target with the weight of m visits, m n^-decay but at most 1: for
        one transition this is the formula above, and for decay 1 the same as one after the other.

        Args:
            state: (n,) row of the table.
            choice: (n,) column.
            reward: (n,) reward.
            following: (n,) row of the next state.
            possible: (n, choices) whether each choice is possible there; at least one is.
            terminal: (n,) whether there is no next state.
        """
        best = np.where(possible, self.value[following], -np.inf).max(axis=1)
        target = reward + self._discount * np.where(terminal, 0.0, best)
        cell, of, count = np.unique(state * self.value.shape[1] + choice, return_inverse=True, return_counts=True)
        mean = np.bincount(of, weights=target, minlength=len(cell)) / count
        value, visits = self.value.reshape(-1), self.visits.reshape(-1)  # views
        visits[cell] += count
        value[cell] += np.minimum(1.0, count * visits[cell] ** -self._decay) * (mean - value[cell])

    def known(self) -> FloatArray:
        """Return the values to decide by, (states, choices).

        A cell that was never visited has the visit-weighted mean of its choice over all states; a choice that was never
        made has minus infinity.
        """
        seen = self.visits.sum(axis=0)
        everywhere = np.full(seen.shape, -np.inf)
        np.divide((self.value * self.visits).sum(axis=0), seen, out=everywhere, where=seen > 0)
        known: FloatArray = np.where(self.visits > 0, self.value, everywhere)
        return known


class QLearning:
    """The learner of tabular Q-learning, epsilon-greedy with `cosim_agents.learners.exploration.falling_epsilon`.

    Between equal values, as in a state that was never met, it draws.
    """

    def __init__(self, spec: AgentSpec, task: LearningProblem, seed: int) -> None:
        settings = spec.settings
        self._task = task
        self._settings = settings
        self._bins = int(settings["bins"])
        self._rng = stream(seed, "exploration")
        states = state_count(self._bins, task.features.count, task.actions.choices)
        self.table = QTable(states, task.actions.choices, task.discount, float(settings["decay"]))
        self._edges: FloatArray | None = None  # (k, bins - 1) once fitted
        self._rows: list[AnyArray] = []
        self._epochs = 0
        self._known: FloatArray | None = None  # what it decides by, until it learns again

    def playing(self) -> AbstractContextManager[None]:
        """See `Learner`; a table draws nothing from PyTorch."""
        return nullcontext()

    def begin(self, environment: RowEnvironment) -> None:
        """Do nothing: episodes do not differ."""

    def see(self, rows: Rows) -> AnyArray:
        """Return features, then whether each choice is possible: (n, k + choices)."""
        return self._task.see_choices(rows)

    def learn(self, turn: Turn) -> None:
        """Learn from what became known; before the classes are fitted, only collect rows."""
        self._epochs += 1
        if self._edges is None:
            self._rows.append(turn.transitions.seen[:, : self._task.features.count])
        elif len(turn.transitions):
            self._learn(turn.transitions)

    def end(self) -> None:
        """Fit the classes once the warm-up is over."""
        warm = self._epochs >= int(self._settings["warmup_epochs"])
        if self._edges is None and warm and any(map(len, self._rows)):
            parts = np.arange(1, self._bins) / self._bins
            self._edges = np.quantile(np.concatenate(self._rows), parts, axis=0).T
            self._rows = []

    def state(self) -> State:
        """Return the table, the classes and the generator."""
        state: State = {
            "epochs": self._epochs,
            "exploration": generator_text(self._rng),
            "value": self.table.value.copy(),
            "visits": self.table.visits.copy(),
        }
        if self._edges is None:
            state["replay/rows"] = np.concatenate([np.zeros((0, self._task.features.count), np.float32), *self._rows])
        else:
            state["edges"] = self._edges
        return state

    def restore(self, state: State) -> None:
        """Set all that `state` returns.

        Raises:
            InputError: the state is of a table of another size.
        """
        value, visits = np.array(state["value"], float), np.array(state["visits"], np.int64)
        if value.shape != self.table.value.shape or visits.shape != value.shape:
            raise InputError("checkpoint: its table is of another size than its agent says; train again")
        self._epochs = int(state["epochs"])
        restore_generator(self._rng, str(state["exploration"]))
        self.table.value, self.table.visits, self._known = value, visits, None
        self._edges = np.array(state["edges"]) if "edges" in state else None
        self._rows = [np.asarray(state["replay/rows"])] if "replay/rows" in state else []

    def weights(self) -> Mapping[str, list[FloatArray]]:
        """Return the table."""
        return {"decisions.reward.scale": [self.table.value]}

    def decide(self, rows: Rows) -> Any:
        """Return the action of the possible choices of largest value."""
        if self._known is None:
            self._known = self.table.known()
        return self._task.choose(self._known[self._classes(self._task.see(rows))], rows)

    # --- what it does in a step ------------------------------------------------------------------------------------

    def _classes(self, features: AnyArray) -> IntArray:
        """Return the states of features, (T, k) to (T,); state 0 for all before the classes are fitted."""
        state = np.zeros(len(features), np.int64)
        if self._edges is not None:
            for column, edges in enumerate(self._edges):
                state = state * self._bins + np.searchsorted(edges, features[:, column], side="right")
        return state

    def explore(self, rows: Rows, seen: AnyArray) -> tuple[AnyArray, Any]:
        """Return choices, (n, 1), of which a falling part is drawn, and their action."""
        count = self._task.features.count
        possible = seen[:, count:] > 0.5
        rank = np.where(possible, self._rng.random(possible.shape), -1.0)
        value = np.where(possible, self.table.value[self._classes(seen[:, :count])], -np.inf)
        greedy = np.where(value == value.max(axis=1, keepdims=True), rank, -1.0)
        anew = self._edges is None or self._rng.random(len(seen)) < falling_epsilon(self._settings, self._epochs)
        choice = np.where(anew, rank.argmax(axis=1), greedy.argmax(axis=1))
        return choice[:, None], self._task.actions.of_choices(choice, rows)

    def _learn(self, known: Transitions) -> None:
        count, self._known = self._task.features.count, None
        self.table.learn(
            self._classes(known.seen[:, :count]),
            known.values[:, 0].astype(np.int64),
            known.reward,
            self._classes(known.following[:, :count]),
            known.following[:, count:] > 0.5,
            known.terminal,
        )


def state_count(bins: int, features: int, choices: int = 1) -> int:
    """Return the number of states of a table.

    Args:
        bins: classes of each feature.
        features: number of features.
        choices: number of choices.

    Raises:
        InputError: the table would have more than 10 million cells.

    >>> state_count(bins=4, features=3)
    64
    """
    states: int = bins**features
    if states * choices > _MOST_CELLS:
        raise InputError(
            f"q-learning: {bins} bins of {features} features make more than {_MOST_CELLS:,} cells; "
            "give less of --option bins, or of --option components"
        )
    return states
