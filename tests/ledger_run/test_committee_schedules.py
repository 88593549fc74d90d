"""Committees under random disturbances: safe where less than a third of their stake lies, on time where they can be.

A schedule is of 6 to 10 validators of whom a committee of 3 to 7 is drawn for each height. Until a time T any of them
is silent, stopped and started again, slow, parted from others or not heard by chance; liars, and those never heard,
have less than a third of all stake, but in a committee it can be more. See `cosim.validation.votes`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import physics
import pytest
from adversary import Colludes
from effort import rest_long, seeds

from cosim.kernel.rng import stream
from cosim.ledger.committee import faulty_third
from cosim.ledger.liveness import decision_bound_s
from cosim.validation.votes import HEIGHTS, Disturbances, Lying, Span, VotingSchedule, drawn, liar_of

Record: TypeAlias = Callable[[str, object], None]


@dataclass(frozen=True)
class SeatedHeight:
    """What became of a height that all connected validators had begun."""

    safe: bool
    """Less than a third of the committee's stake lies."""
    live: bool
    """More than two thirds of it is honest and connected."""
    blocks: int
    """Different blocks that honest validators decided."""
    ratio: float
    """Time to the decision of all connected ones with a seat over the bound; infinite if it never came."""
    followed: bool
    """All connected ones decided in the end, with a seat or without."""


class CommitteeSchedule(VotingSchedule):
    """A schedule that notes from when on, and in which round, each height can be decided."""

    def __init__(self, plan: Disturbances, rng: np.random.Generator, lying: Lying) -> None:
        super().__init__(plan, rng, lying)
        self.claimed: dict[int, tuple[float, int]] = {}

    def _begin(self, number: int, height: int) -> None:
        super()._begin(number, height)
        self._claim(height)

    def _settle(self) -> None:
        super()._settle()
        for height in range(HEIGHTS):
            self._claim(height)

    def _claim(self, height: int) -> None:
        """Note time and open round once T is over and every connected validator has begun a height."""
        begun = all(height in self.began_s[each] for each in self.plan.connected)
        if height not in self.claimed and begun and self.now_s >= self.plan.settled_s:
            open_ = [each for each in self.plan.connected if height not in self.decided[each]]
            rounds = [self.machines[each].round for each in open_ if self.machines[each].height == height]
            self.claimed[height] = self.now_s, max([0, *rounds])

    def heights(self) -> list[SeatedHeight]:
        """The outcome, height by height; a height that one connected validator has never begun is left out."""
        self.run()
        found = []
        for height, (from_s, round_) in sorted(self.claimed.items()):
            votes, plan = self.votes[height], self.plan
            held = [sum(votes[each] for each in group) for group in (plan.liars, plan.connected)]
            seated = [each for each in plan.connected if votes[each]]
            digests = {self.decided[each][height][1] for each in self.honest if height in self.decided[each]}
            ratio = float("inf")
            if all(height in self.decided[each] for each in seated):
                ends_s = max([from_s, *(self.decided[each][height][0] for each in seated)])
                unheard = sum(held > 0 for held in votes) - len(seated)
                ratio = (ends_s - from_s) / decision_bound_s(plan.timeouts, round_, unheard, plan.delay_s)
            total = sum(votes)
            followed = all(height in self.decided[each] for each in plan.connected)
            found.append(SeatedHeight(3 * held[0] < total, 3 * held[1] > 2 * total, len(digests), ratio, followed))
        return found


def seated(rng: np.random.Generator) -> Disturbances:
    """Disturbances of 6 to 10 validators with committees."""
    members = int(rng.integers(6, 11))
    held = tuple(rng.integers(50, 1000, members).tolist() if rng.random() < 0.5 else [10] * members)
    plan = drawn(rng, held)
    return replace(plan, seats=int(rng.integers(3, min(8, members))), salt=rng.bytes(8))


def outcome_of(seed: int, lying: Lying | None = None) -> tuple[Disturbances, list[SeatedHeight]]:
    """The schedule of a seed and what became of its heights."""
    rng = stream(seed, "test.committees")
    plan = seated(rng)
    return plan, CommitteeSchedule(plan, rng, liar_of(rng) if lying is None else lying).heights()


