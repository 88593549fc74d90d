"""One machine of four with equal stakes, fed by hand: proposals, locks, time-outs, size of messages."""

from dataclasses import replace

import pytest
from schedules import digest_of, rules

from cosim.ledger.messages import (
    Accuse,
    Ask,
    Broadcast,
    Decide,
    Decided,
    Polka,
    Proposal,
    RoundStep,
    Schedule,
    Send,
    Timeout,
    Vote,
    VoteSet,
)
from cosim.ledger.participant import StepTimeouts
from cosim.ledger.tendermint import Validator

FOUR = (1, 1, 1, 1)
TIMEOUTS = StepTimeouts(1.0, 0.5, 0.25, 0.125)
V, W = b"v", b"w"


def validator(number: int = 3, credits_: tuple[int, ...] = FOUR) -> Validator[bytes]:
    """At height 0, where validator `round % 4` proposes."""
    one = Validator(number, rules(number, lambda _height, round_: round_ % 4), TIMEOUTS)
    one.begin(0, credits_)
    return one


def proposal(value: bytes, round_: int, valid_round: int = -1, proof: tuple[Vote, ...] = ()) -> Proposal[bytes]:
    return Proposal(0, round_, digest_of(value), value, valid_round, proof, round_ % 4)


def votes(phase: RoundStep, round_: int, value: bytes | None, *senders: int) -> tuple[Vote, ...]:
    digest = None if value is None else digest_of(value)
    return tuple(Vote(phase, 0, round_, digest, sender) for sender in senders)


def tell(one: Validator[bytes], *messages) -> list:
    return [output for message in messages for output in one.receive(message)]


def said(outputs: list, kind: type) -> list:
    return [each.message for each in outputs if isinstance(each, Broadcast) and isinstance(each.message, kind)]


def locked_on_v() -> Validator[bytes]:
    """Validator 3 has precommitted V in round 0, and stands in round 1."""
    one = validator()
    outputs = tell(one, proposal(V, 0), *votes(RoundStep.PREVOTE, 0, V, 0, 1))
    assert [vote.phase for vote in said(outputs, Vote)] == [RoundStep.PREVOTE, RoundStep.PRECOMMIT]
    tell(one, *votes(RoundStep.PRECOMMIT, 0, None, 0, 1))
    one.timeout(Timeout(RoundStep.PRECOMMIT, 0, 0))
    assert one.round == 1
    return one


def test_locked_validator_refuses_another_value():
    """A lock holds against a new value of a later round."""
    assert said(tell(locked_on_v(), proposal(W, 1)), Vote) == list(votes(RoundStep.PREVOTE, 1, None, 3))


def test_locked_validator_accepts_its_value_again():
    """A lock on a value lets that value pass without proof."""
    assert said(tell(locked_on_v(), proposal(V, 1)), Vote) == list(votes(RoundStep.PREVOTE, 1, V, 3))


def test_later_proof_of_lock_frees():
    """A later quorum of prevotes for another value, carried in the proposal, overrides a lock."""
    one = locked_on_v()
    tell(one, *votes(RoundStep.PREVOTE, 2, None, 0, 1))
    later = proposal(W, 2, 1, votes(RoundStep.PREVOTE, 1, W, 0, 1, 2))
    assert said(tell(one, later), Vote) == list(votes(RoundStep.PREVOTE, 2, W, 3))


def test_proof_of_lock_convinces_who_saw_no_quorum():
    """A locked value is proposed again with its proof, and one that missed those prevotes votes for it."""
    one = validator(number=1)
    tell(one, proposal(V, 0), *votes(RoundStep.PREVOTE, 0, V, 0, 3))
    tell(one, *votes(RoundStep.PRECOMMIT, 0, None, 0, 2))
    (again,) = said(one.timeout(Timeout(RoundStep.PRECOMMIT, 0, 0)), Proposal)
    assert (again.value, again.valid_round) == (V, 0)
    assert again.proof_of_lock == votes(RoundStep.PREVOTE, 0, V, 0, 1, 3)
    other = validator(number=2)
    tell(other, *votes(RoundStep.PREVOTE, 1, None, 0, 3))
    assert said(tell(other, again), Vote)[0] == votes(RoundStep.PREVOTE, 1, V, 2)[0]


