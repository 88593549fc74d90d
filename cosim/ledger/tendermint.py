"""Agreement on one value per height by stake: the consensus of Tendermint (arXiv 1807.04938, algorithm 1).

A round has a proposal and two votes. A quorum of prevotes locks a validator on a value, a quorum of precommits decides
it, and a locked validator prevotes another value only if the proposal carries a later quorum of prevotes for it. So no
two validators decide differently while less than a third of the stake is faulty, whatever the delays; and all decide
once delays are shorter than the time-outs, which grow with the round.

Read or changed against the printed algorithm:
  line 28 waits for the prevotes of the valid round, which a network without gossip may never bring: they travel in the
    proposal (proof-of-lock), and a proposal without them is ignored;
  the printed algorithm relies on gossip, which repeats; here a validator that has stood in one step for the time-out
    of a vote says its own messages of the round again, and where it stands (`Ask`); whoever knows more answers with
    the commit certificate (`Decided`), the votes of a later round (`VoteSet`) or a later quorum of prevotes (`Polka`);
  a validator that is behind also asks whoever sends a message of a later height;
  a quorum of prevotes that others have not heard would cost the next proposer its round: when a round ends without a
    decision, its `Polka` goes to those that have not precommitted for it;
  without gossip two proposals to two halves would never meet: a validator that receives a prevote for another digest
    than its own proposal's passes its proposal on to that voter.
What a validator has signed, locked and decided survives a stop, so that it never signs two messages of one kind in one
round. The state machine has no clock and no random numbers: messages and time-outs come in, outputs go out.
"""

from dataclasses import replace
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
    Polka,
    Proposal,
    RoundStep,
    Schedule,
    Send,
    Timeout,
    V,
    Vote,
    VoteSet,
)
from cosim.ledger.participant import Rules, StepTimeouts
from cosim.ledger.tally import Ballot, Tally

