"""The vote goes on within its bound after any disturbance, and is safe meanwhile: random schedules against the formula.

A schedule is of 4 to 7 validators with drawn stakes; until a time T any of them is silent, stopped and started again,
slow, parted from others or not heard by chance; less than a third of the stake lies throughout. From T on honest ones
with more than two thirds of the stake hear each other. See `cosim.validation.votes`.
"""

from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import TypeAlias

import numpy as np
import physics
import pytest
from adversary import Colludes
from effort import count, rest_long, seeds

from cosim.kernel.rng import stream
from cosim.ledger.liveness import decision_bound_s
from cosim.ledger.messages import Output, RoundStep
from cosim.ledger.participant import StepTimeouts
from cosim.ledger.poqks import Rotation
from cosim.ledger.tendermint import Validator
from cosim.validation.votes import Span, VoteOutcome, VotingSchedule, drawn, liar_of, outcome

Record: TypeAlias = Callable[[str, object], None]


def told(outcomes: list[VoteOutcome]) -> str:
    """The worst case of some schedules, as a line; the long run prints it at its end."""
    worst = max(outcomes, key=lambda one: one.ratio)
    claims = sum(one.waited_s is not None for one in outcomes)
    late, conflicts = sum(one.ratio > 1.0 for one in outcomes), sum(one.conflicts for one in outcomes)
    return (
        f"{len(outcomes)} schedules, {claims} open at T: {conflicts} conflicts, {late} late, "
        f"worst {worst.waited_s or 0.0:.2f} s of {worst.bound_s:.2f} s allowed"
    )


@pytest.mark.parametrize("block", rest_long(range(5)))
def test_the_vote_goes_on_within_its_bound(block: int, record_property: Record):
    """Of 10,000 schedules none has two blocks at one height, and none waits longer than the bound."""
    outcomes = [outcome(seed) for seed in seeds(2000, least=200, start=2000 * block)]
    record_property("measured", told(outcomes))
    assert all(one.conflicts == 0 and one.finished and one.ratio <= 1.0 for one in outcomes), told(outcomes)
    assert sum(one.waited_s is not None for one in outcomes) > 0.7 * len(outcomes)
    physics.seen(max(1.0, *(one.ratio for one in outcomes)), 1.0)
    assert max(one.ratio for one in outcomes) > 0.1


def test_liars_who_collude_do_not_stop_it(record_property: Record):
    """Liars with less than a third of the stake who share their proposals neither split the others nor delay them."""
    outcomes = [outcome(seed, Colludes) for seed in seeds(1000, least=50)]
    record_property("measured", told(outcomes))
    assert all(one.conflicts == 0 and one.ratio <= 1.0 for one in outcomes), told(outcomes)


def test_more_than_half_lying_splits_parted_validators(record_property: Record):
    """A control: with more than half of the stake equivocating and the honest parted in two, heights have two."""
    split = 0
    for seed in seeds(100, least=10):
        rng = stream(seed, "test.control")
        credits_ = tuple(rng.integers(50, 1000, 7).tolist())
        liars: list[int] = []
        for number in rng.permutation(7).tolist():
            if 2 * sum(credits_[each] for each in liars) <= sum(credits_):
                liars.append(number)
        honest = tuple(number for number in range(7) if number not in liars)
        calm = replace(drawn(rng), silences=(), slowness=(), stops=(), loss=0.0, settled_s=60.0)
        parted = (Span(0.0, 60.0, (0, 2, 4, 6)),)
        plan = replace(calm, credits=credits_, liars=tuple(sorted(liars)), connected=honest, partitions=parted)
        split += VotingSchedule(plan, rng, Colludes).run().conflicts > 0
    record_property("measured", f"{split} schedules of more than half liars have two blocks at a height")
    assert split > 0