@pytest.mark.parametrize(
    "proof",
    [
        votes(RoundStep.PREVOTE, 1, W, 0, 1),
        votes(RoundStep.PREVOTE, 1, W, 0, 1, 1, 0),
        votes(RoundStep.PREVOTE, 1, W, 0, 1, 7),
        votes(RoundStep.PREVOTE, 1, V, 0, 1, 2),
        votes(RoundStep.PREVOTE, 0, W, 0, 1, 2),
        votes(RoundStep.PRECOMMIT, 1, W, 0, 1, 2),
    ],
    ids=["too few", "repeated", "no member", "other value", "other round", "other phase"],
)
def test_bad_proof_is_not_heard(proof: tuple[Vote, ...]):
    """A proposal whose proof is no quorum of the prevotes that it names gets no vote."""
    one = locked_on_v()
    tell(one, *votes(RoundStep.PREVOTE, 2, None, 0, 1))
    assert one.round == 2
    assert said(tell(one, proposal(W, 2, 1, proof)), Vote) == []


def test_digest_must_bind_and_proposer_must_be_in_turn():
    """A proposal with another value's digest, or out of turn, is not heard."""
    one = validator()
    assert tell(one, replace(proposal(V, 0), value=W), replace(proposal(V, 0), sender=1)) == []


def test_invalid_value_gets_no_vote():
    """An invalid value is prevoted against at once."""
    assert said(tell(validator(), proposal(b"bad/v", 0)), Vote) == list(votes(RoundStep.PREVOTE, 0, None, 3))


def test_time_outs_grow_with_the_round():
    """Each step of round r lasts its base plus r times the growth."""
    one = validator()
    first = tell(one, *votes(RoundStep.PREVOTE, 1, None, 0, 1))
    second = tell(one, *votes(RoundStep.PREVOTE, 2, None, 0, 1))
    assert first[0] == Schedule(Timeout(RoundStep.PROPOSE, 0, 1), 1.125)
    assert second[0] == Schedule(Timeout(RoundStep.PROPOSE, 0, 2), 1.25)
    assert [TIMEOUTS.delay_s(step, 2) for step in RoundStep] == [1.25, 0.75, 0.5, 0.5]


def test_one_vote_of_a_later_round_is_not_followed():
    """More than a third of the stake must speak of a later round before it is joined."""
    one = validator()
    tell(one, *votes(RoundStep.PREVOTE, 2, None, 0), *votes(RoundStep.PRECOMMIT, 2, None, 0))
    assert one.round == 0
    tell(one, *votes(RoundStep.PRECOMMIT, 2, None, 1))
    assert one.round == 2


def test_time_outs_of_the_past_are_ignored():
    """A time-out of a step, round or height that is over changes nothing."""
    one = locked_on_v()
    tell(one, proposal(V, 1))
    assert one.timeout(Timeout(RoundStep.PROPOSE, 0, 1)) == []
    assert one.timeout(Timeout(RoundStep.PRECOMMIT, 0, 0)) == []
    assert one.timeout(Timeout(RoundStep.PROPOSE, 5, 1)) == []


def test_quorum_of_precommits_decides_with_a_certificate():
    """More than two thirds of precommits for a known value decide it once, whatever the round one stands in."""
    one = validator()
    assert said(tell(one, *votes(RoundStep.PRECOMMIT, 0, V, 0, 1, 2)), Vote) == []
    decided = [each for each in tell(one, proposal(V, 0)) if isinstance(each, Decide)]
    assert decided == [Decide(0, 0, digest_of(V), V, votes(RoundStep.PRECOMMIT, 0, V, 0, 1, 2))]
    assert tell(one, *votes(RoundStep.PRECOMMIT, 0, V, 0, 1, 2)) == []


def test_double_vote_is_accused_once():
    """Two votes of one sender in one phase of one round are told once, and only the first counts."""
    one = validator()
    first, second, third = (votes(RoundStep.PREVOTE, 0, value, 0)[0] for value in (V, W, None))
    (accusation,) = [each for each in tell(one, first, second, third, first) if isinstance(each, Accuse)]
    assert (accusation.evidence.first, accusation.evidence.second) == (first, second)
    assert accusation.evidence.offender == 0
    assert one.tally.ballot(0, RoundStep.PREVOTE).cast == 1


def test_two_proposals_meet():
    """Who sees a prevote for another proposal passes its own on, and the voter accuses the proposer."""
    one, other = validator(number=2), validator(number=3)
    tell(one, proposal(V, 0))
    (vote,) = said(tell(other, proposal(W, 0)), Vote)
    (passed,) = [each for each in tell(one, vote) if isinstance(each, Send)]
    assert (passed.receiver, passed.message) == (3, proposal(V, 0))
    (accusation,) = [each for each in tell(other, passed.message) if isinstance(each, Accuse)]
    assert accusation.evidence.offender == 0


