"""The check of a run's ledger: the chain is unbroken and holds the records that the other rows give.

An author who can change the rows of records and also all hashes, roots and stakes after them can write another chain:
a block's hash kept elsewhere and the signatures of the validators protect against that, this check does not.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from cosim.audit.ledger_batches import SealedBatches
from cosim.audit.ledger_blocks import Rebuilt, rebuild
from cosim.audit.ledger_credits import check_credits
from cosim.audit.ledger_leaves import leaves
from cosim.audit.ledger_rows import LedgerRows, read_rows
from cosim.errors import InputError
from cosim.ledger.proof import check_chain
from cosim.trace.facts.keys import TaskKeyed
from cosim.trace.facts.ledger import BatchCommitted, BatchSealed
from cosim.trace.store.integrity import SHOWN, Finding
from cosim.trace.store.reader import Trace


def chain_findings(trace: Trace) -> Iterator[Finding]:
    """Yield everything that is wrong with a run's ledger; nothing without a ledger or without a readable scenario.

    A run that was killed is checked up to what had been written.
    """
    try:
        plan = trace.scenario.ledger
    except InputError:
        return  # the check of the provenance says so
    if plan is not None:
        yield from check_rows(read_rows(trace))


def check_rows(read: LedgerRows) -> Iterator[Finding]:
    """Yield everything that is wrong with the ledger in rows that are in memory."""
    rebuilt = rebuild(read)
    yield from _shortened("block_committed", rebuilt.findings)
    twice = read.of[TaskKeyed]
    twice = twice[twice.task.duplicated()]
    yield from _shortened(
        "task_keyed", (Finding("task_keyed", seq, "its task has a row") for seq in twice.seq.tolist())
    )
    try:
        batches = SealedBatches(read, leaves(read))
    except ValueError as error:
        yield Finding("ledger", None, f"its records cannot be made again ({error})")
        return
    yield from _shortened("block_committed", _chain(rebuilt, batches))
    yield from _shortened("batch_sealed", batches.check(rebuilt.stated))
    yield from _shortened("stake_changed", check_credits(read, rebuilt.stated, batches.served))


def pending(read: LedgerRows) -> tuple[int, int]:
    """Return the numbers of sealed batches that no block holds, and of the records in them."""
    held = set(zip(*(read.of[BatchCommitted][name] for name in ("site", "batch")), strict=True))
    waiting = [one.records for one in read.each(BatchSealed) if (one.site, one.batch) not in held]
    return len(waiting), int(sum(waiting))


def _chain(rebuilt: Rebuilt, batches: SealedBatches) -> Iterator[Finding]:
    digests = [one.digest for one in rebuilt.stated]
    for problem in check_chain(rebuilt.blocks, batches.records, digests):
        site = "" if problem.site is None else f", site {problem.site}"
        kind = "block_committed" if problem.site is None else "batch_committed"
        yield Finding(kind, None, f"height {problem.height}{site}: {problem.why}")
    for one in rebuilt.stated:
        size_bit = 8 * (len(one.block.header()) + one.block.body_byte)
        if one.bit != size_bit:
            yield Finding("block_committed", one.seq, f"height {one.block.height}: {one.bit} bit is not its size")


def _shortened(kind: str, found: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the first findings and the number of the rest: a lost record moves all that its site wrote after it."""
    rest = iter(found)
    yield from islice(rest, SHOWN)
    more = sum(1 for _ in rest)
    if more:
        yield Finding(kind, None, f"{more} more findings of this sort")
