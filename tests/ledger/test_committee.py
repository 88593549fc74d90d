"""Who sits at a height: frequencies against exact probabilities, and how often a committee is a bad one."""

import math
from collections import Counter
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from effort import count, drawn
from hypothesis import given
from hypothesis import strategies as st
from physics import seen
from scipy.stats import hypergeom

from cosim.ledger.block import Block, Evidence
from cosim.ledger.committee import draw_committee, faulty_third, holds_a_third, seated_stake
from cosim.ledger.poqks import Rotation, founded, proposer, settle
from cosim.ledger.run.chain_state import apply_block, genesis
from cosim.scenario.ledger import Credits
from cosim.types import Offence

STAKES = ((500, 300, 200, 100), (1, 1, 1, 1, 1), (7, 0, 2, 1, 5))


def exact_committees(stake: tuple[int, ...], seats: int) -> dict[frozenset[int], Fraction]:
    """The probability of each committee, seat by seat over all orders."""
    reached = {frozenset[int](): Fraction(1)}
    for _ in range(seats):
        grown: dict[frozenset[int], Fraction] = {}
        for seated, chance in reached.items():
            left = sum(stake) - sum(stake[each] for each in seated)
            for validator, held in enumerate(stake):
                if held and validator not in seated:
                    more = seated | {validator}
                    grown[more] = grown.get(more, Fraction(0)) + chance * Fraction(held, left)
        reached = grown
    assert sum(reached.values()) == 1
    return reached


@pytest.mark.parametrize("stake", STAKES)
@pytest.mark.parametrize("seats", [1, 2, 3])
def test_committees_come_up_as_often_as_their_probability(stake: tuple[int, ...], seats: int):
    """Over 20,000 heights each committee is drawn in its exact share, within 4.5 standard errors."""
    heights = count(20_000, least=2_000)
    found = Counter(frozenset(draw_committee(stake, seats, b"previous" * 4, height)) for height in range(heights))
    exact = exact_committees(stake, seats)
    assert found.keys() <= exact.keys()
    for committee, chance in exact.items():
        error = math.sqrt(heights * chance * (1 - chance))
        assert abs(found[committee] - heights * float(chance)) <= 4.5 * error, (sorted(committee), found[committee])


def test_the_first_seats_are_no_sign_of_the_elected():
    """Sortition elects each of six seated validators of equal stake as often as another, whoever sits.

    Chi-square of 6,000 heights over places in the committee: below the 99.9 % quantile of 5 degrees of freedom, 20.5.
    """
    places = Counter[int]()
    for height in range(6_000):
        committee = draw_committee((10,) * 12, 6, bytes(32), height)
        votes = founded(seated_stake((10,) * 12, committee), 0)
        places[committee.index(proposer("sortition", votes, Rotation.fresh(12), bytes(32), height, 0))] += 1
    assert sum((places[place] - 1000) ** 2 / 1000 for place in range(6)) < 20.5


@drawn(300)
@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=12), st.integers(1, 14), st.integers(0, 2**40))
def test_who_is_seated(stake: list[int], seats: int, height: int):
    """Each member holds stake and sits once; as many as there are seats, or all; the same for all who draw."""
    committee = draw_committee(stake, seats, bytes(32), height)
    holders = [each for each, held in enumerate(stake) if held]
    assert committee == tuple(sorted(set(committee))) == draw_committee(tuple(stake), seats, bytes(32), height)
    assert len(committee) == min(seats, len(holders))
    assert set(committee) <= set(holders)
    votes = seated_stake(stake, committee)
    assert [each for each, held in enumerate(votes) if held] == list(committee)
    assert sum(votes) == sum(stake[each] for each in committee)


@pytest.mark.parametrize(("previous", "height"), [(b"\x01" + bytes(31), 5), (bytes(32), 6)])
def test_another_block_or_height_draws_anew(previous: bytes, height: int):
    """The draw is keyed on the block before and on the height."""
    assert draw_committee((1,) * 997, 9, bytes(32), 5) != draw_committee((1,) * 997, 9, previous, height)


