"""Spaces as columns and actions: each compared with what Gymnasium itself says, or with all combinations."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

pytest.importorskip("torch")
from cosim_agents.environments.spaces import MOST_CHOICES, SpaceActions, SpaceColumns, SpaceRows

from cosim.errors import InputError, RunError


def rows(count: int, mask: Any = None) -> SpaceRows:
    zeros = np.zeros(count, np.int64)
    return SpaceRows(np.zeros((count, 1), np.float32), zeros, zeros, mask, [None] * count)


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(-1.0, 3.0, (2, 3)),
        spaces.Discrete(4, start=2),
        spaces.MultiDiscrete([2, 3]),
        spaces.MultiBinary(3),
        spaces.Dict({"b": spaces.Discrete(3), "a": spaces.Box(0.0, 1.0, (2,))}),
        spaces.Tuple((spaces.Discrete(2), spaces.MultiBinary(2))),
    ],
    ids=lambda space: type(space).__name__,
)
def test_columns_are_the_flat_observation(space: spaces.Space[Any]) -> None:
    """A row has one finite value for each column, within its bounds, that gives the observation back."""
    space.seed(1)
    columns = SpaceColumns("x", space)
    for _ in range(20):
        seen = space.sample()
        row = columns.row(seen)
        assert row.shape == (len(columns.names),) == columns.low.shape
        assert (row >= columns.low).all()
        assert (row <= columns.high).all()
        back = spaces.unflatten(space, row.astype(spaces.flatten_space(space).dtype))
        assert repr(back) == repr(seen)


def test_a_mask_is_no_column() -> None:
    """Of an observation with its mask, as PettingZoo has it, the mask is left out of the columns."""
    seen = spaces.Dict({"observation": spaces.Box(0.0, 1.0, (3,)), "action_mask": spaces.MultiBinary(2)})
    columns = SpaceColumns("x", seen)
    assert columns.masked
    assert columns.count == 3
    assert columns.row({"observation": np.ones(3), "action_mask": np.zeros(2)}).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("space", "why"),
    [
        (spaces.Box(0, 255, (84, 84), np.uint8), "an observation has 7,056 columns"),
        (spaces.Sequence(spaces.Discrete(2)), "observations of Sequence have no fixed number of columns"),
    ],
)
def test_observations_that_are_refused(space: spaces.Space[Any], why: str) -> None:
    """Images, and what has no fixed length, are refused with the remedy."""
    with pytest.raises(InputError, match=rf"^x: {why}.*wrap the environment"):
        SpaceColumns("x", space)


def test_values_of_a_box_are_scaled_to_its_bounds() -> None:
    """-1 is the lowest action, 1 the highest, 0 the middle, whatever lies outside is cut; whole numbers are rounded."""
    actions = SpaceActions.of("x", spaces.Box(np.array([-2.0, 0.0]), np.array([2.0, 10.0]), dtype=np.float64))
    assert (actions.values, actions.scores, actions.choices) == (2, 0, 0)
    given = actions.of_values(np.array([[-1, -1], [1, 1], [0, 0], [-9, 0.5]]), rows(4))
    assert np.array(given).tolist() == [[-2, 0], [2, 10], [0, 5], [-2, 7.5]]
    whole = SpaceActions.of("x", spaces.Box(-2, 2, (1,), np.int64))
    assert np.array(whole.of_values(np.array([[0.3]]), rows(1))).tolist() == [[1]]


@pytest.mark.parametrize(
    "space",
    [spaces.Discrete(4, start=-1), spaces.MultiDiscrete([3, 2], start=[1, 5]), spaces.MultiBinary((1, 3))],
    ids=lambda space: type(space).__name__,
)
def test_choices_are_all_actions(space: spaces.Space[Any]) -> None:
    """Each discrete choice is an action of the space, and no two are the same; scores give the highest of each part."""
    actions = SpaceActions.of("x", space)
    given = actions.of_choices(np.arange(actions.choices), rows(actions.choices))
    assert all(space.contains(one) for one in given)
    assert len({repr(one) for one in given}) == actions.choices == np.prod(actions.sizes)
    rng = np.random.default_rng(1)
    for place in product(*map(range, actions.sizes)):
        scores = [rng.uniform(-1.0, 0.5, size) for size in actions.sizes]
        for part, best in zip(scores, place, strict=True):
            part[best] = 0.9
        [made] = actions.of_values(np.concatenate(scores)[None], rows(1))
        assert np.ravel(made).tolist() == (np.array(place) + np.array(actions.start)).tolist()


def test_masks_hold_for_scores_and_choices() -> None:
    """Of two parts, a choice is possible where both values are allowed; the highest score that is allowed counts."""
    space = spaces.MultiDiscrete([3, 2])
    actions = SpaceActions.of("x", space)
    rng = np.random.default_rng(1)
    for _ in range(50):
        parts = [rng.random(size) < 0.6 for size in actions.sizes]
        for part in parts:
            part[rng.integers(len(part))] = True
        mask = actions.mask(tuple(parts))
        assert mask is not None
        assert (mask == actions.mask(np.concatenate(parts).astype(np.int8))).all()
        waiting = rows(1, mask[None])
        possible = actions.possible(waiting)[0]
        given = actions.of_choices(np.arange(6), rows(6))
        wanted = [bool(parts[0][first] and parts[1][second]) for first, second in given]
        assert possible.tolist() == wanted
        [taken] = actions.of_values(rng.uniform(-1.0, 1.0, (1, 5)), waiting)
        assert parts[0][taken[0]]
        assert parts[1][taken[1]]


@pytest.mark.parametrize(
    ("told", "why"), [([1, 0], "has 2 values where the action space has 3"), ([0, 0, 0], "allows nothing")]
)
def test_masks_that_are_refused(told: list[int], why: str) -> None:
    """A mask of another size, or one that allows nothing, is one line."""
    with pytest.raises(RunError, match=why):
        SpaceActions.of("x", spaces.Discrete(3)).mask(np.array(told))


def test_actions_that_are_refused() -> None:
    """Actions without bounds or of other kinds are refused with the remedy; too many choices are none."""
    with pytest.raises(InputError, match=r"^x: actions are a Box without finite bounds.*RescaleAction"):
        SpaceActions.of("x", spaces.Box(-np.inf, np.inf, (1,)))
    with pytest.raises(InputError, match=r"^x: actions of Tuple are none that cosim's agents take; wrap"):
        SpaceActions.of("x", spaces.Tuple((spaces.Discrete(2),)))
    many = SpaceActions.of("x", spaces.MultiDiscrete([10] * 20))
    assert (many.values, many.choices) == (200, 0)
    assert SpaceActions.of("x", spaces.MultiBinary(10)).choices == MOST_CHOICES
