"""Who may propose: the golden sequences, shares over a turn, and changes of stake."""

import math
from collections import Counter
from itertools import accumulate, repeat

import pytest
from effort import drawn
from hypothesis import given
from hypothesis import strategies as st
from physics import seen

from cosim.ledger.poqks import NOBODY, Rotation, founded, proposer


def _sequence(stake, steps, rotation=None):
    rotation = rotation or Rotation.fresh(len(stake))
    turns = accumulate(repeat(stake, steps - 1), Rotation.advanced, initial=rotation)
    return [each.proposer(stake, 0) for each in turns]


def test_golden_sequences():
    """Stakes 1:3 and 500:300:200 give the reference sequences of proposers (the first counts its validators from 1)."""
    assert [each + 1 for each in _sequence((1, 3), 8)] == [2, 1, 2, 2, 2, 1, 2, 2]
    assert _sequence((500, 300, 200), 10) == [0, 1, 2, 0, 0, 1, 0, 2, 1, 0]


def test_rounds_go_on_where_heights_would():
    """Round r of a height is proposed by whoever would propose r heights later."""
    stakes, rotation = founded((500, 300, 200), 0), Rotation.fresh(3)
    rounds = [proposer("weighted_round_robin", stakes, rotation, b"", 1, round_) for round_ in range(10)]
    assert rounds == _sequence(stakes.credits, 10)
    assert rotation.advanced(stakes.credits, 4).proposer(stakes.credits, 0) == rounds[4]


@drawn(120)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=8).filter(any))
def test_proportional_within_one_turn(stake):
    """In T / gcd steps each validator proposes exactly stake / gcd times, and the rotation is as at the start."""
    unit = math.gcd(*stake)
    turn = sum(stake) // unit
    counts = Counter(_sequence(tuple(stake), turn))
    assert [counts[each] for each in range(len(stake))] == [held // unit for held in stake]
    assert Rotation.fresh(len(stake)).advanced(stake, turn) == Rotation.fresh(len(stake))


@drawn(150)
@given(st.lists(st.lists(st.integers(0, 10**6), min_size=4, max_size=4), min_size=1, max_size=20), st.integers(0, 3))
def test_no_stake_no_turn(history, height):
    """Whatever stakes came before, and under every rule, nobody without stake is elected."""
    rotation = Rotation.fresh(4)
    for held in history:
        rotation = rotation.advanced(held)
        stakes = founded(held, 0)
        for rule in ("weighted_round_robin", "sortition", "max_stake"):
            elected = proposer(rule, stakes, rotation, b"previous", height, 1)
            assert held[elected] > 0 if any(held) else elected == NOBODY


def test_fall_of_stake_leaves_no_old_debt():
    """After the richest validator is slashed from a million credits to 100, it proposes again within a few turns."""
    rotation = Rotation.fresh(3).advanced((10**6, 10**6 - 1, 100), 1)
    assert min(rotation.priorities) < -(10**5)
    assert Counter(_sequence((100, 100, 100), 9, rotation))[0] >= 2


def test_coming_back_undoes_no_turn():
    """A validator that leaves right after its turn and comes back is not before those who waited."""
    stake = (100, 100, 100)
    rotation = Rotation.fresh(3).advanced(stake)
    assert rotation.advanced((0, 100, 100), 2).proposer(stake, 0) == 1
    assert _sequence(stake, 3, rotation) == [1, 2, 0]


def test_single_validator():
    """A single validator proposes always."""
    assert _sequence((7,), 5) == [0] * 5
    assert all(proposer("sortition", founded((7,), 0), Rotation.fresh(1), bytes(32), 9, r) == 0 for r in range(5))


def test_sortition_is_proportional():
    """Sortition elects 500:300:200 in these shares: chi-square of 6000 heights below the 99.9 % quantile 13.8."""
    stakes, heights = founded((500, 300, 200), 0), 6000
    counts = Counter(proposer("sortition", stakes, Rotation.fresh(3), bytes(32), h, 0) for h in range(heights))
    expected = [heights * held / 1000 for held in stakes.credits]
    assert sum((counts[each] - mean) ** 2 / mean for each, mean in enumerate(expected)) < 13.8
    seen([counts[each] for each in range(3)], expected)


@pytest.mark.parametrize("changed", [(b"\x01" + bytes(31), 0, 0), (bytes(32), 1, 0), (bytes(32), 0, 1)])
def test_sortition_is_keyed(changed):
    """Another previous hash, height or round draws anew, and the same ones draw the same."""
    stakes, rotation = founded((1,) * 997, 0), Rotation.fresh(997)
    drawn = proposer("sortition", stakes, rotation, bytes(32), 0, 0)
    assert drawn == proposer("sortition", stakes, rotation, bytes(32), 0, 0)
    assert drawn != proposer("sortition", stakes, rotation, *changed)


def test_max_stake_never_changes_round():
    """The paper's rule names the largest stake in every round, ties to the lowest number."""
    stakes = founded((200, 500, 500), 0)
    named = [proposer("max_stake", stakes, Rotation.fresh(3), bytes(32), 1, r) for r in range(6)]
    assert named == [1] * 6
