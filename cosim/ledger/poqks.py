"""Proof of quantum-key stake (paper S3, Algorithm 1): stakes, election of the proposer, quorum, and payment.

Stake is a whole number of credits that a validator earns by serving offloads; it buys nothing else. As printed,
Algorithm 1 cannot be run: an invalid block adds alpha_3 w_p to *every* node and its producer is paid alpha_1 w_p all
the same, so that credits appear from nothing and the cheat gains; a valid block pays the first node alone and breaks;
the producer is the heaviest node each time, so a faulty one stalls the chain for ever; votes are counted once. Here
credits move between validators and a treasury, are made only by served offloads and by joining, and vanish only by
slashing and by leaving; the producer rotates in proportion to stake (Tendermint, arXiv 1807.04938).

All arithmetic is in integers, so that every validator computes the same on every machine. A credit count and each
running total stay below 2^63.
"""

import hashlib
import struct
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from cosim.scenario.ledger import Proposing

NOBODY = -1
"""The proposer when no validator holds a credit: the round passes with no proposal."""


@dataclass(frozen=True, slots=True)
class Stakes:
    """The stakes, in credits, that all validators use for one height; sum(credits) + treasury = minted - burned.

    Raises:
        ValueError: a count is negative, or credits have appeared or vanished.
    """

    credits: tuple[int, ...]
    """Credits of each validator, 0..V-1; 0 for one that is no member."""
    treasury: int
    minted: int
    """All credits ever made."""
    burned: int
    """All credits ever destroyed."""

    def __post_init__(self) -> None:
        if min(self.credits, default=0) < 0 or self.treasury < 0 or self.burned < 0:
            raise ValueError(f"negative credits in {self}")
        if self.total + self.treasury != self.minted - self.burned:
            raise ValueError(f"{self.total + self.treasury} credits where {self.minted - self.burned} should be")

    @property
    def total(self) -> int:
        """The stake T of all members; the treasury has no vote."""
        return sum(self.credits)

    @property
    def digest(self) -> bytes:
        """SHA-256 over the canonical bytes, which a block holds as its `stakes_root`."""
        numbers = (len(self.credits), self.treasury, self.minted, self.burned, *self.credits)
        return hashlib.sha256(struct.pack(f"<{len(numbers)}q", *numbers)).digest()


def founded(initial: Sequence[int], treasury: int) -> Stakes:
    """Return the stakes of the first height, whose credits all count as minted."""
    return Stakes(tuple(initial), treasury, sum(initial) + treasury, 0)


def quorum(stake: Sequence[int], agreeing: Iterable[int]) -> bool:
    """Return whether those who agree hold more than two thirds of all stake: 3 sum(S) > 2 T; each counts once.

    Two quorums share more than a third of the stake: 2/3 + 2/3 - 1.

    >>> quorum([10, 10, 10, 10], [0, 1, 2]), quorum([10, 10, 10], [0, 1])
    (True, False)
    """
    return 3 * sum(stake[validator] for validator in dict.fromkeys(agreeing)) > 2 * sum(stake)


