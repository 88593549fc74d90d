"""One validator in simulated time: wires bring messages to its state machine, its host does the work of S3 eq 18-20.

Left out: the checking of the signatures of single votes, which costs a host far less than a block does.
"""

from dataclasses import dataclass
from functools import cached_property, partial

from cosim.compute import Host
from cosim.kernel.clock import Clock, Story
from cosim.ledger.block import BATCH_BYTE, HEADER_BYTE, Block, Evidence
from cosim.ledger.messages import (
    Broadcast,
    Decide,
    Decided,
    Message,
    Output,
    Polka,
    Proposal,
    Schedule,
    Send,
    Timeout,
    Vote,
)
from cosim.ledger.participant import Participant, Rules, StepTimeouts
from cosim.ledger.poqks import quorum
from cosim.ledger.run.archive import Archive
from cosim.ledger.run.chain_state import ChainState, offence
from cosim.ledger.run.commits import Commits
from cosim.ledger.run.elections import Elections
from cosim.ledger.run.multicast import Freight
from cosim.ledger.run.network import Network
from cosim.ledger.run.validator_rules import NO_HASH, as_evidence, digest_of, gapless, made_faulty, signed
from cosim.ledger.run.worker import Worker, begin
from cosim.ledger.signature import Signatures
from cosim.ledger.tendermint import Validator
from cosim.scenario.ledger import Ledger, Misbehaviour
from cosim.types import Offence, Work


