"""The ledger of a run: sites seal their records into batches, and validators vote on blocks of batches.

A site seals half an interval before a block is due, so that its batch has reached the validators by then, and earlier
if it has many records. The batch travels to every other validator as a transfer of its own.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from cosim.compute import Host
from cosim.decision import Action
from cosim.errors import InputError
from cosim.kernel.clock import URGENT, Clock
from cosim.kernel.rng import stream
from cosim.ledger.block import BATCH_BYTE, Batch
from cosim.ledger.log import RecordLog
from cosim.ledger.merkle import root
from cosim.ledger.run.archive import Archive, SealedBatch
from cosim.ledger.run.chain_state import Move, genesis
from cosim.ledger.run.commits import Commits
from cosim.ledger.run.elections import Elections
from cosim.ledger.run.fitting import fitted_timeouts
from cosim.ledger.run.network import Network
from cosim.ledger.run.node import Node, ValidatorContext
from cosim.ledger.run.worker import Worker
from cosim.ledger.signature import FIGURES, signatures
from cosim.mobility.source import MobilityFrame
from cosim.part import Part
from cosim.roads.siting import PlacedSite
from cosim.scenario.ledger import Ledger, Partition
from cosim.trace.facts.ledger import BatchSealed, ProposerAsked, ValidatorDeployed, ValidatorsParted
from cosim.trace.store.writer import FactWriter
from cosim.transport import Wires
from cosim.types import IntArray


class Chain(Part):
    """The ledger of a run: all validators, and the batches that they put into blocks."""

    def __init__(
        self,
        clock: Clock,
        plan: Ledger,
        sites: Sequence[PlacedSite],
        hosts: Mapping[int, Host],
        wires: Wires,
        seed: int,
        facts: FactWriter,
    ) -> None:
        """Make the validators and start the chain.

        Args:
            clock: simulated time.
            plan: the scenario's `ledger`.
            sites: all sites; a validator is named by its site.
            hosts: processors by site, shared with the tasks.
            wires: wires between sites, shared with the tasks.
            seed: the run's, from which signature keys are derived if signatures are computed.
            facts: where the ledger's facts are recorded.

        Raises:
            InputError: a validator's site is unknown or has no host, or signatures cannot be computed.
        """
        self._clock = clock
        self._plan = plan
        self._names = [site.name for site in sites]
        first = self._first_validators(hosts)
        joining = [self._site(move.validator, "ledger.membership", hosts) for move in plan.membership]
        self._sites = list(dict.fromkeys([*first, *joining]))
        moves = [
            Move(move.height, self._sites.index(site), move.action == "join")
            for move, site in zip(plan.membership, joining, strict=True)
        ]
        self.log = RecordLog(len(sites))
        self._archive = Archive(len(sites))
        self._record_sealed = facts.recorder(BatchSealed)
        self._record_parted = facts.recorder(ValidatorsParted)
        self._record_asked = facts.recorder(ProposerAsked)
        deployed = facts.recorder(ValidatorDeployed)
        for number, site in enumerate(self._sites):
            deployed(0.0, number, site)
        head = genesis([site in first for site in self._sites], len(sites), plan.credits, plan.committee)
        self._commits = Commits(clock, plan, head, self._archive, self._sites, moves, facts)
        partitions = [
            (partition, frozenset(self._site(name, "ledger.partitions", hosts) for name in partition.side))
            for partition in plan.partitions
        ]
        self._network = Network(clock, wires, plan, partitions, stream(seed, "ledger.loss"))
        self._worker = Worker(clock, facts)
        self._hints: dict[int, int] = {}
        self._signature_bit = FIGURES[plan.signature].size_bit
        scheme = signatures(plan.signature, plan.sign, seed, len(self._sites))
        self._nodes: list[Node] = []
        self._at_site: dict[int, Node] = {}
        timeouts = fitted_timeouts(plan, wires, {site: hosts[site] for site in self._sites})
        context = ValidatorContext(
            clock,
            plan,
            self._network,
            self._archive,
            self._worker,
            self._commits,
            scheme,
            self._hints,
            Elections(plan.proposer),
            timeouts,
            self._nodes,
            self._at_site,
        )
        self._nodes += [Node(number, site, hosts[site], head, context) for number, site in enumerate(self._sites)]
        self._at_site |= {node.site: node for node in self._nodes}
        for fault in plan.faults:
            site = self._site(fault.validator, "ledger.faults", hosts)
            if site not in self._sites:
                raise InputError(f"ledger.faults: {fault.validator} is no validator; name one of them")
            self._nodes[self._sites.index(site)].misbehave(fault)
        self._schedule(partitions)

    def _first_validators(self, hosts: Mapping[int, Host]) -> list[int]:
        if self._plan.validators is None:
            first = [site for site in range(len(self._names)) if site in hosts]
            if not first:
                raise InputError("ledger: no site has a host that could vote; raise compute.edge.cores")
            return first
        return [self._site(name, "ledger.validators", hosts) for name in self._plan.validators]

    def _site(self, name: str, field: str, hosts: Mapping[int, Host]) -> int:
        if name not in self._names:
            shown = ", ".join(self._names[:8])
            raise InputError(
                f"{field}: no site is called {name}; sites are {shown}{', ...' if len(self._names) > 8 else ''}"
            )
        site = self._names.index(name)
        if site not in hosts:
            raise InputError(f"{field}: site {name} has no cores to do the ledger's work; give it some or leave it out")
        return site

    def _schedule(self, partitions: Sequence[tuple[Partition, frozenset[int]]]) -> None:
        self._clock.at(0.5 * self._plan.block.interval_s, partial(self._seal_turn, 0), URGENT)
        for node in self._nodes:
            node.await_height()
        for partition, side in partitions:
            here, there = (
                " ".join(self._names[site] for site in self._sites if (site in side) == inside)
                for inside in (True, False)
            )
            for time_s, begins in ((partition.start_s, 1), (partition.end_s, 0)):
                self._clock.at(time_s, partial(self._parted, begins, f"{here} | {there}"))

    def _parted(self, begins: int, groups: str) -> None:
        self._record_parted(self._clock.now, begins, groups)

    def _seal_turn(self, turn: int) -> None:
        """Seal a batch at every site that has records, and schedule the next turn."""
        self._clock.at((turn + 1.5) * self._plan.block.interval_s, partial(self._seal_turn, turn + 1), URGENT)
        for site, pending in enumerate(self.log.pending):
            if pending:
                self._send(*self._seal(site))

    def _seal(self, site: int) -> tuple[Batch, int]:
        """Seal the site's oldest records into a batch, and return it with its size in bits."""
        records, served = self.log.take(site, self._plan.block.batch_records)
        batch = Batch(site, self._archive.next_number(site), len(records), root(records))
        self._archive.keep(SealedBatch(batch, served))
        size_bit = 8 * (sum(map(len, records)) + BATCH_BYTE) + self._signature_bit
        self._record_sealed(self._clock.now, site, batch.number, batch.records, size_bit, batch.root.hex())
        return batch, size_bit

    def _send(self, batch: Batch, size_bit: int) -> None:
        """Send a batch to the validator of its site at once, to all others over the wires."""
        if batch.site in self._at_site:
            self._at_site[batch.site].arrive(batch.site, batch.number)
        ends = tuple(site for site in self._sites if site != batch.site)
        self._network.send_to_all(float(size_bit), batch.site, ends, partial(self._arrived, batch))

    def _arrived(self, batch: Batch, site: int) -> None:
        self._at_site[site].arrive(batch.site, batch.number)

    # --- what the run does with it ---------------------------------------------------------------------------------

    def stake(self) -> IntArray:  # (S,)
        """Return the credits of each site as a validator, by the last final block."""
        stake = np.zeros(len(self._names), np.int64)
        stake[self._sites] = self._commits.head.stakes.credits
        return stake

    def turned(self, action: Action) -> None:
        """Ask for a proposer of the height after the one that is voted on, if the policy has named one.

        A site that does not vote is no proposer.
        """
        if action.proposer is None:
            return
        site = int(action.proposer)
        self._record_asked(self._clock.now, site)
        if site in self._sites:
            self._hints[self._commits.opened + 1] = self._sites.index(site)

    def tick(self, frame: MobilityFrame, tick: int) -> None:  # noqa: ARG002 - the hook's signature
        """Seal batches at the sites that have a full one."""
        most = self._plan.block.batch_records
        for site, pending in enumerate(self.log.pending):
            while len(pending) >= most:
                self._send(*self._seal(site))

    def finish(self) -> None:
        """Seal what is pending at the end of the run, so that a finished trace can be checked as a whole."""
        self._worker.finish()
        for site, pending in enumerate(self.log.pending):
            while pending:
                self._seal(site)
