"""Hosts of several tiers hand load to each other (S2 figure 10)."""

import itertools

import numpy as np
import pytest
from effort import drawn
from hypothesis import given
from hypothesis import strategies as st

from cosim.twin.placing.tiers import HostTier, balance, climb_s, pick_twins

LOADS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 10)), min_size=2, max_size=4)


def test_least_delay_first():
    """An RSU with 4 too many hands 3 to the neighbour that has room for 3, and 1 to the cloud behind it."""
    delay_s = np.array([[0, 1, 9], [1, 0, 9], [9, 9, 0]], float)
    exchange = balance(np.array([12.0, 5, 0]), np.array([10.0, 10, 100]), delay_s, 0.9, 0.8)
    np.testing.assert_allclose(exchange.handed, [[0, 3, 1], [0, 0, 0], [0, 0, 0]])
    assert not exchange.left.any()


def test_least_sum_not_first_come():
    """Who has a second way leaves the near host to who has none: the first host hands on over the longer way."""
    delay_s = np.array([[0, 9, 1, 2], [9, 0, 1, np.inf], [1, 1, 0, 9], [2, 9, 9, 0]])
    exchange = balance(np.array([6.0, 6, 0, 0]), np.array([4.0, 4, 2, 2]), delay_s, 1.0, 1.0)
    np.testing.assert_allclose(exchange.handed[:2, 2:], [[0, 2], [2, 0]])


def test_quiet_between_target_and_high():
    """Between target and high a host neither hands on nor takes."""
    exchange = balance(np.array([8.9, 8.1]), np.array([10.0, 10]), np.ones((2, 2)), 0.9, 0.8)
    assert not exchange.handed.any()
    assert not exchange.left.any()


def test_target_above_high_is_refused():
    """A target above the threshold would make a host hand on load and take it back."""
    with pytest.raises(ValueError, match="above high"):
        balance(np.ones(2), np.ones(2), np.ones((2, 2)), 0.5, 0.6)


def test_climbing_costs():
    """Each tier up adds the step, the way down adds nothing."""
    tiers = np.array([HostTier.RSU, HostTier.EDGE, HostTier.CLOUD])
    expected = [[0.5, 1.5, 2.5], [0.5, 0.5, 1.5], [0.5, 0.5, 0.5]]
    np.testing.assert_allclose(climb_s(np.full((3, 3), 0.5), tiers, 1.0), expected)


@drawn(100)
@given(LOADS, st.data())
def test_balance_keeps_capacities(hosts, data):
    """Load is conserved, nobody above high after handing on but by what is told as left, no taker above its target."""
    load, capacity = (np.array(side, float) for side in zip(*hosts, strict=True))
    pairs = st.one_of(st.integers(0, 9), st.just(np.inf))
    rows = st.lists(pairs, min_size=len(load), max_size=len(load))
    delay_s = np.array(data.draw(st.lists(rows, min_size=len(load), max_size=len(load))), float)
    exchange = balance(load, capacity, delay_s, 0.9, 0.7)
    assert (exchange.handed >= 0).all()
    assert not exchange.handed[~np.isfinite(delay_s)].any()
    assert not ((exchange.handed > 0) & (exchange.handed.T > 0)).any()
    after = load - exchange.handed.sum(axis=1) + exchange.handed.sum(axis=0)
    assert after.sum() == pytest.approx(load.sum())
    taking = exchange.handed.sum(axis=0) > 0
    assert (after[taking] <= 0.7 * capacity[taking] + 1e-6).all()
    full = load > 0.9 * capacity
    np.testing.assert_allclose(after[full], (0.7 * capacity + exchange.left)[full], atol=1e-6)


@drawn(60)
@given(LOADS, st.data())
def test_balance_hands_on_all_it_can(hosts, data):
    """What is left equals the cut bound: no set of full hosts could have handed on more to whom it reaches."""
    load, capacity = (np.array(side, float) for side in zip(*hosts, strict=True))
    count = len(load)
    reach = np.array(data.draw(st.lists(st.booleans(), min_size=count**2, max_size=count**2))).reshape(count, count)
    exchange = balance(load, capacity, np.where(reach, 1.0, np.inf), 1.0, 1.0)
    excess, spare = np.maximum(load - capacity, 0), np.maximum(capacity - load, 0)
    subsets = itertools.chain.from_iterable(itertools.combinations(range(count), size) for size in range(count + 1))
    least = max(excess[list(part)].sum() - spare[reach[list(part)].any(axis=0)].sum() for part in subsets)
    assert exchange.left.sum() == pytest.approx(max(least, 0.0), abs=1e-6)


def test_picked_twins_fit_the_amount():
    """Of twins of size 2 the two go that lose least, where the amount is 5; who cannot stand there stays."""
    exchange = balance(np.array([13.0, 0]), np.array([10.0, 10]), np.ones((2, 2)), 0.9, 0.8)
    cost_s = np.array([[1.0, 9.0], [1, 2], [1, np.inf], [1, 3]])
    wanted = pick_twins(exchange, np.zeros(4, np.int64), np.full(4, 2.0), cost_s)
    assert wanted.tolist() == [0, 1, 0, 1]