@dataclass(frozen=True, slots=True)
class ValidatorContext:
    """The parts of a run that all validators share."""

    clock: Clock
    plan: Ledger
    network: Network
    archive: Archive
    worker: Worker
    commits: Commits
    signatures: Signatures
    hints: dict[int, int]
    """The proposer that the policy asked for, by height."""
    elections: Elections
    timeouts: StepTimeouts
    nodes: "list[Node]"

    at_site: "dict[int, Node]"

    @property
    def most_batches(self) -> int:
        """Number of batches that fit into a block."""
        return max(1, (self.plan.block.capacity_byte - HEADER_BYTE) // BATCH_BYTE)

    def block_bit(self, block: Block) -> float:
        """Return the size of a block with its signatures, in bits; blocks of fixed size are padded."""
        content_byte = HEADER_BYTE + block.body_byte
        padding_byte = max(0, self.plan.block.capacity_byte - content_byte) if self.plan.block.fixed else 0
        return float(block.size_bit(self.signatures.figures.size_bit) + 8 * padding_byte)


class Node:
    """A validator at a site: the state machine of the vote, and the host that does its work."""

    def __init__(self, number: int, site: int, host: Host, head: ChainState, context: ValidatorContext) -> None:
        self.number = number
        self.site = site
        self.head = head
        self._host = host
        self._context = context
        self._clock = context.clock
        self._opened = 0
        self._voters: tuple[int, ...] = ()
        self._received: dict[tuple[int, int], None] = {}
        self._held: list[Proposal[Block]] = []
        self._made: dict[bytes, bool] = {}
        self._verified: dict[tuple[int, bytes], None] = {}
        self._lives = 0
        self._offences: dict[tuple[int, int, int, int], Evidence] = {}
        rules = Rules(self._proposer, self._new_block, self._valid, digest_of)
        self._part: Participant[Block] = Validator(number, rules, context.timeouts)
        self._faults: list[Misbehaviour] = []

    def misbehave(self, how: Misbehaviour) -> None:
        """Misbehave in this way from its start to its end, beside all other ways."""
        self._part = made_faulty(how, self._part, partial(self._is_now, how))
        self._faults.append(how)
        if how.kind == "restart":
            self._clock.at(how.end_s, self._restart)

    def _is_now(self, how: Misbehaviour) -> bool:
        return how.start_s <= self._clock.now < how.end_s

    def _is(self, *kinds: str) -> bool:
        """Return whether a misbehaviour of one of these kinds holds now."""
        return any(how.kind in kinds and self._is_now(how) for how in self._faults)

    def _restart(self) -> None:
        """Come back with what is stored: the chain, the batches, and what the machine has signed and locked."""
        if not self._is("restart"):
            self._lives += 1
            self._held.clear()
            self._perform(self._part.restart())
            self.await_height()

    # --- heights ---------------------------------------------------------------------------------------------------

    def await_height(self) -> None:
        """Begin the next height at the next multiple of the interval, or at once if the batches fill a block."""
        interval_s = self._context.plan.block.interval_s
        due_s = (self.head.time_s // interval_s + 1.0) * interval_s
        self._clock.at(max(due_s, self._clock.now), partial(self._begin, self.head.height + 1))
        self._begin_if_full()

    def arrive(self, site: int, number: int) -> None:
        """Receive a batch, and then the proposals that waited for it."""
        self._received[site, number] = None
        held, self._held = self._held, []
        for proposal in held:
            self._receive_proposal(proposal)
        self._begin_if_full()

    def _begin_if_full(self) -> None:
        fresh = sum(number >= self.head.due[site] for site, number in self._received)
        if fresh >= self._context.most_batches and self._opened == self.head.height:
            self._clock.at(self._clock.now, partial(self._begin, self.head.height + 1))

    def _begin(self, height: int) -> None:
        if self._opened == height - 1 == self.head.height and not self._is("restart"):
            self._opened = height
            begin(self._open(height))

    def _open(self, height: int) -> Story:
        votes, life = self.head.votes, self._lives
        self._context.commits.began(height, self._clock.now)
        self._made.clear()
        self._verified.clear()
        cycles = votes[self.number] * self._context.plan.cost.cycles_per_credit
        yield from self._work(Work.WEIGH, height, cycles)
        if self._is("restart") or self._lives != life:
            self._opened = height - 1
            self.await_height()
        else:
            self._perform(self._part.begin(height, votes))

    def _decided(self, decide: Decide[Block]) -> None:
        self._voters = tuple(sorted(vote.sender for vote in decide.certificate))
        before = self.head
        self.head = head = self._context.commits.decided(self.number, decide, before)
        self._received = {key: None for key in self._received if key[1] >= head.due[key[0]]}
        self._offences = {key: seen for key, seen in self._offences.items() if key not in head.offences}
        self._held.clear()
        self.await_height()

    # --- the rules of a block --------------------------------------------------------------------------------------

    def _proposer(self, height: int, round_: int) -> int:
        """Return the validator that the policy asked for, at round 0 and if it votes; else the elected one."""
        head, hinted = self.head, self._context.hints.get(height)
        if hinted is not None and head.votes[hinted]:
            if round_ == 0:
                return hinted
            round_ -= 1
        return self._context.elections.elected(head, height, round_)

    def _new_block(self, height: int, _round: int) -> Block:
        chosen = []
        # The first due batch of each site, then the second of each: a full block starves no site.
        for key in sorted(self._received, key=lambda key: (key[1] - self.head.due[key[0]], key[0])):
            sealed = self._context.archive.find(*key)
            if sealed is not None and key[1] >= self.head.due[key[0]]:
                chosen.append(sealed.batch)
        chosen = gapless(chosen, self.head.due)[: self._context.most_batches]
        return Block(
            height,
            self.number,
            self._clock.now,
            self.head.digest,
            self.head.stakes.digest,
            tuple(chosen),
            tuple(self._offences[key] for key in sorted(self._offences)),
            self._voters,
        )

    def _valid(self, block: Block) -> bool:
        head = self.head
        if (block.height, block.previous, block.stakes_root) != (head.height + 1, head.digest, head.stakes.digest):
            return False
        if block.time_s < head.time_s or block.time_s > self._clock.now or not 0 <= block.proposer < len(head.members):
            return False
        known = all(
            (sealed := self._context.archive.find(batch.site, batch.number)) is not None and sealed.batch == batch
            for batch in block.batches
        )
        in_order = len(block.batches) <= self._context.most_batches and len(gapless(block.batches, head.due)) == len(
            block.batches
        )
        keys = [offence(evidence) for evidence in block.evidence]
        fresh = len(set(keys)) == len(keys) and not any(key in head.offences for key in keys)
        seated = head.had_a_seat(block.proposer, block.height) and all(
            head.had_a_seat(evidence.accused, evidence.height) for evidence in block.evidence
        )
        return known and in_order and fresh and seated and self._names_voters(block)

    def _names_voters(self, block: Block) -> bool:
        if self.head.height == 0:
            return not block.voters
        sound = tuple(sorted(set(block.voters))) == block.voters and block.voters[-1:] < (len(self.head.members),)
        seated = all(self.head.had_a_seat(voter, self.head.height) for voter in block.voters)
        return sound and seated and quorum(self.head.voted, block.voters)

    # --- messages --------------------------------------------------------------------------------------------------

    def receive(self, message: Message[Block], what: bytes, signature: bytes) -> None:
        """Receive a message from the wires, unless its signature fails.

        Args:
            message: the message.
            what: the bytes of it that are signed.
            signature: its sender's.
        """
        if self._faults and self._is("restart"):
            return
        if not self._context.signatures.verify(message.sender, what, signature):
            return
        if isinstance(message, Proposal):
            self._receive_proposal(message)
        else:
            self._perform(self._part.receive(message))

    def _receive_proposal(self, proposal: Proposal[Block]) -> None:
        """Hold a proposal until all its batches have arrived, then verify it."""
        wanted = [(batch.site, batch.number) for batch in proposal.value.batches]
        if (proposal.round, proposal.digest) in self._verified:
            self._perform(self._part.receive(proposal))
        elif proposal.height == self.head.height + 1 and any(key not in self._received for key in wanted):
            if proposal not in self._held:
                self._held.append(proposal)
        else:
            begin(self._verify(proposal))

    def _verify(self, proposal: Proposal[Block]) -> Story:
        """Verify a proposal's block by eq 20, (s_h / Delta s_v + n_v) Delta t_v, then pass it to the machine.

        A batch counts as one transaction, because it is signed as one. A proposal that is repeated is verified once.
        """
        cost, block, life = self._context.plan.cost, proposal.value, self._lives
        check_cycles = cost.cycles_per_check
        if check_cycles is None:
            check_cycles = float(self._context.signatures.figures.verify_cycles)
        cycles = (8 * HEADER_BYTE / cost.checked_bit + len(block.batches)) * check_cycles
        yield from self._work(Work.VERIFY, proposal.height, cycles)
        if self._is("restart") or self._lives != life:
            return
        if proposal.height == self._opened:
            self._verified[proposal.round, proposal.digest] = None
        # Only a block on the same chain is judged: on another, this validator lacks the state that it is valid in.
        if block.height == self.head.height + 1 and block.previous == self.head.digest and not self._valid(block):
            first = Evidence(
                proposal.height, proposal.round, proposal.sender, Offence.INVALID_PROPOSAL, proposal.digest, NO_HASH
            )
            self._accuse(first)
        self._perform(self._part.receive(proposal))

    def _accuse(self, evidence: Evidence) -> None:
        key = offence(evidence)
        known = key in self._offences or key in self.head.offences
        if evidence.accused != self.number and not known:
            self._offences[key] = evidence
            self._context.commits.found(self.number, evidence)

    def _perform(self, outputs: list[Output[Block]]) -> None:
        """Perform the outputs of the machine in order; a new block is made first, and the rest waits for that."""
        for place, output in enumerate(outputs):
            if isinstance(output, Broadcast | Send):
                message = output.message
                if isinstance(message, Proposal) and message.sender == self.number:
                    if message.digest not in self._made:
                        self._made[message.digest] = False
                        begin(self._make(message, outputs[place:]))
                        return
                    if not self._made[message.digest]:
                        continue
                self._send(output)
            elif isinstance(output, Schedule):
                waited = partial(self._time_out, output.timeout, self._lives)
                self._clock.at(self._clock.now + output.delay_s, waited)
            elif isinstance(output, Decide):
                self._decided(output)
            else:
                self._accuse(as_evidence(output))

    def _make(self, proposal: Proposal[Block], then: list[Output[Block]]) -> Story:
        """Make a block by eq 18, rho^b s^b cycles, once whatever the rounds it is proposed in; then go on."""
        size_bit = self._context.block_bit(proposal.value)
        cycles = self._context.plan.cost.density_cycles_per_bit * size_bit
        yield from self._work(Work.MAKE, proposal.height, cycles)
        self._made[proposal.digest] = True
        self._perform(then)

    def _work(self, work: Work, height: int, cycles: float) -> Story:
        return self._context.worker.do(self._host, self.site, height, work, cycles)

    def _time_out(self, timeout: Timeout, life: int) -> None:
        if life == self._lives and not self._is("restart"):
            self._perform(self._part.timeout(timeout))

    def _send(self, output: Broadcast[Block] | Send[Block]) -> None:
        held_s = sum(how.delay_s for how in self._faults if how.kind == "slow" and self._is_now(how))
        if held_s:
            self._clock.at(self._clock.now + held_s, partial(self._leave, output))
        else:
            self._leave(output)

    def _leave(self, output: Broadcast[Block] | Send[Block]) -> None:
        """Hand a message to the wires, each time that it is said, unless this validator is silent or down then."""
        if self._faults and self._is("silent", "restart"):
            return
        message, context = output.message, self._context
        if message.sender == self.number:
            if isinstance(message, Proposal):
                context.commits.proposed(message, context.block_bit(message.value))
            elif isinstance(message, Vote):
                context.commits.voted(message)
        size_bit = float(message.size_bit(context.signatures.figures.size_bit))
        freight = Freight.VOTES
        if isinstance(message, Proposal | Decided | Polka):
            size_bit += context.block_bit(message.value)
            freight = Freight.BLOCKS
        what = signed(message)
        signature = context.signatures.sign(message.sender, what)
        if isinstance(output, Broadcast):
            arrived = partial(self._hand_over, message, what, signature)
            context.network.broadcast(size_bit, self.site, self._other_sites, arrived, what, freight)
        elif output.receiver != self.number:
            node = context.nodes[output.receiver]
            received = partial(node.receive, message, what, signature)
            context.network.post(size_bit, self.site, node.site, received, what)

    def _hand_over(self, message: Message[Block], what: bytes, signature: bytes, site: int) -> None:
        self._context.at_site[site].receive(message, what, signature)

    @cached_property
    def _other_sites(self) -> tuple[int, ...]:
        """The sites of all other validators, by their numbers."""
        return tuple(node.site for node in self._context.nodes if node is not self)
