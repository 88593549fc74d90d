"""The committee of a height: validators drawn by stake, who alone propose and vote, and how often it is a bad one.

The draw is sequential, by stake and without replacement: each seat goes to one of those who have none yet, with a
probability in proportion to stake. Each place has a hash of its own, as `poqks.proposer` has for `sortition`, so that
all who know the chain draw the same. Like there, the maker of a block could search for one that favours itself: a
verifiable random function is left out.

A committee decides by more than two thirds of its own stake, so that what holds for less than a third of all stake
being faulty holds at a height for less than a third of the committee's. A share of faulty stake that is harmless in
the whole can be too large in a committee: `faulty_third` is how often that happens.
"""

import hashlib
import math
import struct
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from cosim.kernel.rng import stream
from cosim.types import BoolArray, FloatArray

_DRAWS = 100_000
_ROWS = 2_000
"""Committees that are drawn at once."""


def draw_committee(stake: Sequence[int], seats: int, previous_hash: bytes, height: int) -> tuple[int, ...]:
    """Return the validators with a seat at a height, ascending; all that hold stake if there are no more than seats.

    Seat i goes to the validator into whose share of the stake that has no seat yet SHA-256 of previous hash, height
    and -1 - i falls; rounds, for which `sortition` has the third number, are not negative.

    >>> draw_committee((5, 0, 1, 1), 3, bytes(32), 1), draw_committee((1,) * 6, 3, bytes(32), 1)
    ((0, 2, 3), (3, 4, 5))

    Args:
        stake: credits of each validator.
        seats: the scenario's `ledger.committee`.
        previous_hash: digest of the block before.
        height: height of the block that is voted on.
    """
    waiting = [validator for validator, held in enumerate(stake) if held]
    if len(waiting) <= seats:
        return tuple(waiting)
    left = sum(stake)
    seated = []
    for seat in range(seats):
        seed = hashlib.sha256(previous_hash + struct.pack("<qi", height, -1 - seat)).digest()
        ticket = int.from_bytes(seed, "little") % left
        for place, validator in enumerate(waiting):  # noqa: B007 - the place is what is looked for
            ticket -= stake[validator]
            if ticket < 0:
                break
        drawn = waiting.pop(place)
        left -= stake[drawn]
        seated.append(drawn)
    return tuple(sorted(seated))


def seated_stake(stake: Sequence[int], committee: Collection[int]) -> tuple[int, ...]:
    """Return the credits that vote: those of the committee, 0 for all others.

    >>> seated_stake((5, 6, 7), (0, 2))
    (5, 0, 7)
    """
    votes = [0] * len(stake)
    for validator in committee:
        votes[validator] = stake[validator]
    return tuple(votes)


def holds_a_third(
    stake: Sequence[int] | Mapping[int, int], committee: Collection[int], faulty: Collection[int]
) -> bool:
    """Return whether faulty validators have at least a third of the committee's stake.

    >>> holds_a_third((1, 1, 1, 1), (0, 1, 2), {2}), holds_a_third((1, 1, 1, 1), (0, 1, 2, 3), {2})
    (True, False)

    Args:
        stake: credits of each validator.
        committee: those with a seat.
        faulty: numbers of the faulty ones, with or without a seat.
    """
    seated = sum(stake[validator] for validator in committee)
    return 3 * sum(stake[validator] for validator in committee if validator in faulty) >= seated


def faulty_third(stake: Sequence[int], faulty: Collection[int], seats: int, draws: int = _DRAWS) -> float:
    """Return the probability that at least a third of a committee's stake is faulty.

    Equal stakes: the hypergeometric law, exactly. Unequal ones: the share of `draws` seeded committees, with a
    standard error of at most 0.5 / sqrt(draws), 0.0016 for the default.

    >>> round(faulty_third((1000,) * 200, range(60), seats=31), 4)
    0.2996
    >>> faulty_third((1,) * 4, range(2), seats=3)
    1.0

    Args:
        stake: credits of each validator; one without any gets no seat.
        faulty: numbers of the faulty ones.
        seats: of the committee.
        draws: number of committees that are drawn where stakes are unequal.

    Raises:
        ValueError: there are no seats, or no draws.
    """
    if seats < 1 or draws < 1:
        raise ValueError(f"{seats} seats and {draws} draws: give at least one of each")
    holders = [validator for validator, held in enumerate(stake) if held]
    seats = min(seats, len(holders))
    bad = sum(validator in faulty for validator in holders)
    if seats == len(holders):
        return float(holds_a_third(stake, holders, frozenset(faulty)))
    if len({stake[validator] for validator in holders}) == 1:
        return _hypergeometric(len(holders), bad, seats)
    weights: FloatArray = np.array([stake[validator] for validator in holders], np.float64)
    is_faulty = np.array([validator in faulty for validator in holders])
    return _simulated(weights, is_faulty, seats, draws)


def _hypergeometric(validators: int, faulty: int, seats: int) -> float:
    """Return the probability that at least a third of the seats, drawn without replacement, are faulty.

    Args:
        validators: number of validators of equal stake.
        faulty: number of faulty ones among them.
        seats: of the committee.
    """
    least = -(-seats // 3)
    ways = sum(
        math.comb(faulty, bad) * math.comb(validators - faulty, seats - bad)
        for bad in range(least, min(faulty, seats) + 1)
    )
    return ways / math.comb(validators, seats)


def _simulated(weights: FloatArray, faulty: BoolArray, seats: int, draws: int) -> float:
    """Return the share of drawn committees of which at least a third of the stake is faulty.

    The seats that come first in a race of exponential times with the stakes as rates are a sequential draw by stake
    without replacement: whoever is next is drawn in proportion to the stakes that are left.

    Args:
        weights: stakes above 0, (V,).
        faulty: which validators are faulty, (V,).
        seats: of the committee, fewer than V.
        draws: number of committees.
    """
    rng = stream(0, "ledger.committee")
    hits = 0
    for first in range(0, draws, _ROWS):
        race = rng.exponential(size=(min(_ROWS, draws - first), len(weights))) / weights
        seated = np.argpartition(race, seats - 1, axis=1)[:, :seats]
        held = weights[seated]
        hits += int(np.count_nonzero(3.0 * np.where(faulty[seated], held, 0.0).sum(axis=1) >= held.sum(axis=1)))
    return hits / draws