def told(outcomes: list[tuple[Disturbances, list[SeatedHeight]]]) -> str:
    """Shares and worst cases as a line; the long run prints it at its end."""
    heights = [height for _, found in outcomes for height in found]
    expected = [faulty_third(plan.credits, plan.liars, plan.seats or 1, draws=2000) for plan, _ in outcomes]
    sound = [height for height in heights if height.safe]
    live = [height.ratio for height in heights if height.live]
    outside = sum(not plan_safe(plan, height) for plan, _ in outcomes for height in range(HEIGHTS))
    return (
        f"{len(outcomes)} schedules, {len(heights)} heights: {sum(height.blocks > 1 for height in sound)} conflicts "
        f"at {len(sound)} safe ones, {sum(ratio > 1.0 for ratio in live)} late of {len(live)} live ones, worst "
        f"{max(live):.2f} of its bound; a third or more lies at {outside / (HEIGHTS * len(outcomes)):.4f} of the "
        f"heights, {np.mean(expected):.4f} by the law"
    )


def plan_safe(plan: Disturbances, height: int) -> bool:
    """Whether less than a third of the stake that votes at a height lies."""
    votes = plan.votes(height)
    return 3 * sum(votes[each] for each in plan.liars) < sum(votes)


@pytest.mark.parametrize("block", rest_long(range(5)))
def test_a_sound_committee_decides_once_and_in_time(block: int, record_property: Record):
    """Of 10,000 schedules no sound committee has two blocks at a height, and none that is heard waits too long.

    The share of committees of which a third or more lies is the computed probability, within 4 standard errors.
    """
    outcomes = [outcome_of(seed) for seed in seeds(2000, least=100, start=2000 * block)]
    record_property("measured", told(outcomes))
    heights = [height for _, found in outcomes for height in found]
    assert all(height.blocks <= 1 for height in heights if height.safe), told(outcomes)
    assert all(height.ratio <= 1.0 for height in heights if height.live and height.safe), told(outcomes)
    assert all(height.followed for height in heights if height.live and height.safe), told(outcomes)
    assert sum(height.live for height in heights) > len(outcomes)
    physics.seen(max([1.0, *(height.ratio for height in heights if height.live and height.safe)]), 1.0)
    expected = np.array([faulty_third(plan.credits, plan.liars, plan.seats or 1, draws=2000) for plan, _ in outcomes])
    outside = [not plan_safe(plan, height) for plan, _ in outcomes for height in range(HEIGHTS)]
    error = np.sqrt((expected * (1.0 - expected)).sum() / HEIGHTS) / len(outcomes)
    assert abs(np.mean(outside) - expected.mean()) < 4.0 * error, told(outcomes)


def test_a_committee_with_a_third_of_liars_can_be_split(record_property: Record):
    """A control: a quarter of all validators equivocates and the honest are parted; only bad committees decide twice.

    12 validators of equal stake, 3 of them liars who collude, 7 seats; the first committee has all three liars, and of
    the honest two on each side.
    """
    split = sound = 0
    for seed in seeds(400, least=20):
        rng = stream(seed, "test.bad_committees")
        calm = replace(drawn(rng, (1,) * 12), silences=(), slowness=(), stops=(), loss=0.0, settled_s=6.0)
        liars = tuple(sorted(rng.permutation(12)[:3].tolist()))
        honest = tuple(each for each in range(12) if each not in liars)
        parted = (Span(0.0, 6.0, (0, 2, 4, 6, 8, 10)),)
        plan = replace(calm, liars=liars, connected=honest, partitions=parted, seats=7)
        while not _bad(plan.votes(0), liars):
            plan = replace(plan, salt=rng.bytes(8))
        schedule = CommitteeSchedule(plan, rng, Colludes)
        schedule.run()
        for height in range(HEIGHTS):
            digests = {schedule.decided[each][height][1] for each in honest if height in schedule.decided[each]}
            safe = plan_safe(plan, height)
            sound += safe
            split += len(digests) > 1 and not safe
            assert len(digests) <= 1 or not safe
    record_property("measured", f"{split} bad committees have two blocks at a height, 0 of {sound} sound ones")
    assert split > 0
    assert sound > 0


def _bad(votes: tuple[int, ...], liars: tuple[int, ...]) -> bool:
    """Whether three liars and two honest ones with an even number have seats, of seven."""
    even = sum(held for each, held in enumerate(votes) if each % 2 == 0 and each not in liars)
    return sum(votes[each] for each in liars) == 3 and even == 2
