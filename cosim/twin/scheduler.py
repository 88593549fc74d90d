"""Rules for which vehicles send their state at a tick: in turns, by error of the twin, or the oldest in a budget.

A scheduler returns a boolean for every vehicle; nothing loops over single vehicles.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cosim.errors import InputError
from cosim.scenario.twin import BudgetSync, OnChangeSync, PeriodicSync
from cosim.twin.forecast import MotionForecaster
from cosim.twin.mirror import Snapshot
from cosim.twin.tracks import ColumnStore
from cosim.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Scene:
    """The vehicles at a tick, (N,) each."""

    tick: int
    """Number of the tick."""
    time_s: float
    """Simulated time."""
    numbers: IntArray
    """Vehicle numbers, ascending."""
    xy_m: FloatArray
    """(N, 2) positions."""
    serving: IntArray
    """Serving site, or NOWHERE."""
    newest_s: FloatArray
    """Time of the newest state that the twin has, or that is on its way to it."""
    able: BoolArray
    """Whether the vehicle has coverage, and a state that it has not sent."""


class Scheduler(Protocol):
    """A rule that selects the senders of a tick."""

    def rests(self, tick: int) -> bool:
        """Return whether no vehicle may send at this tick, whatever the scene."""
        ...

    def due(self, scene: Scene) -> BoolArray:
        """Return which vehicles send now, (N,); only those that are able."""
        ...

    def told(self, states: Snapshot) -> None:
        """Take in states that vehicles have sent, or have attached with."""
        ...

    def forget(self, left: IntArray) -> None:
        """Drop vehicles that have left."""
        ...


class Periodic:
    """Every vehicle sends at fixed ticks, in turns by its number; one without coverage at its turn waits for the next.

    Args:
        plan: section `twin.sync` of the scenario.
        step_s: time between two ticks.

    Raises:
        InputError: the period is no multiple of the step.
    """

    def __init__(self, plan: PeriodicSync, step_s: float) -> None:
        self._ticks = round(plan.period_s / step_s)
        self._staggered = plan.staggered
        if self._ticks < 1 or abs(self._ticks * step_s - plan.period_s) > 1e-9 * plan.period_s:
            raise InputError(
                f"twin.sync.period_s={plan.period_s:g} is no multiple of mobility.step_s={step_s:g}; "
                f"use {max(1, self._ticks) * step_s:g}"
            )

    def rests(self, tick: int) -> bool:
        """Return whether the tick is between two periods, where all vehicles send at once."""
        return not self._staggered and tick % self._ticks != 0

    def due(self, scene: Scene) -> BoolArray:
        """Return the vehicles whose turn it is."""
        turn = scene.tick + scene.numbers if self._staggered else scene.tick
        due: BoolArray = scene.able & (turn % self._ticks == 0)
        return due

    def told(self, states: Snapshot) -> None:
        """Do nothing: turns do not depend on what was sent."""

    def forget(self, left: IntArray) -> None:
        """Do nothing: no state is kept."""


class OnChange:
    """A vehicle computes its twin's forecast from what it sent last, and sends when that is too far from the truth.

    It does not learn of losses: its copy goes on from what was sent, as in dead reckoning (IEEE 1278.1).

    Args:
        plan: section `twin.sync` of the scenario.
        copy: the vehicles' own copies of the twin's forecast, used by nothing else.
    """

    def __init__(self, plan: OnChangeSync, copy: MotionForecaster) -> None:
        self._plan = plan
        self._copy = copy
        self._told = ColumnStore(time_s=0.0)

    def rests(self, tick: int) -> bool:  # noqa: ARG002
        """Return False: a state may change at any tick."""
        return False

    def due(self, scene: Scene) -> BoolArray:
        """Return the vehicles whose copy of the forecast is too far off, or that were silent for a heartbeat."""
        gap_m = self._copy.at(scene.time_s, scene.numbers).xy_m - scene.xy_m
        near = (gap_m**2).sum(axis=1) <= self._plan.error_m**2  # not for NaN: it was never on the road before
        silent = scene.time_s - self._told.time_s[scene.numbers] >= self._plan.heartbeat_s
        due: BoolArray = scene.able & (~near | silent)
        return due

    def told(self, states: Snapshot) -> None:
        """Let the copies go on from these states."""
        self._told.reach(int(states.numbers.max()) + 1)
        self._told.time_s[states.numbers] = states.generated_s
        self._copy.observe(states.numbers, states.generated_s, states.xy_m, states.speed_mps, states.heading_deg)

    def forget(self, left: IntArray) -> None:
        """Drop the copies of vehicles that have left."""
        self._copy.forget(left)


class Budget:
    """Each cell grants a number of messages a second, to those of its vehicles whose twins are oldest.

    The greedy policy of Kadota et al. 2018, which has the least mean age where all links are alike. Unused grants
    expire; a fraction of a message is carried to the next tick.

    Args:
        plan: section `twin.sync` of the scenario.
        step_s: time between two ticks.
        sites: number of sites.
    """

    def __init__(self, plan: BudgetSync, step_s: float, sites: int) -> None:
        self._each = plan.messages_per_s * step_s
        self._carried: FloatArray = np.zeros(sites)

    def rests(self, tick: int) -> bool:  # noqa: ARG002
        """Return False: every tick grants messages."""
        return False

    def due(self, scene: Scene) -> BoolArray:
        """Return the vehicles with the oldest twins of each cell, as many as it has granted."""
        granted = np.floor(self._carried + self._each + 1e-9)
        self._carried = np.maximum(0.0, self._carried + self._each - granted)
        due = np.zeros(len(scene.numbers), np.bool_)
        rows = np.flatnonzero(scene.able)
        rows = rows[np.lexsort((scene.newest_s[rows], scene.serving[rows]))]
        cell = scene.serving[rows]
        place = np.arange(len(rows)) - np.searchsorted(cell, cell)  # 0 for the oldest of its cell
        due[rows[place < granted[cell]]] = True
        return due

    def told(self, states: Snapshot) -> None:
        """Do nothing: grants do not depend on what was sent."""

    def forget(self, left: IntArray) -> None:
        """Do nothing: no state is kept."""