@pytest.mark.parametrize("silent", [(2, 3), (0, 1, 2, 3)], ids=["half", "all"])
def test_a_moment_of_silence_is_made_good_at_once(silent: tuple[int, ...]):
    """Silence of any stake as a height begins costs no more than the round that is open, 2 s, and the messages."""
    rng = stream(1, "test.silence")
    calm = replace(
        drawn(rng), credits=(1, 1, 1, 1), liars=(), connected=(0, 1, 2, 3), slowness=(), stops=(), partitions=()
    )
    for until_s in (0.1, 0.6, 1.1, 4.0):
        plan = replace(
            calm,
            timeouts=StepTimeouts(1.0, 0.5, 0.5, 0.5),
            silences=(Span(0.0, until_s, silent),),
            loss=0.0,
            settled_s=until_s,
        )
        found = VotingSchedule(plan, rng, liar_of(rng)).run()
        assert found.waited_s is not None
        assert found.waited_s <= 2.0 + 3.0 * plan.delay_s


class SaysOnce(Validator[bytes]):
    """One that repeats nothing."""

    def _say_again(self) -> None:
        pass


class Forgets(Validator[bytes]):
    """One that comes back from a stop without what it had signed and locked."""

    def restart(self) -> list[Output[bytes]]:
        """Come back as a new validator at this height would."""
        if self.height >= 0 and self._open:
            self._locked, self._polka, self._signed, self.step = (-1, None), None, [], RoundStep.PROPOSE
        return super().restart()


def stopped(machine: type[Validator[bytes]], monkeypatch: pytest.MonkeyPatch) -> int:
    """Heights with two blocks where one of four may decide and says nothing, and the others stop at about that time."""
    monkeypatch.setattr("cosim.validation.votes.Validator", machine)
    split = 0
    for seed in range(60):
        rng = stream(seed, "test.stopped")
        calm = replace(drawn(rng), credits=(1, 1, 1, 1), liars=(), slowness=(), partitions=(), loss=0.0)
        start_s = float(rng.uniform(1.5, 3.0)) * calm.delay_s
        plan = replace(
            calm,
            silences=(Span(0.0, 30.0, (3,)),),
            stops=(Span(start_s, start_s + 0.05, (0, 1, 2)),),
            settled_s=30.0,
            connected=(0, 1, 2, 3),
        )
        split += VotingSchedule(plan, rng, liar_of(rng)).run().conflicts
    return split


def test_one_that_forgets_what_it_signed_is_caught(monkeypatch: pytest.MonkeyPatch):
    """Validators that stop and start keep to one block a height; without their memory they do not."""
    assert stopped(Validator, monkeypatch) == 0
    assert stopped(Forgets, monkeypatch) > 0


def test_without_repetition_schedules_stall(monkeypatch: pytest.MonkeyPatch):
    """Validators that say everything once stay behind for ever in most schedules: the oracle sees it."""
    monkeypatch.setattr("cosim.validation.votes.Validator", SaysOnce)
    assert sum(outcome(seed).ratio == inf for seed in range(20)) > 10


def test_the_bound_by_hand():
    """Rounds of 1 + 0.5 + 0.25 s that grow by 0.1 s a step: two more than the turns that fail, and three messages."""
    timeouts = StepTimeouts(1.0, 0.5, 0.25, 0.1)
    assert decision_bound_s(timeouts, 0, 0, 0.01) == pytest.approx(1.75 + 2.05 + 2.35 + 0.03)
    assert decision_bound_s(timeouts, 2, 1, 0.0) == pytest.approx(2.35 + 2.65 + 2.95 + 3.25)


def test_no_more_turns_fail_than_validators():
    """In turns by stake, f validators with less than a third of it propose at most f + 1 times in a row.

    f + 1 is rare: 8 of 3,000 such draws, where the rich have hundreds of times the stake of the poor.
    """
    rng = np.random.default_rng(5)
    for _ in range(count(1000, least=50)):
        members = int(rng.integers(2, 15))
        credits_ = [int(held) for held in 1 + 20 * rng.pareto(1.0, members)]
        few: list[int] = []
        for number in rng.permutation(members).tolist():
            if 3 * sum(credits_[each] for each in [*few, number]) < sum(credits_):
                few.append(number)
        rotation, in_a_row = Rotation.fresh(members), 0
        for _ in range(100):
            elected = rotation.proposer(credits_, 0)
            rotation = rotation.advanced(credits_)
            in_a_row = in_a_row + 1 if elected in few else 0
            assert in_a_row <= len(few) + 1
