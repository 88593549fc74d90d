"""Agreement on one value per height by stake: the consensus of Tendermint (arXiv 1807.04938, algorithm 1).

A round has a proposal and two votes. A quorum of prevotes locks a validator on a value, a quorum of precommits decides
it, and a locked validator prevotes another value only if the proposal carries a later quorum of prevotes for it. So no
two validators decide differently while less than a third of the stake is faulty, whatever the delays; and all decide
once delays are shorter than the time-outs, which grow with the round.

Read or changed against the printed algorithm:
  line 28 waits for the prevotes of the valid round, which a network without gossip may never bring: they travel in the
    proposal (proof-of-lock), and a proposal without them is ignored;
  the printed algorithm relies on gossip; here a validator that is behind asks (`Ask`) whoever sends a message of a
    later height, or all when the height is overdue, and is answered with the commit certificate (`Decided`);
  without gossip two proposals to two halves would never meet: a validator that receives a prevote for another digest
    than its own proposal's passes its proposal on to that voter.
The state machine has no clock and no random numbers: messages and time-outs come in, outputs go out.
"""

from itertools import chain
from typing import Generic

from cosim.ledger.messages import (
    Accuse,
    Ask,
    Broadcast,
    ConflictingMessages,
    Decide,
    Decided,
    Message,
    Output,
    Proposal,
    RoundStep,
    Schedule,
    Send,
    Timeout,
    V,
    Vote,
)
from cosim.ledger.participant import Rules, StepTimeouts
from cosim.ledger.tally import Ballot, Tally


