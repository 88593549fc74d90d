"""The check of stakes and committees: the blocks give them again, from the first height on (S3 Algorithm 1)."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from cosim.audit.ledger_blocks import StatedBlock
from cosim.audit.ledger_rows import LedgerRows
from cosim.ledger.block import Batch, Block
from cosim.ledger.poqks import quorum
from cosim.ledger.run.chain_state import ChainState, Move, apply_block, genesis
from cosim.trace.facts.ledger import CommitteeDrawn, StakeChanged, ValidatorDeployed
from cosim.trace.facts.run import SiteDeployed
from cosim.trace.store.integrity import Finding

_StakeRows: TypeAlias = dict[int, list[tuple[int, tuple[float, ...]]]]


def check_credits(read: LedgerRows, stated: Sequence[StatedBlock], served: Callable[[Batch], int]) -> Iterator[Finding]:
    """Yield every height whose stakes, or whose voters, are not what the blocks before it give.

    Args:
        read: rows of the run.
        stated: its blocks; a run that was killed has fewer.
        served: number of offloads for which a batch earns credits.
    """
    sites = _validators(read)
    if sites != read.of[ValidatorDeployed].site.tolist():
        yield Finding("validator_deployed", None, f"the validators are not the scenario's, at sites {sites}")
        return
    validator_of = {site: number for number, site in enumerate(sites)}
    moves = _moves(read, validator_of)
    first = _first(read)
    head = genesis([site in first for site in sites], read.sites, read.plan.credits, read.plan.committee)
    told = _stake_rows(read)
    yield from _stakes(head, 0.0, told)
    drawn = {row.height: row for row in read.each(CommitteeDrawn)}
    if len(drawn) < len(read.of[CommitteeDrawn]):
        yield Finding("committee_drawn", None, "a height has two committees")
    yield from _committee(head, 0.0, drawn)
    for one in stated:
        block = one.block
        problem = _problem(block, head)
        if problem:
            yield Finding("block_committed", one.seq, f"height {block.height}: {problem}; no stake after it is checked")
            return
        yield from _votes(one, head)
        counts = [0] * len(sites)
        for batch in block.batches:
            if batch.site in validator_of:
                counts[validator_of[batch.site]] += served(batch)
        head = apply_block(head, block, counts, moves, read.plan.credits, read.plan.committee)
        stakes = head.stakes
        if (one.treasury, one.minted, one.burned) != (stakes.treasury, stakes.minted, stakes.burned):
            right = f"treasury {stakes.treasury}, minted {stakes.minted}, burned {stakes.burned}"
            yield Finding("block_committed", one.seq, f"height {block.height}: the blocks up to it give {right}")
        yield from _stakes(head, one.time_s, told)
        yield from _committee(head, one.time_s, drawn)
    for height, row in drawn.items():
        yield Finding("committee_drawn", row.seq, f"height {height}: no block before it has drawn a committee")
    for height, rows in told.items():
        for seq, _ in rows:
            yield Finding("stake_changed", seq, f"height {height}: there is no block before it")


def _first(read: LedgerRows) -> list[int]:
    """Return the sites of the validators that vote from the first height."""
    table = read.of[SiteDeployed]
    if read.plan.validators is None:
        return [int(site) for site in table.site[table.cores > 0]]
    return [_site(read, name) for name in read.plan.validators]


def _validators(read: LedgerRows) -> list[int]:
    """Return the sites of the validators by number: those of the first height, then those that join later."""
    return list(dict.fromkeys([*_first(read), *(_site(read, move.validator) for move in read.plan.membership)]))


def _moves(read: LedgerRows, validator_of: dict[int, int]) -> list[Move]:
    return [
        Move(move.height, validator_of[_site(read, move.validator)], move.action == "join")
        for move in read.plan.membership
    ]


def _site(read: LedgerRows, name: str) -> int:
    """Return the number of a site; -1 if no row has this name."""
    names = read.of[SiteDeployed].name.tolist()
    return names.index(name) if name in names else -1


def _stake_rows(read: LedgerRows) -> _StakeRows:
    """Return the `stake_changed` rows by height: seq, then validator and its columns."""
    told: _StakeRows = defaultdict(list)
    for _, seq, height, *values in read.each(StakeChanged):
        told[height].append((seq, tuple(values)))
    return told


def _stakes(head: ChainState, time_s: float, told: _StakeRows) -> Iterator[Finding]:
    """Check the rows of the height after this head, and remove them from `told`."""
    height = head.height + 1
    rows, changes = told.pop(height, []), head.changes
    columns = (head.members, head.stakes.credits, changes.earned, changes.settled, changes.slashed, changes.joined)
    right = [(validator, time_s, *values) for validator, values in enumerate(zip(*columns, strict=True))]
    if len(rows) != len(right):
        why = f"height {height}: {len(rows)} rows for {len(right)} validators"
        yield Finding("stake_changed", None, why)
    for (seq, values), wanted in zip(rows, right, strict=False):
        if values != wanted:
            why = f"height {height}, validator {wanted[0]}: the blocks before give {wanted[3]} credits, not this row"
            yield Finding("stake_changed", seq, why)


def _committee(head: ChainState, time_s: float, drawn: dict[int, Any]) -> Iterator[Finding]:
    """Check the row of the committee of the height after this head, and remove it from `drawn`."""
    height = head.height + 1
    committee = head.committee(height)
    if committee is None:
        return
    row = drawn.pop(height, None)
    right = (time_s, len(committee), sum(head.votes), " ".join(map(str, committee)))
    if row is None or (row.time_s, row.seats, row.credits, row.validators) != right:
        seq = None if row is None else row.seq
        yield Finding("committee_drawn", seq, f"height {height}: the chain draws validators {right[3]}, not this row")


def _problem(block: Block, head: ChainState) -> str:
    """Return why credits cannot be computed with this block, "" if they can."""
    validators = range(len(head.members))
    if block.height != head.height + 1:
        return f"follows height {head.height}"
    if block.proposer not in validators or any(each.accused not in validators for each in block.evidence):
        return "names somebody who is no validator"
    if any(batch.site not in range(len(head.due)) for batch in block.batches):
        return "holds a batch of no site"
    if tuple(sorted(set(block.voters))) != block.voters or any(each not in validators for each in block.voters):
        return "its voters are not validators in order, each once"
    return _seat_problem(block, head)


def _seat_problem(block: Block, head: ChainState) -> str:
    """Return who is named in this block and had no seat in the committee of the height, "" if nobody is."""
    if not head.had_a_seat(block.proposer, block.height):
        return f"its proposer {block.proposer} has no seat"
    if any(not head.had_a_seat(each.accused, each.height) for each in block.evidence):
        return "accuses somebody who had no seat"
    if any(not head.had_a_seat(voter, head.height) for voter in block.voters):
        return "names a voter who had no seat"
    return ""


def _votes(one: StatedBlock, head: ChainState) -> Iterator[Finding]:
    block = one.block
    if block.stakes_root != head.stakes.digest:
        why = f"height {block.height}: it was not voted with the stakes that the blocks before give"
        yield Finding("block_committed", one.seq, why)
    # The first block has none before it to pay voters for.
    if block.voters if head.height == 0 else not quorum(head.voted, block.voters):
        why = f"height {block.height}: its voters are no quorum of the stakes of height {head.height}"
        yield Finding("block_committed", one.seq, why)