@dataclass(frozen=True, slots=True)
class Rotation:
    """Weighted round robin: the priority of each validator, as an immutable value.

    One step adds S_i to each priority, elects the largest (ties to the lowest number) and takes T from it. With
    constant stake, T / gcd(S) steps from a fresh start elect each i exactly S_i / gcd(S) times. Validators without
    credits keep their priority, so that leaving and coming back does not undo a turn that was taken. All are held
    within [-T, (n - 1) T] for n members: constant stake never leads out of it from a fresh start (priorities sum to 0
    and the elected one was positive), and when T falls nobody waits off a debt of the old size.

    >>> rotation, elected = Rotation.fresh(2), []
    >>> for _ in range(4):
    ...     elected.append(rotation.proposer([3, 1], 0))
    ...     rotation = rotation.advanced([3, 1])
    >>> elected
    [0, 0, 1, 0]
    """

    priorities: tuple[int, ...]

    @classmethod
    def fresh(cls, validators: int) -> "Rotation":
        """Return the rotation before the first turn."""
        return cls((0,) * validators)

    def proposer(self, stake: Sequence[int], round_number: int) -> int:
        """Return the proposer of a round of this height, rounds from 0; NOBODY without stake."""
        return self.advanced(stake, round_number)._stepped(stake)[1]

    def advanced(self, stake: Sequence[int], steps: int = 1) -> "Rotation":
        """Return the rotation after so many steps; one a height, whatever the number of rounds, as in Tendermint."""
        rotation = self
        for _ in range(steps):
            rotation, _elected = rotation._stepped(stake)
        return rotation

    def _stepped(self, stake: Sequence[int]) -> tuple["Rotation", int]:
        total = sum(stake)
        members = [validator for validator, held in enumerate(stake) if held]
        if not members:
            return self, NOBODY
        highest = (len(members) - 1) * total
        priorities = [
            min(max(priority, -total), highest) + held for priority, held in zip(self.priorities, stake, strict=True)
        ]
        elected = max(members, key=priorities.__getitem__)
        priorities[elected] -= total
        return Rotation(tuple(priorities)), elected


def proposer(
    rule: Proposing, stakes: Stakes, rotation: Rotation, previous_hash: bytes, height: int, round_number: int
) -> int:
    """Return the validator that may propose in this round: never one without stake; NOBODY if there is no stake.

    * `weighted_round_robin`: `rotation`, advanced once for each height before this one.
    * `sortition`: SHA-256 of previous hash, height and round, modulo T, falls into one validator's share of [0, T).
      All know the next proposer once a block is made, and its maker could search for a hash that favours itself: a
      verifiable random function, which hides and binds the draw, is left out.
    * `max_stake`: the largest stake in every round, ties to the lowest number. The paper's line 11; an ablation, for no
      round ends well while that validator is faulty.

    Args:
        rule: the scenario's `ledger.proposer`.
        stakes: stakes that vote at this height.
        rotation: state of the round robin at this height.
        previous_hash: digest of the block before.
        height: height of the block.
        round_number: round of this height, from 0.
    """
    stake = stakes.credits
    if rule == "weighted_round_robin":
        return rotation.proposer(stake, round_number)
    if not stakes.total:
        return NOBODY
    if rule == "max_stake":
        return max(range(len(stake)), key=stake.__getitem__)
    seed = hashlib.sha256(previous_hash + struct.pack("<qi", height, round_number)).digest()
    ticket = int.from_bytes(seed, "little") % stakes.total
    return bisect_right(list(accumulate(stake)), ticket)


