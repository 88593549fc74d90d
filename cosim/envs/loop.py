"""The loop under every environment: rounds of waiting tasks out, actions in, rewards when known (paper S1 eq 20-22)."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from cosim.decision import Action, Observation, action_problem
from cosim.envs.columns import column_names, encode, option_mask
from cosim.envs.knobs import Knobs
from cosim.envs.reward import NOTHING, Credit, EpochCost, charge, settled_rewards
from cosim.envs.traffic import lasting_traffic, with_listed_sites
from cosim.errors import InputError, RunError
from cosim.mobility.source import MobilitySource
from cosim.scenario.load import Loaded
from cosim.simulation import Simulation, clip_knob
from cosim.trace.store.memory import InMemoryTaskEnds
from cosim.trace.store.writer import FactWriter, NullWriter
from cosim.types import BoolArray, FloatArray, IntArray


class Round:
    """The tasks that wait for a decision now: some rows of an epoch's observation, n of T."""

    def __init__(self, epoch: "_Epoch", rows: slice) -> None:
        self.observation = epoch.observation
        self.rows = rows
        self._epoch = epoch

    @property
    def features(self) -> NDArray[np.float32]:  # (n, F)
        """Features of the tasks, see `cosim.envs.columns`; made when first read, because rules do not need them."""
        return self._epoch.features[self.rows]

    @property
    def mask(self) -> BoolArray:  # (n, M)
        """Whether each option may be chosen; made when first read."""
        return self._epoch.mask[self.rows]


@dataclass(frozen=True, slots=True)
class Step:
    """The result of a step: rewards that became known, and the next round."""

    total: float
    """Reward of the team."""
    settled_task: IntArray  # (k,)
    """Tasks whose own reward became known."""
    settled_vehicle: IntArray  # (k,)
    """Their vehicles."""
    settled_reward: FloatArray  # (k,)
    """Their own rewards."""
    following: Round | None
    """The next round; at an episode's end its last observation, which nobody decides, and None if no task waits."""
    terminated: bool
    """Whether the episode is over because no task can come any more."""
    truncated: bool
    """Whether it is over for another reason: it has had its epochs, or the scenario's duration is over."""
    costs: EpochCost

    @property
    def over(self) -> bool:
        """Whether the episode is over, so that reset() must come next."""
        return self.terminated or self.truncated