_NO_ROUND = 2**31 - 1
"""A round after all others, in which nobody lacks anything of an earlier one."""


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
        self._polka: Polka[V] | None = None
        self._proposals: dict[int, Proposal[V]] = {}
        self._values: dict[bytes, tuple[V, bool]] = {}
        self._accused: dict[tuple[int, RoundStep, int], None] = {}
        self._patient_in: dict[RoundStep, int] = {}
        self._signed: list[Proposal[V] | Vote] = []
        self._turn = 0
        self._ahead: dict[int, tuple[int, int]] = {}
        self._early: dict[int, list[Message[V]]] = {}
        self._out: list[Output[V]] = []

    def begin(self, height: int, credits: tuple[int, ...]) -> list[Output[V]]:  # noqa: A002
        """Start a height: propose or wait, then receive the messages of it that came too early."""
        teacher = self.decided[self.height].sender if self.height in self.decided else self.number
        self.height = height
        self.tally = Tally(credits)
        self._locked, self._polka = (-1, None), None
        self._proposals, self._values, self._accused, self._signed = {}, {}, {}, []
        early = [self._early.pop(key) for key in sorted(self._early) if key <= height]  # older ones are ignored then
        self._start_round(0)
        for message in chain.from_iterable(early):
            self._receive(message)
        if self._open and self._ahead.get(teacher, (-1, 0))[0] > height:
            self._out.append(Send(teacher, self._ask()))
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
            if timeout.round == self._turn:
                self._say_again()
        elif timeout.round == self.round:
            if timeout.step is RoundStep.PRECOMMIT:
                self._start_round(self.round + 1)
            elif timeout.step is self.step:
                self._vote(RoundStep(self.step + 1), None)
        return self._spoken()

    def restart(self) -> list[Output[V]]:
        """Come back after a stop: what was signed, locked and decided is stored, what was only heard is lost."""
        self._early, self._ahead = {}, {}
        if self.height < 0 or not self._open:
            return []
        self.tally, self._proposals, self._patient_in = Tally(self.tally.credits), {}, {}
        stored = [] if self._polka is None else [self._polka.digest]
        for message in self._signed:
            if isinstance(message, Vote):
                self.tally.add(message)
            else:
                self._proposals[message.round] = message
                stored.append(message.digest)
        self._values = {digest: value for digest, value in self._values.items() if digest in stored}
        if self.step is RoundStep.PROPOSE and self.tally.credit(self.number):
            self._schedule(RoundStep.PROPOSE, self.round)
        self._say_again()
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

    def _await_change(self) -> None:
        """Begin the time after which this validator says its messages again, unless it has gone on by then."""
        self._turn += 1
        delay_s = self.timeouts.delay_s(RoundStep.COMMIT, self.round)
        self._out.append(Schedule(Timeout(RoundStep.COMMIT, self.height, self._turn), delay_s))

    def _say_again(self) -> None:
        """Repeat this validator's messages of the round, for they may not have been heard, and say where it stands."""
        self._out += [Broadcast(message) for message in self._signed if message.round == self.round]
        self._out.append(Broadcast(self._ask()))
        self._await_change()

    def _ask(self) -> Ask:
        """Return where this validator stands; one without credits needs the certificate alone, and no round's votes."""
        if not self.tally.credit(self.number):
            return Ask(self.height, _NO_ROUND, _NO_ROUND, self.number)
        return Ask(self.height, self.round, self._valid_round, self.number)

    @property
    def _valid_round(self) -> int:
        """The round of the latest quorum of prevotes for a value that is known; -1 without one."""
        return -1 if self._polka is None else self._polka.round

    def _say(self, message: Proposal[V] | Vote) -> None:
        self._signed.append(message)
        self._out.append(Broadcast(message))

    def _answer(self, ask: Ask) -> None:
        """Send what the sender lacks: the certificate of its height, votes of a later round, a later quorum."""
        if ask.height in self.decided:
            known = self.decided[ask.height]
            mine = Decided(known.height, known.round, known.digest, known.value, known.certificate, self.number)
            self._out.append(Send(ask.sender, mine))
        elif ask.height == self.height:
            if ask.round < self.round:
                self._out += [Send(ask.sender, message) for message in self._grounds()]
            if self._polka is not None and ask.valid_round < self._polka.round:
                self._out.append(Send(ask.sender, self._polka))

    def _grounds(self) -> list[Message[V]]:
        """Return the messages for which this validator is in its round, and for which another may follow to it."""
        before = self.tally.ballot(self.round - 1, RoundStep.PRECOMMIT)
        if self.tally.is_quorum(before.cast):
            return [VoteSet(self.height, self.round, before.all(), self.number)]
        phases = (RoundStep.PREVOTE, RoundStep.PRECOMMIT)
        votes = [vote for phase in phases for vote in self.tally.ballot(self.round, phase).all()]
        proposal = self._proposals.get(self.round)
        grounds: list[Message[V]] = [VoteSet(self.height, self.round, tuple(votes), self.number)]
        return grounds if proposal is None else [proposal, *grounds]

    def _receive(self, message: Message[V]) -> None:
        if isinstance(message, Ask):
            self._answer(message)
        elif message.height > self.height:
            self._keep_for_later(message)
        elif message.height == self.height:
            if isinstance(message, Vote):
                self._receive_vote(message)
            elif isinstance(message, Proposal):
                self._receive_proposal(message)
            elif isinstance(message, VoteSet):
                self._receive_vote_set(message)
            elif isinstance(message, Polka):
                self._receive_polka(message)
            else:
                self._receive_decided(message)

    def _keep_for_later(self, message: Proposal[V] | Vote | Decided[V] | Polka[V] | VoteSet) -> None:
        kept = self._early.setdefault(message.height, [])
        if message not in kept:
            kept.append(message)
        now = (message.height, message.round)
        if now > self._ahead.get(message.sender, (-1, -1)):
            self._ahead[message.sender] = now
            if self.height >= 0 and self._open:
                self._out.append(Send(message.sender, self._ask()))

    def _start_round(self, round_: int) -> None:
        """Start a round, lines 11-21: propose the value of the latest quorum of prevotes, or a new one, or wait."""
        self.round, self.step = round_, RoundStep.PROPOSE
        self._patient_in = {}
        if not self.tally.credit(self.number):
            self._await_change()
            return
        if self.rules.proposer(self.height, round_) == self.number:
            proposal = self._new_proposal()
            self._say(proposal)
            self._receive_proposal(proposal)
        else:
            self._schedule(RoundStep.PROPOSE, round_)
            self._await_change()
            self._consider_proposal()
        if self._open and self.round == round_:
            self._weigh_precommits()

    def _new_proposal(self) -> Proposal[V]:
        polka = self._polka
        if polka is not None:
            return Proposal(self.height, self.round, polka.digest, polka.value, polka.round, polka.proof, self.number)
        value = self.rules.new_value(self.height, self.round)
        return Proposal(self.height, self.round, self.rules.digest_of(value), value, -1, (), self.number)

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
            self._say(vote)
            self._await_change()
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
        digest = self._elected(ballot)
        if digest is not None and self._valid_round < self.round and self._values.get(digest, (None, False))[1]:
            value, proof = self._values[digest][0], ballot.those_for(digest)
            self._polka = Polka(self.height, self.round, digest, value, proof, self.number)
        if self._polka is not None and self._polka.round == self.round:
            if self.step is RoundStep.PREVOTE:
                self._lock(self._polka)
        elif not self.tally.is_quorum(ballot.cast):
            return
        elif self.step is RoundStep.PREVOTE:
            if self.tally.is_quorum(ballot.credit_of.get(None, 0)):
                self._vote(RoundStep.PRECOMMIT, None)
            else:
                self._be_patient(RoundStep.PREVOTE)

    def _lock(self, polka: Polka[V]) -> None:
        """Lock this validator on the value with a quorum of prevotes in its round, and precommit it (lines 36-40)."""
        self._locked = (polka.round, polka.digest)
        self._vote(RoundStep.PRECOMMIT, polka.digest)
        if self._open and self._patient_in.get(RoundStep.PRECOMMIT) == self.round:
            self._tell_polka()

    def _tell_polka(self) -> None:
        """Send the quorum of prevotes of this round to all that have not precommitted for it, as far as is heard."""
        polka = self._polka
        if polka is not None and polka.round == self.round:
            ballot = self.tally.ballot(polka.round, RoundStep.PRECOMMIT)
            heard = {self.number, *(vote.sender for vote in ballot.those_for(polka.digest))}
            missing = [each for each, credit in enumerate(self.tally.credits) if credit and each not in heard]
            self._out += [Send(other, polka) for other in missing]

    def _elected(self, ballot: Ballot) -> bytes | None:
        for digest, credit in ballot.credit_of.items():
            if digest is not None and self.tally.is_quorum(credit):
                return digest
        return None

    def _weigh_precommits(self) -> None:
        """Schedule the end of the round once a quorum has precommitted, for whatever digests (lines 47-48)."""
        cast = self.tally.ballot(self.round, RoundStep.PRECOMMIT).cast
        if self.tally.is_quorum(cast) and self._be_patient(RoundStep.PRECOMMIT):
            self._tell_polka()

    def _be_patient(self, step: RoundStep) -> bool:
        """Schedule the end of a step, once in a round, and return whether this was the time."""
        first = self._patient_in.get(step) != self.round
        if first:
            self._patient_in[step] = self.round
            self._schedule(step, self.round)
        return first

    def _commit(self, round_: int, digest: bytes) -> None:
        """Decide a known valid value that has a quorum of precommits of any round, lines 49-54."""
        ballot = self.tally.ballot(round_, RoundStep.PRECOMMIT)
        if self.tally.is_quorum(ballot.credit_of.get(digest, 0)) and self._values.get(digest, (None, False))[1]:
            value = self._values[digest][0]
            certificate = ballot.those_for(digest)
            self._decide(Decided(self.height, round_, digest, value, certificate, self.number))

    def _receive_all(self, votes: tuple[Vote, ...]) -> None:
        for vote in votes:
            if vote.height == self.height:
                self._receive_vote(vote)

    def _receive_vote_set(self, votes: VoteSet) -> None:
        """Follow to a round before which a quorum has precommitted, without a wait of one's own; count all votes."""
        before = {
            vote.sender: self.tally.credit(vote.sender)
            for vote in votes.votes
            if (vote.phase, vote.height, vote.round) == (RoundStep.PRECOMMIT, self.height, votes.round - 1)
        }
        if self._open and votes.round > self.round and self.tally.is_quorum(sum(before.values())):
            self._start_round(votes.round)
        self._receive_all(votes.votes)

    def _receive_polka(self, polka: Polka[V]) -> None:
        """Take over another's quorum of prevotes if it is later than the own one, and lock if the round is open."""
        self._receive_all(polka.proof)
        like = Vote(RoundStep.PREVOTE, self.height, polka.round, polka.digest, polka.sender)
        if not self._open or polka.round <= self._valid_round or not self.tally.proves(polka.proof, like):
            return
        if self.rules.digest_of(polka.value) != polka.digest:
            return
        if polka.digest not in self._values:
            self._values[polka.digest] = (polka.value, self.rules.valid(polka.value))
        if self._values[polka.digest][1]:
            self._polka = replace(polka, sender=self.number)
            if polka.round == self.round:
                self._weigh_prevotes()
            if self._open:
                self._commit(polka.round, polka.digest)

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