def test_certificate_reveals_a_double_vote():
    """A vote inside a certificate that differs from the one heard is evidence."""
    one = validator()
    tell(one, *votes(RoundStep.PRECOMMIT, 0, None, 0))
    outputs = tell(one, Decided(0, 0, digest_of(V), V, votes(RoundStep.PRECOMMIT, 0, V, 0, 1, 2), 1))
    assert [type(each) for each in outputs] == [Accuse, Decide]


@pytest.mark.parametrize("senders", [(0, 1), (0, 1, 1), (0, 1, 9)], ids=["few", "repeated", "no member"])
def test_weak_certificate_is_not_believed(senders: tuple[int, ...]):
    """A certificate below the quorum decides nothing."""
    assert tell(validator(), Decided(0, 0, digest_of(V), V, votes(RoundStep.PRECOMMIT, 0, V, *senders), 1)) == []


def wakes(one: Validator[bytes], outputs: list) -> list:
    """What one says when the last of its times without a change among these outputs is over."""
    timer = [each for each in outputs if isinstance(each, Schedule) and each.timeout.step is RoundStep.COMMIT][-1]
    assert timer.delay_s == TIMEOUTS.delay_s(RoundStep.PRECOMMIT, one.round)
    return one.timeout(timer.timeout)


def test_step_that_lasts_is_said_again():
    """After a vote's time-out in one step a validator says its messages of the round again, and only then."""
    one = validator()
    prevoted = tell(one, proposal(V, 0))
    repeated = wakes(one, prevoted)
    assert [each.message for each in repeated[:-1]] == [*votes(RoundStep.PREVOTE, 0, V, 3), Ask(0, 0, -1, 3)]
    precommitted = tell(one, *votes(RoundStep.PREVOTE, 0, V, 0, 1))
    assert wakes(one, repeated) == []
    both = [votes(phase, 0, V, 3)[0] for phase in (RoundStep.PREVOTE, RoundStep.PRECOMMIT)]
    assert [each.message for each in wakes(one, precommitted)[:-1]] == [*both, Ask(0, 0, 0, 3)]


def test_proposer_repeats_its_proposal():
    """The proposer of a round says its proposal again before its vote."""
    one = Validator(0, rules(0, lambda _height, round_: round_ % 4), TIMEOUTS)
    outputs = one.begin(0, FOUR)
    (first,) = said(outputs, Proposal)
    assert [each.message for each in wakes(one, outputs)[:2]] == [first, *votes(RoundStep.PREVOTE, 0, first.value, 0)]


def test_who_has_decided_answers_with_the_certificate():
    """One that asks at a decided height is sent the certificate, and decides; a height not begun has no answer."""
    behind, ahead = validator(number=2), validator(number=3)
    tell(ahead, proposal(V, 0), *votes(RoundStep.PRECOMMIT, 0, V, 0, 1, 2))
    (answer,) = tell(ahead, Ask(0, 0, -1, 2))
    assert answer.receiver == 2
    assert isinstance(tell(behind, answer.message)[0], Decide)
    assert tell(behind, Ask(7, 0, -1, 3)) == []


def test_who_is_in_a_later_round_shows_why():
    """One that asks in an earlier round gets the votes for which the other has left it, and follows at once."""
    behind, ahead = validator(number=2), validator(number=3)
    tell(ahead, *votes(RoundStep.PRECOMMIT, 4, None, 0, 1, 2))
    ahead.timeout(Timeout(RoundStep.PRECOMMIT, 0, 4))
    assert ahead.round == 5
    (answer,) = tell(ahead, Ask(0, 3, -1, 2))
    assert answer.message.votes == votes(RoundStep.PRECOMMIT, 4, None, 0, 1, 2)
    tell(behind, answer.message)
    assert behind.round == 5
    tell(ahead, *votes(RoundStep.PREVOTE, 6, None, 0, 1))
    assert ahead.round == 6
    (skipped,) = tell(ahead, Ask(0, 5, -1, 2))
    tell(behind, skipped.message)
    assert behind.round == 6


def test_too_few_votes_move_nobody():
    """Votes of a third of the stake do not bring one to a later round."""
    one = validator()
    tell(one, VoteSet(0, 5, votes(RoundStep.PRECOMMIT, 4, None, 0, 0, 0), 1))
    assert one.round == 0


