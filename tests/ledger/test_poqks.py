"""Credits and their settlement: golden values, conservation, and who pays when the money is short."""

import pytest
from effort import drawn
from hypothesis import given
from hypothesis import strategies as st
from physics import seen

from cosim.ledger.poqks import Stakes, apportioned, earn, founded, join, leave, quorum, settle, slash

START = founded((500, 300, 200), 1000)


@pytest.mark.parametrize(
    ("valid", "credits_after", "treasury_after"), [(True, (545, 303, 202), 950), (False, (475, 315, 210), 1000)]
)
def test_golden_settlement(valid, credits_after, treasury_after):
    """Reward 100, fee 10 and penalty 50 move 500/300/200 and a treasury of 1000 as the reference values say."""
    after = settle(START, 0, (1, 2), valid, 100, 10, 50)
    assert (after.credits, after.treasury) == (credits_after, treasury_after)
    seen((*after.credits, after.treasury), (*credits_after, treasury_after), "credits")


def test_as_printed_the_cheat_gains():
    """Algorithm 1 taken literally makes 125 credits from an invalid block, and its producer gains 75 of them."""
    keys, alpha1, alpha3 = [500.0, 300.0, 200.0], 100, 50
    weight = keys[0] / sum(keys)
    reward = alpha1 * weight
    for node in range(3):
        keys[node] += alpha3 * weight
    keys[0] += reward
    assert keys == [575.0, 325.0, 225.0]
    ours = settle(START, 0, (1, 2), False, 100, 10, 50)
    assert sum(ours.credits) == 1000
    assert ours.credits[0] == 475


def test_proposer_that_cannot_pay():
    """A penalty above the proposer's stake takes what it has and no more."""
    after = settle(START, 2, (0, 1), False, 100, 10, 5000)
    assert after.credits == (625, 375, 0)


def test_treasury_that_cannot_pay():
    """A treasury with less than the reward pays what is left."""
    after = settle(founded((500, 300, 200), 7), 0, (), True, 100, 0, 50)
    assert (after.credits, after.treasury) == ((507, 300, 200), 0)


def test_nobody_to_pay():
    """With no other voter that holds stake, fee and penalty go to the treasury."""
    alone = founded((500,), 1000)
    assert settle(alone, 0, (0,), True, 100, 10, 50) == Stakes((590,), 910, 1500, 0)
    assert settle(alone, 0, (0,), False, 100, 10, 50) == Stakes((450,), 1050, 1500, 0)
    assert settle(founded((500, 0), 0), 0, (1,), False, 0, 0, 50).credits == (450, 0)


def test_no_stake_at_all():
    """Without any stake nothing is paid."""
    nothing = founded((0, 0), 50)
    assert settle(nothing, 0, (1,), True, 100, 10, 50) == nothing


def test_repeated_voter_is_paid_once():
    """A validator that is named twice among the voters gets one share."""
    assert settle(START, 0, (1, 2, 1, 0), False, 100, 10, 50) == settle(START, 0, (2, 1), False, 100, 10, 50)


def test_largest_remainder():
    """Ten credits over 1:1:1 and 5:3:1 go by largest remainder, ties to the lowest number."""
    assert apportioned(10, (1, 1, 1)) == [4, 3, 3]
    assert apportioned(10, (5, 3, 1)) == [6, 3, 1]
    assert apportioned(10, (0, 0)) == [0, 0]


def test_slashing_rounds_up():
    """Slashing a twentieth burns 25 of 500, and the only credit of the smallest stake."""
    assert slash(START, 0, 1, 20) == Stakes((475, 300, 200), 1000, 2000, 25)
    assert slash(founded((1, 5), 0), 0, 1, 20).credits == (0, 5)


@pytest.mark.parametrize("share", [(2, 1), (-1, 2), (0, 0)])
def test_impossible_share(share):
    """A share to slash outside [0, 1] is refused."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        slash(START, 0, *share)


def test_membership():
    """Joining mints the initial credits, serving mints earned ones, leaving burns all that one holds."""
    member = join(founded((500, 0), 1000), 1, 80)
    assert member == Stakes((500, 80), 1000, 1580, 0)
    assert earn(member, (0, 3), 2) == Stakes((500, 86), 1000, 1586, 0)
    assert leave(member, 1) == Stakes((500, 0), 1000, 1580, 80)


@pytest.mark.parametrize("wrong", [((1, 2), 3, 7, 0), ((-1, 2), 3, 4, 0), ((1, 2), 3, 6, 1), ((1, 2), -3, 0, 0)])
def test_stakes_that_cannot_be(wrong):
    """Stakes with a negative count, or whose credits do not add up, cannot be built."""
    with pytest.raises(ValueError, match="credits"):
        Stakes(*wrong)


def test_stakes_digest():
    """Every number of the stakes, and the order of the credits, is in their digest."""
    others = [
        founded((300, 500, 200), 1000),
        founded((500, 300, 200, 0), 1000),
        founded((500, 300, 200), 999),
        Stakes((500, 300, 200), 1000, 2001, 1),
    ]
    assert len({stakes.digest for stakes in (START, *others)}) == 5
    assert founded((500, 300, 200), 1000).digest == START.digest


MEMBER = st.integers(0, 4)
AMOUNT = st.integers(0, 10**6)
STEP = st.one_of(
    st.tuples(st.just(settle), MEMBER, st.lists(MEMBER), st.booleans(), AMOUNT, AMOUNT, AMOUNT),
    st.tuples(st.just(earn), st.lists(AMOUNT, min_size=5, max_size=5), st.integers(0, 9)),
    st.tuples(st.just(slash), MEMBER, st.integers(0, 20), st.just(20)),
    st.tuples(st.just(join), MEMBER, AMOUNT),
    st.tuples(st.just(leave), MEMBER),
)


@drawn(150)
@given(st.lists(AMOUNT, min_size=5, max_size=5), AMOUNT, st.lists(STEP, max_size=30))
def test_credits_are_conserved(initial, treasury, steps):
    """Random blocks, offloads, slashings, joins and leaves keep stakes + treasury = minted - burned, none negative."""
    stakes = founded(initial, treasury)
    for change, *arguments in steps:
        before, stakes = stakes, change(stakes, *arguments)
        assert stakes.total + stakes.treasury == stakes.minted - stakes.burned
        assert min(*stakes.credits, stakes.treasury) >= 0
        if change is settle:
            assert (stakes.minted, stakes.burned) == (before.minted, before.burned)


@drawn(200)
@given(st.lists(AMOUNT, min_size=1, max_size=9), st.data())
def test_quorums_intersect(stake, data):
    """Any two quorums share more than a third of the stake."""
    everyone = range(len(stake))
    some = st.lists(st.sampled_from(everyone), max_size=12)
    first, second = data.draw(some), data.draw(some)
    if quorum(stake, first) and quorum(stake, second):
        assert 3 * sum(stake[each] for each in everyone if each in first and each in second) > sum(stake)


def test_quorum_is_more_than_two_thirds():
    """Exactly two thirds are no quorum, a credit more is, nobody counts twice, and no stake is never one."""
    assert not quorum((1, 1, 1), (0, 1))
    assert not quorum((1, 1, 1), (0, 1, 1, 0))
    assert quorum((1, 1, 1), (0, 1, 2))
    assert quorum((2, 2, 1), (0, 1))
    assert quorum((5,), (0,))
    assert not quorum((0, 0), (0, 1))