def settle(
    stakes: Stakes,
    proposer: int,
    voters: Iterable[int],
    valid: bool,
    alpha1: int,
    alpha2: int,
    alpha3: int,
    seated: Sequence[int] | None = None,
) -> Stakes:
    """Return the stakes after payment for one block, with w_p = S_p / T before any payment.

    T is the stake of those who had a seat at the block's height: of its committee, or of all without one.

    Valid: the treasury pays floor(alpha_1 w_p) to the proposer, who then pays floor(beta w_p) to the other voters.
    Invalid: the proposer pays floor(alpha_3 w_p) to the other voters. Voters share in proportion to their stake by
    largest remainder, ties to the lowest number; what has no receiver goes to the treasury.
    beta = alpha_2: line 16 takes beta w_p from the producer and line 17 gives alpha_2 w_p to the others, and only then
    do the two lines balance. The payment of the reward (lines 12 and 24) is read as from the treasury, for a valid
    block alone. A validator that cannot pay in full pays what it has, so no count falls below 0.

    Args:
        stakes: before the payment.
        proposer: the validator that made the block.
        voters: validators that voted on it; the proposer may be among them and gets no share.
        valid: whether the block is accepted; False: it is proven to be invalid.
        alpha1: reward, in credits, of a proposer that held all stake.
        alpha2: fee of such a proposer to the voters, the paper's beta.
        alpha3: penalty of such a proposer for an invalid block.
        seated: the committee of the block's height, the proposer among them; None: all.
    """
    total = stakes.total if seated is None else sum(stakes.credits[validator] for validator in seated)
    if total == 0:
        return stakes
    own = stakes.credits[proposer]
    reward = min(stakes.treasury, alpha1 * own // total) if valid else 0
    payment = min(own + reward, (alpha2 if valid else alpha3) * own // total)
    receivers = dict.fromkeys(voters)
    weights = [
        held if validator in receivers and validator != proposer else 0 for validator, held in enumerate(stakes.credits)
    ]
    shares = apportioned(payment, weights)
    counts = [held + share for held, share in zip(stakes.credits, shares, strict=True)]
    counts[proposer] += reward - payment
    return replace(stakes, credits=tuple(counts), treasury=stakes.treasury - reward + payment - sum(shares))


def apportioned(amount: int, weights: Sequence[int]) -> list[int]:
    """Return whole shares of `amount` in proportion to the weights, by largest remainder, ties to the lowest index.

    The shares add up to `amount`, or are all 0 if no weight is positive.

    >>> apportioned(10, [1, 1, 1])
    [4, 3, 3]
    """
    total = sum(weights)
    if total == 0:
        return [0] * len(weights)
    shares = [amount * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda index: (-(amount * weights[index] % total), index))
    for index in by_remainder[: amount - sum(shares)]:
        shares[index] += 1
    return shares


def earn(stakes: Stakes, served: Sequence[int], credit_per_offload: int) -> Stakes:
    """Return the stakes with credits minted for the offloads served since the last height.

    Args:
        stakes: before the credits are minted.
        served: offloads served by each validator; must be 0 for one that is no member, whom credits would make one.
        credit_per_offload: credits for each offload.
    """
    earned = [count * credit_per_offload for count in served]
    counts = tuple(held + new for held, new in zip(stakes.credits, earned, strict=True))
    return replace(stakes, credits=counts, minted=stakes.minted + sum(earned))


def slash(stakes: Stakes, validator: int, share_numerator: int, share_denominator: int) -> Stakes:
    """Return the stakes with a share of a proven offender's burned, rounded up, so that the smallest stake loses too.

    Args:
        stakes: before the slashing.
        validator: the offender.
        share_numerator: of the share that is burned.
        share_denominator: of the share that is burned.

    Raises:
        ValueError: the share is not between 0 and 1.
    """
    if not 0 <= share_numerator <= share_denominator or share_denominator == 0:
        raise ValueError(f"share {share_numerator}/{share_denominator} is not between 0 and 1")
    lost = -(-stakes.credits[validator] * share_numerator // share_denominator)
    return _burnt(stakes, validator, lost)


def join(stakes: Stakes, validator: int, initial: int) -> Stakes:
    """Return the stakes after a validator joins between two heights; its initial credits are minted.

    Args:
        stakes: before it joins.
        validator: its number.
        initial: its credits.
    """
    counts = list(stakes.credits)
    counts[validator] += initial
    return replace(stakes, credits=tuple(counts), minted=stakes.minted + initial)


def leave(stakes: Stakes, validator: int) -> Stakes:
    """Return the stakes after a validator leaves between two heights; its credits are burned.

    Credits are a vote, not property. Kept by a validator that left, they could come back in bulk at a moment of its
    choice; given to the treasury, they would be paid out to those who made it leave.
    """
    return _burnt(stakes, validator, stakes.credits[validator])


def _burnt(stakes: Stakes, validator: int, lost: int) -> Stakes:
    counts = list(stakes.credits)
    counts[validator] -= lost
    return replace(stakes, credits=tuple(counts), burned=stakes.burned + lost)