class Validator(Generic[V]):
    """The state machine of an honest validator, one height after another.

    Without credits at a height it follows the vote and does not take part.
    """

    def __init__(self, number: int, rules: Rules[V], timeouts: StepTimeouts) -> None:
        self.number = number
        self.rules = rules
        self.timeouts = timeouts
        self.height = -1
        self.round = -1
        self.step = RoundStep.PROPOSE
        self.tally = Tally(())
        self.decided: dict[int, Decided[V]] = {}
        self._locked: tuple[int, bytes | None] = (-1, None)
        self._polka: tuple[int, bytes | None, tuple[Vote, ...]] = (-1, None, ())
        self._proposals: dict[int, Proposal[V]] = {}
        self._values: dict[bytes, tuple[V, bool]] = {}
        self._accused: dict[tuple[int, RoundStep, int], None] = {}
        self._patient_in: dict[RoundStep, int] = {}
        self._ahead: dict[int, tuple[int, int]] = {}
        self._early: dict[int, list[Message[V]]] = {}
        self._out: list[Output[V]] = []

    def begin(self, height: int, credits: tuple[int, ...]) -> list[Output[V]]:  # noqa: A002
        """Start a height: propose or wait, then receive the messages of it that came too early."""
        teacher = self.decided[self.height].sender if self.height in self.decided else self.number
        self.height = height
        self.tally = Tally(credits)
        self._locked, self._polka = (-1, None), (-1, None, ())
        self._proposals, self._values, self._accused = {}, {}, {}
        early = [self._early.pop(key) for key in sorted(self._early) if key <= height]  # older ones are ignored then
        self._schedule(RoundStep.COMMIT, 0)
        self._start_round(0)
        for message in chain.from_iterable(early):
            self._receive(message)
        if self._open and self._ahead.get(teacher, (-1, 0))[0] > height:
            self._out.append(Send(teacher, Ask(height, self.number)))
        return self._spoken()

    def receive(self, message: Message[V]) -> list[Output[V]]:
        """Receive a message whose signature holds, and return the outputs that follow, in order."""
        self._receive(message)
        return self._spoken()

    def timeout(self, timeout: Timeout) -> list[Output[V]]:
        """Leave the step that the time-out was scheduled for, if it still lasts."""
        if timeout.height != self.height or not self._open:
            return []
        if timeout.step is RoundStep.COMMIT:
            self._out.append(Broadcast(Ask(self.height, self.number)))
            self._schedule(RoundStep.COMMIT, timeout.round + 1)
        elif timeout.round == self.round:
            if timeout.step is RoundStep.PRECOMMIT:
                self._start_round(self.round + 1)
            elif timeout.step is self.step:
                self._vote(RoundStep(self.step + 1), None)
        return self._spoken()

    @property
    def _open(self) -> bool:
        return self.height not in self.decided

    def _spoken(self) -> list[Output[V]]:
        out, self._out = self._out, []
        return out

    def _schedule(self, step: RoundStep, round_: int) -> None:
        delay_s = self.timeouts.delay_s(step, round_)
        self._out.append(Schedule(Timeout(step, self.height, round_), delay_s))

    def _receive(self, message: Message[V]) -> None:
        if isinstance(message, Ask):
            if message.height in self.decided:
                known = self.decided[message.height]
                mine = Decided(known.height, known.round, known.digest, known.value, known.certificate, self.number)
                self._out.append(Send(message.sender, mine))
        elif message.height > self.height:
            self._keep_for_later(message)
        elif message.height == self.height:
            if isinstance(message, Vote):
                self._receive_vote(message)
            elif isinstance(message, Proposal):
                self._receive_proposal(message)
            else:
                self._receive_decided(message)

    def _keep_for_later(self, message: Proposal[V] | Vote | Decided[V]) -> None:
        self._early.setdefault(message.height, []).append(message)
        now = (message.height, message.round)
        if now > self._ahead.get(message.sender, (-1, -1)):
            self._ahead[message.sender] = now
            if self.height >= 0 and self._open:
                self._out.append(Send(message.sender, Ask(self.height, self.number)))

    def _start_round(self, round_: int) -> None:
        """Start a round, lines 11-21: propose the value of the latest quorum of prevotes, or a new one, or wait."""
        self.round, self.step = round_, RoundStep.PROPOSE
        self._patient_in = {}
        if not self.tally.credit(self.number):
            return
        if self.rules.proposer(self.height, round_) == self.number:
            valid_round, digest, proof = self._polka
            value = self.rules.new_value(self.height, round_) if digest is None else self._values[digest][0]
            digest = self.rules.digest_of(value) if digest is None else digest
            proposal = Proposal(self.height, round_, digest, value, valid_round, proof, self.number)
            self._out.append(Broadcast(proposal))
            self._receive_proposal(proposal)
        else:
            self._schedule(RoundStep.PROPOSE, round_)
            self._consider_proposal()
        if self._open and self.round == round_:
            self._weigh_precommits()

    def _receive_proposal(self, proposal: Proposal[V]) -> None:
        round_, digest, sender = proposal.round, proposal.digest, proposal.sender
        if sender != self.rules.proposer(self.height, round_) or not self.tally.credit(sender):
            return
        first = self._proposals.get(round_)
        if (first is not None and first.digest == digest) or not self._is_sound(proposal):
            return
        if first is None:
            self._proposals[round_] = proposal
            for _, vote in sorted(self.tally.ballot(round_, RoundStep.PREVOTE).votes.items()):
                self._pass_on(proposal, vote)
        else:
            self._accuse(RoundStep.PROPOSE, first, proposal)
        self._compare(proposal.proof_of_lock)
        if digest not in self._values:
            self._values[digest] = (proposal.value, self.rules.valid(proposal.value))
        self._skip_ahead(round_, sender)
        if self._open and round_ == self.round:
            self._consider_proposal()
        if self._open:
            self._commit(round_, digest)

    def _is_sound(self, proposal: Proposal[V]) -> bool:
        """Return whether the digest binds the value and the proof is a quorum of prevotes of its valid round."""
        if self.rules.digest_of(proposal.value) != proposal.digest:
            return False
        if proposal.valid_round < 0:
            return True
        like = Vote(RoundStep.PREVOTE, self.height, proposal.valid_round, proposal.digest, proposal.sender)
        return proposal.valid_round < proposal.round and self.tally.proves(proposal.proof_of_lock, like)

    def _consider_proposal(self) -> None:
        """Prevote for the proposal of the round unless it is invalid or a lock forbids it, lines 22-33."""
        proposal = self._proposals.get(self.round)
        if self.step is RoundStep.PROPOSE and proposal is not None:
            self._vote(RoundStep.PREVOTE, proposal.digest if self._accepts(proposal) else None)
        else:
            self._weigh_prevotes()

    def _accepts(self, proposal: Proposal[V]) -> bool:
        round_, digest = self._locked
        free = round_ <= proposal.valid_round or digest == proposal.digest
        return free and self._values[proposal.digest][1]

    def _vote(self, phase: RoundStep, digest: bytes | None) -> None:
        self.step = phase
        if self.tally.credit(self.number):
            vote = Vote(phase, self.height, self.round, digest, self.number)
            self._out.append(Broadcast(vote))
            self._receive_vote(vote)

    def _receive_vote(self, vote: Vote) -> None:
        if not self.tally.credit(vote.sender):
            return
        earlier = self.tally.add(vote)
        if earlier is not None:
            if earlier.digest != vote.digest:
                self._accuse(vote.phase, earlier, vote)
            return
        proposal = self._proposals.get(vote.round)
        if vote.phase is RoundStep.PREVOTE and proposal is not None:
            self._pass_on(proposal, vote)
        if not self._open:
            return
        self._skip_ahead(vote.round, vote.sender)
        if vote.phase is RoundStep.PRECOMMIT and vote.digest is not None:
            self._commit(vote.round, vote.digest)
        if self._open and vote.round == self.round and self.tally.credit(self.number):
            if vote.phase is RoundStep.PREVOTE:
                self._weigh_prevotes()
            else:
                self._weigh_precommits()

    def _pass_on(self, proposal: Proposal[V], vote: Vote) -> None:
        """Send the proposal to a voter for another digest, which cannot have got it."""
        if vote.digest is not None and vote.digest != proposal.digest and self.number != vote.sender != proposal.sender:
            self._out.append(Send(vote.sender, proposal))

    def _skip_ahead(self, round_: int, sender: int) -> None:
        """Follow more than a third of all credits to a later round, lines 55-56: one of them must be honest."""
        if round_ > self.round and self._open and self.tally.hears_of(round_, sender):
            self._start_round(round_)

    def _weigh_prevotes(self) -> None:
        """Lock and precommit a known value with a quorum of prevotes; precommit nil if nil has one (lines 34-46)."""
        if self.step is RoundStep.PROPOSE or not self._open:
            return
        ballot = self.tally.ballot(self.round, RoundStep.PREVOTE)
        if not self.tally.is_quorum(ballot.cast):
            return
        digest = self._elected(ballot)
        if digest is not None and self._values.get(digest, (None, False))[1]:
            if self._polka[0] < self.round:
                self._polka = (self.round, digest, ballot.those_for(digest))
                if self.step is RoundStep.PREVOTE:
                    self._locked = (self.round, digest)
                    self._vote(RoundStep.PRECOMMIT, digest)
        elif self.step is RoundStep.PREVOTE:
            if self.tally.is_quorum(ballot.credit_of.get(None, 0)):
                self._vote(RoundStep.PRECOMMIT, None)
            else:
                self._be_patient(RoundStep.PREVOTE)

    def _elected(self, ballot: Ballot) -> bytes | None:
        for digest, credit in ballot.credit_of.items():
            if digest is not None and self.tally.is_quorum(credit):
                return digest
        return None

    def _weigh_precommits(self) -> None:
        """Schedule the end of the round once a quorum has precommitted, for whatever digests (lines 47-48)."""
        if self.tally.is_quorum(self.tally.ballot(self.round, RoundStep.PRECOMMIT).cast):
            self._be_patient(RoundStep.PRECOMMIT)

    def _be_patient(self, step: RoundStep) -> None:
        if self._patient_in.get(step) != self.round:
            self._patient_in[step] = self.round
            self._schedule(step, self.round)

    def _commit(self, round_: int, digest: bytes) -> None:
        """Decide a known valid value that has a quorum of precommits of any round, lines 49-54."""
        ballot = self.tally.ballot(round_, RoundStep.PRECOMMIT)
        if self.tally.is_quorum(ballot.credit_of.get(digest, 0)) and self._values.get(digest, (None, False))[1]:
            value = self._values[digest][0]
            certificate = ballot.those_for(digest)
            self._decide(Decided(self.height, round_, digest, value, certificate, self.number))

    def _receive_decided(self, decided: Decided[V]) -> None:
        """Decide by another's certificate if it is a quorum of precommits for a valid value."""
        self._compare(decided.certificate)
        like = Vote(RoundStep.PRECOMMIT, self.height, decided.round, decided.digest, decided.sender)
        bound = self.rules.digest_of(decided.value) == decided.digest
        if self._open and bound and self.tally.proves(decided.certificate, like) and self.rules.valid(decided.value):
            self._decide(decided)

    def _decide(self, decided: Decided[V]) -> None:
        self.decided[self.height] = decided
        self.step = RoundStep.COMMIT
        final = Decide(decided.height, decided.round, decided.digest, decided.value, decided.certificate)
        self._out.append(final)

    def _compare(self, votes: tuple[Vote, ...]) -> None:
        """Accuse the senders of these votes whose other vote this validator has received."""
        for vote in votes:
            earlier = self.tally.ballot(vote.round, vote.phase).votes.get(vote.sender)
            if earlier is not None and earlier.digest != vote.digest and vote.height == self.height:
                self._accuse(vote.phase, earlier, vote)

    def _accuse(self, phase: RoundStep, first: Proposal[V] | Vote, second: Proposal[V] | Vote) -> None:
        offence = (first.round, phase, first.sender)
        if offence not in self._accused:
            self._accused[offence] = None
            self._out.append(Accuse(ConflictingMessages(first, second)))
