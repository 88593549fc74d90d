"""Spaces of Gymnasium as rows: observations flattened to columns, a learner's numbers decoded to actions."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from gymnasium import spaces

from cosim.errors import InputError, RunError
from cosim.types import AnyArray, BoolArray, FloatArray, IntArray

MOST_COLUMNS: Final = 4096
"""Most numbers of an observation: a dense layer on more, as on an image, is not what these networks are for."""
MOST_CHOICES: Final = 1024
"""Most discrete choices: the product of the sizes of an action's parts."""
_MASKED: Final = {"observation", "action_mask"}


@dataclass(frozen=True, slots=True)
class SpaceRows:
    """Observations as rows, one for each agent that is to act."""

    features: AnyArray  # (n, F) float32
    number: IntArray  # (n,)
    agent: IntArray  # (n,) place among the environment's agents
    mask: BoolArray | None  # (n, sum of sizes) which values of each part of an action are allowed; None: all
    observations: Sequence[Any]
    """The observations as the environment gave them."""


class SpaceColumns:
    """The columns of an observation: Box as it is, Discrete and MultiDiscrete one-hot, Dict and Tuple part by part.

    Of a Dict of `observation` and `action_mask`, as PettingZoo has it, the mask is no column.

    Args:
        name: name of the environment, for messages.
        space: observation space.

    Raises:
        InputError: the space has no fixed number of columns, or too many.
    """

    def __init__(self, name: str, space: spaces.Space[Any]) -> None:
        self.masked = isinstance(space, spaces.Dict) and set(space.spaces) == _MASKED
        self._space = space["observation"] if isinstance(space, spaces.Dict) and self.masked else space
        if space is None or not self._space.is_np_flattenable:
            raise InputError(
                f"{name}: observations of {_kind(space)} have no fixed number of columns; wrap the environment so that "
                "they are Box, Discrete, MultiDiscrete, MultiBinary, Dict or Tuple"
            )
        flat = spaces.flatten_space(self._space)
        assert isinstance(flat, spaces.Box)  # noqa: S101 - as Gymnasium says of what is flattenable
        self.count = int(np.prod(flat.shape))
        if not 1 <= self.count <= MOST_COLUMNS:
            raise InputError(
                f"{name}: an observation has {self.count:,} columns; cosim's networks read 1 to {MOST_COLUMNS:,}: "
                "wrap the environment so that it has fewer"
            )
        self.low: FloatArray = flat.low.astype(np.float64).ravel()
        self.high: FloatArray = flat.high.astype(np.float64).ravel()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(f"obs{number}" for number in range(self.count))

    def row(self, observation: Any) -> AnyArray:
        """Return the columns of an observation, (F,) float32.

        Raises:
            ValueError: it has another number of values, or one is not finite.
        """
        seen = observation["observation"] if self.masked else observation
        row: AnyArray = np.asarray(spaces.flatten(self._space, seen), np.float32).ravel()
        if row.shape != (self.count,):
            raise ValueError(f"an observation has {row.size} values where its space has {self.count}")
        if not np.isfinite(row).all():
            raise ValueError("an observation has a value that is not finite")
        return row


