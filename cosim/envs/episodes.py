"""What both interfaces have in common: the seeds of episodes, copies of an environment, own rewards, the picture."""

import os
from collections.abc import Callable, Sequence
from typing import Any, Final

import gymnasium
import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray

from cosim.envs.loop import Loop
from cosim.envs.picture import MapPicture
from cosim.envs.reward import TaskOutcomes
from cosim.errors import InputError, RunError
from cosim.user_code import guarded

RENDER_MODES: Final = ("rgb_array",)
OwnReward = Callable[[TaskOutcomes], float]
"""A user's reward: a number for the outcomes that a step made known."""


class ScenarioEpisodes:
    """A base class of environments: seeds, copies, rewards and pictures.

    The seed of an episode is the one given, or the next of a generator that starts from the last seed given, so that a
    seed repeats the whole sequence of episodes after it. Before a seed is given the generator starts from the operating
    system's entropy, as it does in a process that was forked since: copies never share a sequence.

    A copy (`copy`, `pickle`) is a new environment of the same arguments, with seeds of its own. While an episode runs,
    there is none: a simulation cannot be copied.

        >>> env = ScenarioEpisodes()
        >>> first = [env.next_seed(3), env.next_seed(), env.next_seed()]
        >>> len(set(first)), first == [env.next_seed(3), env.next_seed(), env.next_seed()]
        (3, True)

    Attributes:
        loop: the run behind the environment.
        render_mode: "rgb_array" or None.
    """

    loop: Loop
    render_mode: str | None = None
    _arguments: dict[str, Any]
    _reward: OwnReward | None = None
    _picture: MapPicture | None = None
    _np_random: np.random.Generator | None = None  # as Gymnasium names them
    _np_random_seed: int | None = None
    _process: int | None = None

    def next_seed(self, seed: int | None = None) -> int:
        """Return the seed of the next episode.

        Args:
            seed: the seed to take; None: one is drawn.

        Raises:
            InputError: the seed is no whole number of at least 0.
        """
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0):
            raise InputError(f"seed={seed!r} is no whole number of at least 0; give one, or None to draw it")
        here = os.getpid()
        if seed is not None or self._np_random is None or self._process not in (None, here):
            self._np_random, self._np_random_seed = seeding.np_random(None if seed is None else int(seed))
        self._process = here
        return int(self._np_random.integers(2**31)) if seed is None else int(seed)

    def render(self) -> NDArray[np.uint8] | None:
        """Return the map as it is now, (height, width, 3): roads, sites, vehicles, and those whose tasks wait.

        None, with a warning, if the environment was made without `render_mode`.

        Raises:
            RuntimeError: no episode has begun.
        """
        if self.render_mode is None:
            gymnasium.logger.warn('render() draws nothing: make the environment with render_mode="rgb_array"')
            return None
        if self._picture is None:
            self._picture = MapPicture(self.loop.scenario, self.loop.folder)
        return self._picture.drawn(self.loop)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make a copy: anew from the same arguments.

        Raises:
            TypeError: an episode runs, or its facts are written.
        """
        name = type(self).__name__
        if self.loop.running:
            raise TypeError(
                f"an episode of this {name} runs and cannot be copied; copy it before reset(), or close() it"
            )
        if self._arguments.get("facts") is not None:
            raise TypeError(f"this {name} writes facts, which one environment alone can; make another without them")
        return _made_again, (type(self), self._arguments)

    def _earned(self, outcomes: TaskOutcomes | None) -> float:
        """Return the own reward of some outcomes; 0 where none became known because the epoch is not all decided.

        Raises:
            RunError: it is no finite number.
        """
        assert self._reward is not None  # noqa: S101 - asked only then
        if outcomes is None:
            return 0.0
        given = self._reward(outcomes)
        if isinstance(given, int | float | np.number) and np.isfinite(given):
            return float(given)
        raise RunError(f"reward= gave {given!r} for {len(outcomes)} tasks; return a finite number")


def own_reward(reward: object) -> OwnReward | None:
    """Return a user's reward as a function whose failures are one line; None for the scenario's.

    Raises:
        InputError: it cannot be called.
    """
    if reward is None:
        return None
    if not callable(reward):
        raise InputError(f"reward={reward!r} cannot be called; give a function of `TaskOutcomes`, or None")
    return guarded("reward=", reward)


def check_choice(name: str, value: object, known: Sequence[object]) -> None:
    """Check an argument with few values.

    Args:
        name: of the argument.
        value: what was given.
        known: what may be given.

    Raises:
        InputError: it is none of them.
    """
    if value not in known:
        raise InputError(f"{name}={value!r} is unknown; give {' or '.join(map(repr, known))}")


def check_counts(**counts: object) -> None:
    """Check arguments that count something, by name.

    Raises:
        InputError: one is no whole number above 0.
    """
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise InputError(f"{name}={count!r} is not a positive whole number; give one")


def _made_again(kind: Callable[..., ScenarioEpisodes], arguments: dict[str, Any]) -> ScenarioEpisodes:
    return kind(**arguments)
