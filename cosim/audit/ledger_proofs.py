"""Proofs that a final block holds a record, which anyone who knows the hash of the block can check (RFC 9162)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from cosim.audit.ledger_batches import SealedBatches
from cosim.audit.ledger_blocks import StatedBlock, rebuild
from cosim.audit.ledger_leaves import Leaves, leaves
from cosim.audit.ledger_rows import LedgerRows, read_rows
from cosim.data_text import json_data
from cosim.errors import InputError, RunError
from cosim.ledger.proof import Inclusion, check_inclusion, prove
from cosim.ledger.records import Record, unpacked
from cosim.trace.facts.run import SiteDeployed
from cosim.trace.store.reader import Trace

_HASHES = ("path", "batch_path")
_COUNTS = ("index", "records", "site", "number", "batch_index", "height")


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof of inclusion and the hash of the block to which it leads."""

    inclusion: Inclusion
    block_hash: str

    @property
    def content(self) -> dict[str, Any]:
        """The content of a proof file."""
        return {**asdict(self.inclusion), "block_hash": self.block_hash}


def prove_task(trace: Trace, task: int) -> Proof:
    """Return the proof of the record of a task that was sent to a site or to the cloud.

    Raises:
        InputError: no ledger, or no final block holds such a record.
        RunError: the chain is broken at this place.
    """
    read, by_site = _read(trace)
    for site, held in enumerate(by_site):
        for index, record in enumerate(held.records):
            if record[0] == Record.OFFLOAD and unpacked(record)[1]["task"] == task:
                return _prove(trace, read, by_site, site, index)
    raise InputError(
        f"{trace.run}: the ledger has no record of task {task}; it takes tasks sent to a site or the cloud"
    )


def prove_record(trace: Trace, site: str, index: int) -> Proof:
    """Return the proof of a record by its place among those of its site.

    Args:
        trace: a run with a ledger.
        site: name of the site.
        index: place of the record, from 0.

    Raises:
        InputError: no ledger, no such site or record, or no final block holds it.
        RunError: the chain is broken at this place.
    """
    read, by_site = _read(trace)
    names = read.of[SiteDeployed].name.tolist()
    if site not in names:
        raise InputError(f"{trace.run}: no site is called {site}; sites are {', '.join(names[:8])}")
    count = len(by_site[names.index(site)].records)
    if not 0 <= index < count:
        raise InputError(f"{trace.run}: site {site} has {count} records; give an index from 0 to {count - 1}")
    return _prove(trace, read, by_site, names.index(site), index)


def read_proof(path: Path) -> Inclusion:
    """The proof in a file.

    Raises:
        InputError: there is none.
    """
    try:
        content = json_data(path.read_text(encoding="utf-8"))
        given = {field.name: content[field.name] for field in fields(Inclusion)}
    except OSError as error:
        raise InputError(f"{path}: {str(error.strerror).lower()}; give the file of `cosim ledger prove`") from error
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: is no proof; give the file of `cosim ledger prove --out`") from error
    texts = [given["record"], given["header"], *(text for name in _HASHES for text in _listed(path, given[name]))]
    if any(type(given[name]) is not int for name in _COUNTS) or any(type(text) is not str for text in texts):
        raise InputError(f"{path}: is no proof, a value has another type; prove the record again")
    return Inclusion(**{**given, **{name: tuple(given[name]) for name in _HASHES}})


def _listed(path: Path, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(f"{path}: is no proof, its paths are no lists; prove the record again")
    return value


def _read(trace: Trace) -> tuple[LedgerRows, list[Leaves]]:
    read = read_rows(trace)
    try:
        return read, leaves(read)
    except ValueError as error:
        raise RunError(f"{trace.run}: its records cannot be made again ({error})") from error


def _prove(trace: Trace, read: LedgerRows, by_site: Sequence[Leaves], site: int, index: int) -> Proof:
    batches = SealedBatches(read, by_site)
    sealed = batches.holding(site, index)
    found = None if sealed is None else _place(rebuild(read).stated, site, sealed.number)
    if sealed is None or found is None:
        where = "no batch yet" if sealed is None else f"batch {sealed.number}, which no final block holds"
        raise InputError(f"{trace.run}: record {index} of site {site} is in {where}; run for longer")
    one, place = found
    try:
        inclusion = prove(one.block, place, batches.records(one.block.batches[place]), index - sealed.start)
    except IndexError:
        inclusion = None
    if inclusion is None or not check_inclusion(inclusion, one.digest):
        raise RunError(f"{trace.run}: block {one.block.height} is broken; see `cosim ledger verify {trace.run}`")
    return Proof(inclusion, one.digest.hex())


def _place(stated: Sequence[StatedBlock], site: int, number: int) -> tuple[StatedBlock, int] | None:
    """Return the block that holds a batch, and the place of the batch in it."""
    for one in stated:
        for place, batch in enumerate(one.block.batches):
            if (batch.site, batch.number) == (site, number):
                return one, place
    return None