def test_quorum_of_prevotes_reaches_who_has_not_heard_it():
    """One that asks without the latest quorum of prevotes is sent it with the value, and proposes that value."""
    one, other = locked_on_v(), validator(number=2)
    (answer,) = [each for each in tell(one, Ask(0, 1, -1, 2)) if isinstance(each.message, Polka)]
    tell(other, answer.message, *votes(RoundStep.PREVOTE, 2, None, 0, 1))
    (again,) = said(tell(other), Proposal) or [other._proposals[2]]
    assert (again.value, again.valid_round) == (V, 0)
    assert tell(one, Ask(0, 1, 0, 2)) == []


@pytest.mark.parametrize("senders", [(0, 1), (0, 1, 1), (0, 1, 9)], ids=["few", "repeated", "no member"])
def test_weak_quorum_of_prevotes_is_not_believed(senders: tuple[int, ...]):
    """Prevotes below the quorum lock nobody."""
    one = validator()
    tell(one, Polka(0, 0, digest_of(V), V, votes(RoundStep.PREVOTE, 0, V, *senders), 1))
    assert one._polka is None


def test_round_without_a_decision_tells_its_lock():
    """One that is locked when a quorum has precommitted otherwise sends the quorum of prevotes to those at once."""
    one = validator()
    tell(one, proposal(V, 0), *votes(RoundStep.PREVOTE, 0, V, 0, 1))
    outputs = tell(one, *votes(RoundStep.PRECOMMIT, 0, None, 0, 1))
    told = [each for each in outputs if isinstance(each, Send)]
    assert [each.receiver for each in told] == [0, 1, 2]
    assert {each.message.proof for each in told} == {votes(RoundStep.PREVOTE, 0, V, 0, 1, 3)}


def test_restart_keeps_what_was_signed_and_locked():
    """After a stop one says what it has signed, refuses another value as before, and never votes twice in a phase."""
    one = locked_on_v()
    tell(one, proposal(W, 1))
    outputs = one.restart()
    assert said(outputs, Vote) == list(votes(RoundStep.PREVOTE, 1, None, 3))
    assert said(tell(one, proposal(V, 1)), Vote) == []
    tell(one, *votes(RoundStep.PREVOTE, 2, None, 0, 1))
    assert said(tell(one, proposal(W, 2)), Vote)[:1] == list(votes(RoundStep.PREVOTE, 2, None, 3))
    (answer,) = [each for each in tell(one, Ask(0, 2, -1, 2)) if isinstance(each.message, Polka)]
    assert answer.message.value == V


def test_restart_forgets_what_it_heard():
    """A quorum that was heard before a stop has to be heard again."""
    one = validator()
    tell(one, *votes(RoundStep.PRECOMMIT, 0, V, 0, 1, 2))
    one.restart()
    assert [each for each in tell(one, proposal(V, 0)) if isinstance(each, Decide)] == []


def test_non_member_follows_without_a_word():
    """Without credits one decides as the others do and says nothing; its votes would not count."""
    one = validator(credits_=(1, 1, 1, 0))
    outputs = tell(
        one, proposal(V, 0), *votes(RoundStep.PREVOTE, 0, V, 0, 1, 2), *votes(RoundStep.PRECOMMIT, 0, V, 0, 1, 2)
    )
    assert [type(each) for each in outputs] == [Decide]
    member = validator(number=2, credits_=(1, 1, 1, 0))
    tell(member, *votes(RoundStep.PREVOTE, 0, V, 3))
    assert member.tally.ballot(0, RoundStep.PREVOTE).cast == 0


def test_sizes_count_every_signature():
    """A vote has one signature, a proposal and a certificate one more for each vote inside."""
    signature_bit = 512
    (vote, *_), three = votes(RoundStep.PREVOTE, 0, V, 0), votes(RoundStep.PREVOTE, 0, V, 0, 1, 2)
    assert vote.size_bit(signature_bit) == 392 + 512
    assert Ask(0, 0, -1, 0).size_bit(signature_bit) == 168 + 512
    assert VoteSet(0, 0, three, 0).size_bit(signature_bit) == 136 + 512 + 3 * (328 + 512)
    assert Polka(0, 0, b"", V, three, 0).size_bit(signature_bit) == 392 + 512 + 3 * (32 + 512)
    assert proposal(V, 1).size_bit(signature_bit) == 424 + 512
    assert proposal(V, 1, 0, three).size_bit(signature_bit) == 424 + 512 + 3 * (32 + 512)
    assert Decided(0, 0, b"", V, three, 0).size_bit(signature_bit) == 392 + 512 + 3 * (32 + 512)
