"""The chain of a run as a person reads it: its blocks, their contents, and the credits at the end."""

from dataclasses import dataclass
from typing import Any, Final

from cosim.audit.ledger_committees import CommitteeShare, committee_share
from cosim.errors import InputError
from cosim.trace.store.reader import Trace

_BLOCKS: Final = """
SELECT b.height, b.time_s, round, name AS proposer, coalesce(batches, 0) AS batches, records,
  coalesce(evidence, 0) AS evidence, b.time_s - proposed_s AS finality_s, hash
FROM block_committed b
  LEFT JOIN (SELECT validator AS proposer, site FROM validator_deployed) USING (proposer)
  LEFT JOIN (SELECT site, name FROM site_deployed) s USING (site)
  LEFT JOIN (SELECT height, count(*) AS batches FROM batch_committed GROUP BY height) USING (height)
  LEFT JOIN (SELECT height, count(*) AS evidence FROM evidence_committed GROUP BY height) USING (height)
ORDER BY b.height
"""
_STAKES: Final = """
SELECT name AS site, member, credits, coalesce(sat, 0) AS sat
FROM (SELECT validator, arg_max(member, height) AS member, arg_max(credits, height) AS credits
  FROM stake_changed GROUP BY validator) v
JOIN (SELECT validator, site FROM validator_deployed) USING (validator)
JOIN (SELECT site, name FROM site_deployed) USING (site)
LEFT JOIN (SELECT validator, count(*) AS sat
  FROM (SELECT unnest(string_split(validators, ' ')) AS validator FROM committee_drawn WHERE validators <> '')
  GROUP BY validator) c ON c.validator = v.validator::VARCHAR
ORDER BY v.validator
"""
_TOTALS: Final = """
SELECT coalesce(arg_max(treasury, height), 0) AS treasury, coalesce(arg_max(minted, height), 0) AS minted,
  coalesce(arg_max(burned, height), 0) AS burned, (SELECT coalesce(sum(records), 0) FROM batch_sealed)::BIGINT AS sealed
FROM block_committed
"""


@dataclass(frozen=True, slots=True)
class BlockLine:
    """A final block, as a line of the overview."""

    height: int
    time_s: float
    """Time at which it became final."""
    round: int
    proposer: str
    """Name of the site of the validator that proposed it."""
    batches: int
    records: int
    evidence: int
    finality_s: float
    """Delay to finality, S3 eq 21."""
    hash: str


@dataclass(frozen=True, slots=True)
class StakeLine:
    """A validator's membership and credits at the end of the run."""

    site: str
    member: int
    """1 if it votes."""
    credits: int
    sat: int
    """Number of heights at which it had a seat; 0 where there are no committees."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The blocks of a chain, and its credits at the end of the run."""

    blocks: tuple[BlockLine, ...]
    stakes: tuple[StakeLine, ...]
    treasury: int
    minted: int
    burned: int
    pending: int
    """Number of sealed records that no block holds."""
    committee: CommitteeShare | None
    """None where all validators vote."""

    @property
    def records(self) -> int:
        """The number of records in all blocks."""
        return sum(block.records for block in self.blocks)


def overview(trace: Trace) -> Overview:
    """Return the chain of a run, without checking it.

    Raises:
        InputError: the run has no ledger.
    """
    stakes = tuple(StakeLine(**row) for row in _records(trace, _STAKES))
    if not stakes:
        raise InputError(f"{trace.run}: this run has no ledger; give one whose scenario has a section `ledger`")
    blocks = tuple(BlockLine(**row) for row in _records(trace, _BLOCKS))
    (totals,) = _records(trace, _TOTALS)
    pending = totals.pop("sealed") - sum(block.records for block in blocks)
    if not blocks:  # nothing has happened to what they began with
        plan = trace.scenario.ledger
        totals["treasury"] = 0 if plan is None else plan.credits.treasury
        totals["minted"] = totals["treasury"] + sum(stake.credits for stake in stakes)
    return Overview(blocks, stakes, **totals, pending=pending, committee=committee_share(trace))


def _records(trace: Trace, query: str) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in trace.sql(query).to_dict(orient="records")]