@dataclass(frozen=True, slots=True)
class SpaceActions:
    """The decoding of a learner's numbers to actions of a space, a list with one for each row.

    A Box takes values in [-1, 1], scaled to its bounds. Discrete, MultiDiscrete and MultiBinary are parts of a few
    sizes: a value is the score of one possibility, of which the highest that is allowed is taken in each part; discrete
    choices number the product of all parts, the last part fastest.
    """

    kind: str
    """box, discrete, or parts."""
    sizes: tuple[int, ...]
    """Possibilities of each part; empty for a Box."""
    start: tuple[int, ...]
    """Lowest number of each part."""
    low: tuple[float, ...]
    """Bounds of a Box, flattened."""
    high: tuple[float, ...]
    shape: tuple[int, ...]
    dtype: str

    @classmethod
    def of(cls, name: str, space: spaces.Space[Any]) -> "SpaceActions":
        """Return the decoding for an action space.

        Args:
            name: name of the environment, for messages.
            space: action space.

        Raises:
            InputError: it is a Box without bounds, or of another kind.
        """
        shape, dtype = tuple(space.shape or ()), str(space.dtype)
        if isinstance(space, spaces.Box):
            low, high = space.low.astype(float).ravel(), space.high.astype(float).ravel()
            if not (np.isfinite(low).all() and np.isfinite(high).all() and len(low)):
                raise InputError(
                    f"{name}: actions are a Box without finite bounds, so that values in [-1, 1] mean nothing; "
                    "wrap it with gymnasium.wrappers.RescaleAction or give its Box bounds"
                )
            return cls("box", (), (), tuple(low.tolist()), tuple(high.tolist()), shape, dtype)
        if isinstance(space, spaces.Discrete):
            return cls("discrete", (int(space.n),), (int(space.start),), (), (), shape, dtype)
        if isinstance(space, spaces.MultiDiscrete):
            sizes, start = space.nvec.ravel().tolist(), space.start.ravel().tolist()
            return cls("parts", tuple(sizes), tuple(start), (), (), shape, dtype)
        if isinstance(space, spaces.MultiBinary):
            parts = int(np.prod(shape))
            return cls("parts", (2,) * parts, (0,) * parts, (), (), shape, dtype)
        raise InputError(
            f"{name}: actions of {_kind(space)} are none that cosim's agents take; wrap the environment so that they "
            "are Box, Discrete, MultiDiscrete or MultiBinary"
        )

    @property
    def knobs(self) -> Mapping[str, Any]:
        """What is decided, as a checkpoint keeps it."""
        return asdict(self)

    @property
    def values(self) -> int:
        """Values of a row: numbers of a Box, or scores."""
        return len(self.low) or sum(self.sizes)

    @property
    def scores(self) -> int:
        """The scores of Discrete actions; 0 for several parts, of each of which a score counts."""
        return self.values if self.kind == "discrete" else 0

    @property
    def choices(self) -> int:
        """The product of the sizes of all parts; 0 for a Box, and where there are more than `MOST_CHOICES`."""
        count = 1
        for size in self.sizes:
            count *= size  # of Python, which has no overflow
        return count if self.sizes and count <= MOST_CHOICES else 0

    def of_values(self, values: AnyArray, rows: SpaceRows) -> list[Any]:
        """Return the actions for values, (n, A)."""
        if not self.sizes:
            low, high = np.array(self.low), np.array(self.high)
            scaled = np.clip(low + (np.clip(values, -1.0, 1.0) + 1.0) / 2.0 * (high - low), low, high)
            if np.dtype(self.dtype).kind in "iu":
                scaled = np.rint(scaled)
            return [row.reshape(self.shape).astype(self.dtype) for row in scaled]
        scored = values if rows.mask is None else np.where(rows.mask, values, -np.inf)
        best = [part.argmax(axis=1) for part in np.split(scored, np.cumsum(self.sizes)[:-1], axis=1)]
        return self._told(np.stack(best, axis=1))

    def of_choices(self, choice: IntArray, rows: SpaceRows) -> list[Any]:  # noqa: ARG002 - a choice needs no mask
        """Return the actions for discrete choices, (n,)."""
        return self._told(np.stack(np.unravel_index(choice, self.sizes), axis=1))

    def possible(self, rows: SpaceRows) -> BoolArray:
        """Return which discrete choices each row may take, (n, choices)."""
        count = len(rows.number)
        if rows.mask is None:
            return np.ones((count, self.choices), np.bool_)
        allowed = np.ones((count, 1), np.bool_)
        for part in np.split(rows.mask, np.cumsum(self.sizes)[:-1], axis=1):
            allowed = (allowed[:, :, None] & part[:, None, :]).reshape(count, -1)
        return allowed

    def agent(self, rows: SpaceRows) -> IntArray:
        """Return the number of the agent that decides each row."""
        return rows.agent

    def mask(self, told: Any) -> BoolArray | None:
        """Return an environment's mask as one value for each possibility of each part; None for a Box.

        Args:
            told: the mask as the environment has it: one array over all parts, or one for each; or None.

        Raises:
            RunError: it is of another size, or allows nothing of a part.
        """
        if told is None or not self.sizes:
            return None
        parts = told if isinstance(told, list | tuple) and len(told) == len(self.sizes) > 1 else [told]
        mask: BoolArray = np.concatenate([np.asarray(part, np.bool_).ravel() for part in parts])
        if len(mask) != self.values:
            raise RunError(f"an action mask has {len(mask)} values where the action space has {self.values}")
        if not all(part.any() for part in np.split(mask, np.cumsum(self.sizes)[:-1])):
            raise RunError("an action mask allows nothing")
        return mask

    def _told(self, place: IntArray) -> list[Any]:
        """Return actions from the place in each part, (n, parts)."""
        numbers = place + np.array(self.start)
        if self.kind == "discrete":
            return [int(number) for number in numbers[:, 0]]
        return [row.reshape(self.shape).astype(self.dtype) for row in numbers]


def _kind(space: object) -> str:
    return type(space).__name__