class Loop:
    """Episodes of a scenario, one decision round after the other; simulation, facts and digest are as of `cosim run`.

    Rewards follow `decisions.reward`. analytic: the step that decides earns -scale (Phi(decided) - Phi(before)) minus
    penalties, on the true state whatever the policy observes, and each task's own credit is
    -(own + imposed) scale - penalty (`cosim.cost.cost_terms`); with several rounds in an epoch, those of the tasks
    decided so far. realised: a step earns the rewards of the tasks that have ended since the step before, each by its
    own cost (`cosim.envs.reward.settled_rewards`); tasks that have not ended when an episode is truncated never count.

    An episode ends with its `episode_epochs` or with the scenario's duration, whichever comes first. Both truncate it:
    its last observation has the tasks that wait for a decision then, the next epoch's or those that wait when the
    duration is over, which may be none. It terminates where the duration is over, no task waits and none can come any
    more, however long the scenario were: the file of arrivals has no later one, or the rate of arrivals is 0 from then
    on.

    Args:
        loaded: the scenario.
        rows: tasks to decide in one round; an epoch with more is decided in several at one instant. None: all at once.
        episode_epochs: epochs in an episode; None: until the scenario's duration is over.
        facts: where the facts of an episode are written, which must be the only one; `close` closes it.
        traffic: replay: SUMO runs once, for the scenario's seed, and its recording serves all episodes
            (`cosim.envs.traffic`); tasks, radio and synthetic traffic have the episode's seed. live: the scenario's
            own source, with the episode's seed.

    Raises:
        InputError: the scenario names something that is not there, or `rows` or `episode_epochs` is below 1.

    >>> from cosim import load
    >>> loop = Loop(load("per_task"), rows=4, episode_epochs=1)
    >>> waiting = loop.reset(seed=1)
    >>> stay = np.zeros(len(waiting.features), np.int64)  # column 0: the vehicle itself
    >>> step = loop.step(Action(stay))
    >>> bool(step.total <= 0.0)
    True
    >>> loop.close()
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        rows: int | None = None,
        episode_epochs: int | None = None,
        facts: FactWriter | None = None,
        traffic: Literal["replay", "live"] = "replay",
    ) -> None:
        for name, value in (("rows", rows), ("episode_epochs", episode_epochs)):
            if value is not None and value < 1:
                raise InputError(f"{name}={value}: must be at least 1; give None for no bound")
        self._folder = loaded.folder
        self.scenario = with_listed_sites(loaded.scenario, loaded.folder)
        self.columns = column_names(self.scenario)
        self.knobs = Knobs.of(self.scenario)
        self._rows = rows
        self._episode_epochs = episode_epochs
        self._facts = facts
        self._used = False
        self._replays = traffic == "replay"
        self._source: MobilitySource | None = None
        self._plan = self.scenario.decisions.reward
        self._simulation: Simulation | None = None
        self._settling: InMemoryTaskEnds | None = None
        self._epoch: _Epoch | None = None
        self._last: _Epoch | None = None
        self._epochs = 0
        self._over = False

    def reset(self, seed: int | None = None) -> Round:
        """Begin an episode and return its first round.

        Args:
            seed: seed of everything random in it; the scenario's own by default.

        Raises:
            RunError: no task waits within the scenario's duration, or the source of traffic failed.
        """
        if self._facts is not None and self._used:
            raise InputError("facts are of one episode; make a new Loop with a writer of its own")
        self._used = True
        self._leave()
        scenario = self.scenario if seed is None else self.scenario.model_copy(update={"seed": seed})
        if self._replays and self._source is None:
            self._source = lasting_traffic(self.scenario, self._folder)
        facts: FactWriter = self._facts or NullWriter()
        if self._plan.kind == "realised":
            facts = self._settling = InMemoryTaskEnds(facts)
        self._simulation = Simulation(scenario, facts, self._folder, self._source, at_end=self._keep_last)
        self._epochs = 0
        self._advance()
        if self._settling is not None:
            self._settling.take()
        if self._epoch is None:
            raise RunError(
                f"no task waits for a decision within duration_s={scenario.duration_s:g}; raise it, or the arrivals"
            )
        return self._epoch.round()

    def step(self, action: Action) -> Step:
        """Decide the tasks of the round and, after the last round of an epoch, run to the next epoch.

        Args:
            action: n rows; its network-wide knobs hold for the epoch, those of the last round that gives them.

        Raises:
            RunError: the action does not fit the round.
            RuntimeError: the episode is over, or has not begun.
        """
        epoch, simulation = self._epoch, self._simulation
        if epoch is None or simulation is None:
            raise RuntimeError("no round waits: the episode is over; call reset()")
        rows = epoch.take(action)
        if self._settling is None:
            credit, total, costs = self._charge(epoch, rows)
        if epoch.done:
            simulation.decide(epoch.action())
            self._epochs += 1
            self._advance()
        if self._settling is not None:
            credit, costs = settled_rewards(self._settling.take(), self.scenario.decisions.latency_weight, self._plan)
            total = float(credit.reward.sum())
        following = self._epoch or self._last
        ended = self._over or (self._epochs == self._episode_epochs and epoch.done)
        terminated = self._over and following is None and simulation.exhausted
        if ended:
            self._epoch = None
        round_ = None if following is None else following.round()
        return Step(total, *credit, round_, terminated, ended and not terminated, costs)

    @property
    def vehicles(self) -> IntArray:
        """Numbers of the vehicles on the map, in increasing order."""
        assert self._simulation is not None  # noqa: S101 - only inside an episode
        return self._simulation.channel.air.numbers

    def close(self) -> None:
        """End the episode; its facts are complete if the scenario's duration is over. A second call does nothing."""
        self._leave()
        if self._facts is not None and self._used:
            self._facts.close(self._over, self.scenario.duration_s if self._over else None)
        if self._source is not None:
            self._source.close()

    # --- inside ----------------------------------------------------------------------------------------------------

    def _leave(self) -> None:
        if self._simulation is not None:
            self._simulation.close()
        self._simulation = self._epoch = self._last = None

    def _advance(self) -> None:
        assert self._simulation is not None  # noqa: S101 - only inside an episode
        waiting = self._simulation.advance()
        self._over = waiting is None
        self._epoch = None if waiting is None else _Epoch(waiting.observation, self._rows)

    def _keep_last(self, observation: Observation) -> None:
        """Keep what waits at the end, with all that is read of it, before the simulation ends its tasks."""
        self._last = _Epoch(observation, self._rows)
        _ = self._last.features, self._last.mask

    def _charge(self, epoch: "_Epoch", rows: slice) -> tuple[Credit, float, EpochCost]:
        assert self._simulation is not None  # noqa: S101 - only inside an episode
        seen = epoch.observation
        if epoch.true is None:
            epoch.true = self._simulation.true_observation()
        option, power_w, share = self._carried_out(seen, epoch.action())
        offloaded = int(np.count_nonzero(option[: rows.stop]))  # column 0 is the vehicle itself
        if epoch.true is not seen:
            option = translated(option, seen, epoch.true)
        found = charge(epoch.true, option, power_w, share, rows.stop, self._plan)
        total, sums = found.told(self._plan.scale, rows.stop, offloaded)
        credit = Credit(
            seen.task[rows],
            seen.vehicle[rows],
            -self._plan.scale * (found.cost[rows] + found.imposed[rows]) - found.penalty[rows],
        )
        before, epoch.told = epoch.told, (total, sums)
        return credit, total - before[0], sums.less(before[1])

    def _carried_out(self, seen: Observation, action: Action) -> tuple[IntArray, FloatArray | None, FloatArray | None]:
        """Return option, power and share as the simulation will carry an action out; None for the scenario's own."""
        knobs = self.scenario.decisions.knobs
        option = action.option if "target" in knobs else seen.expected_s.argmin(axis=1)
        power_w, share = action.power_w, action.share
        return (
            option,
            clip_knob(power_w, seen.max_power_w) if power_w is not None and "power" in knobs else None,
            clip_knob(share, 1.0) if share is not None and "share" in knobs else None,
        )