def test_equal_stakes_by_the_hypergeometric_law():
    """Against scipy's hypergeometric law, and all committees counted one by one where they are few."""
    cases = [(200, 60, 31), (225, 50, 31), (100, 33, 10), (40, 13, 9), (12, 3, 7), (9, 4, 5), (31, 0, 7), (31, 31, 7)]
    ours = [faulty_third((1000,) * n, range(bad), seats) for n, bad, seats in cases]
    scipys = [float(hypergeom.sf(-(-seats // 3) - 1, n, bad, seats)) for n, bad, seats in cases]
    assert ours == pytest.approx(scipys, rel=1e-9, abs=1e-15)
    seen(ours[:6], scipys[:6])
    for n, bad, seats in cases[4:6]:
        all_of = [holds_a_third((5,) * n, seated, range(bad)) for seated in combinations(range(n), seats)]
        assert faulty_third((5,) * n, range(bad), seats) == pytest.approx(np.mean(all_of))


@pytest.mark.parametrize("stake", STAKES)
@pytest.mark.parametrize("faulty", [(0,), (2,), (1, 3)])
def test_unequal_stakes_by_simulation(stake: tuple[int, ...], faulty: tuple[int, ...]):
    """100,000 committees give the probability that all committees, counted one by one, have; within 0.7 %."""
    exact = [
        float(
            sum(
                chance
                for seated, chance in exact_committees(stake, seats).items()
                if holds_a_third(stake, seated, faulty)
            )
        )
        for seats in (1, 2, 3)
    ]
    ours = [faulty_third(stake, faulty, seats) for seats in (1, 2, 3)]
    assert ours == pytest.approx(exact, abs=4.5 * 0.5 / math.sqrt(100_000))
    assert ours == [faulty_third(stake, faulty, seats) for seats in (1, 2, 3)]


def test_without_seats_there_is_no_probability():
    """No seats or no draws is an error that says so."""
    with pytest.raises(ValueError, match="0 seats"):
        faulty_third((1, 1), (0,), 0)


def test_a_proposer_is_paid_by_its_share_of_the_committee():
    """Of 31 equal members among 200, one gets 100 / 31 credits and pays the others of the committee; with all, none."""
    stakes, committee = founded((1000,) * 200, 1000), tuple(range(0, 62, 2))
    paid = settle(stakes, 4, committee, True, 100, 62, 50, committee)
    assert paid.treasury == 1000 - 3
    assert paid.credits[4] == 1000 + 3 - 2
    assert [each for each, held in enumerate(paid.credits) if held > 1000] == [0, 2, 4]
    assert settle(stakes, 4, committee, True, 100, 62, 50).treasury == 1000
    fined = settle(stakes, 4, committee, False, 100, 62, 62, committee)
    assert fined.credits[4] == 998
    assert sum(fined.credits) == 200_000


def test_evidence_is_paid_to_the_committee_of_its_height():
    """A fine for height 1 goes to those who sat at height 1, though others sit when the block decides it."""
    credits_ = Credits(initial=1000, producer=0, voters=0, penalty=1000)
    first = genesis([True] * 9, 9, credits_, seats=3)
    assert first.committees is not None
    (sat,) = first.committees
    second = apply_block(first, Block(1, sat[0], 1.0, first.digest, first.stakes.digest), (0,) * 9, (), credits_, 3)
    assert second.committees is not None
    others = second.committees[1]
    assert set(others) != set(sat)
    evidence = Evidence(1, 0, sat[1], Offence.INVALID_PROPOSAL, bytes(32), bytes(32))
    block = Block(2, others[0], 2.0, second.digest, second.stakes.digest, evidence=(evidence,), voters=sat)
    third = apply_block(second, block, (0,) * 9, (), credits_, 3)
    gains = [after - before for after, before in zip(third.stakes.credits, second.stakes.credits, strict=True)]
    assert gains == [-333 if each == sat[1] else (167, 166)[each == sat[2]] if each in sat else 0 for each in range(9)]
    assert third.rotation == second.rotation.advanced(second.votes)
    assert [first.had_a_seat(each, 1) for each in range(9)] == [each in sat for each in range(9)]
    assert not third.had_a_seat(0, 99)