_PER_TASK: Final = ("share", "power_w", "cpu_share")


class _Epoch:
    """An epoch that is decided round by round: its T tasks, and the decisions so far."""

    def __init__(self, observation: Observation, rows: int | None) -> None:
        self.observation = observation
        self.true: Observation | None = None
        """The true state, on which choices are charged, once it was needed."""
        self.told = 0.0, NOTHING
        """Reward and costs that the rounds before have been given."""
        if observation.keys is not None:
            _ = observation.keys.vehicle_bit  # it is read from the running network: read it before time goes on
        self._size = len(observation) if rows is None else rows
        self._decided = 0
        self._action: Action | None = None

    @cached_property
    def features(self) -> NDArray[np.float32]:  # (T, F)
        """Features of all its tasks."""
        return encode(self.observation)

    @cached_property
    def mask(self) -> BoolArray:  # (T, M)
        """Whether each option of all its tasks may be chosen."""
        return option_mask(self.observation)

    @property
    def done(self) -> bool:
        """Whether all tasks are decided."""
        return self._decided == len(self.observation)

    def round(self) -> Round:
        return Round(self, self._next())

    def take(self, action: Action) -> slice:
        """Note the decisions for the next tasks, and return their rows.

        Raises:
            RunError: the action does not fit them.
        """
        rows, count = self._next(), len(self.observation)
        problem = _problem(action, self.observation, rows)
        if problem:
            raise RunError(f"an action at t={self.observation.time_s:g} s: {problem}; correct it")
        self._decided = rows.stop
        if rows == slice(0, count):
            self._action = action
            return rows
        before = self._action or Action(np.zeros(count, np.int64))
        option = before.option.copy()
        option[rows] = action.option
        knobs = {name: self._joined(name, before, action, rows) for name in _PER_TASK}
        detector = before.detector if action.detector is None else action.detector
        proposer = before.proposer if action.proposer is None else action.proposer
        self._action = Action(option, **knobs, detector=detector, proposer=proposer)
        return rows

    def action(self) -> Action:
        """Return the decisions so far; tasks that are not decided yet have column 0."""
        assert self._action is not None  # noqa: S101 - take() comes first
        return self._action

    def _next(self) -> slice:
        return slice(self._decided, min(self._decided + self._size, len(self.observation)))

    def _joined(self, name: str, before: Action, action: Action, rows: slice) -> FloatArray | None:
        """Return a knob's values of all tasks with those of these rows; the scenario's own where no action sets it."""
        given, turned = getattr(before, name), getattr(action, name)
        if given is None and turned is None:
            return None
        default = self.observation.power_w if name == "power_w" else np.ones(len(self.observation))
        joined = (default if given is None else given).astype(np.float64)
        joined[rows] = default[rows] if turned is None else turned
        return joined


def _problem(action: Action, observation: Observation, rows: slice) -> str | None:
    """Return what is wrong with an action for some rows of an observation; None if nothing."""
    if rows == slice(0, len(observation)):
        return action_problem(action, observation)
    part = replace(observation, tier=observation.tier[rows])
    return action_problem(action, part)


def translated(option: IntArray, seen: Observation, true: Observation) -> IntArray:
    """Return the columns of the true observation that have the targets chosen in the seen one.

    Args:
        option: (T,) columns of the seen observation.
        seen: what the policy observed, such as a digital twin's state.
        true: the true state.

    Returns:
        (T,); -1 where the true observation has no such target.
    """
    rows = np.arange(len(seen))
    tier, target = seen.tier[rows, option][:, None], seen.target[rows, option][:, None]
    same = (true.tier == tier) & (true.target == target)
    found: IntArray = np.where(same.any(axis=1), same.argmax(axis=1), -1)
    return found
