"""Rules for the rows of the ledger: one chain of blocks, every batch in it once, and credits conserved.

Credits. `stake_changed` rows of height h give the credits with which h votes; a validator without a row at h has those
of its last row before h, and 0 before its first. They are settled by the block of height h - 1, whose `block_committed`
row gives treasury, minted and burned after it, so that for every h > 1

    sum of credits with which h votes + treasury(h - 1) = minted(h - 1) - burned(h - 1).

The rows of height 1 are the validators' first: what they have joined with. Whether hashes, roots and signatures are
right cannot be asked by a query: `cosim.audit.ledger_check` hashes the chain again.
"""

from typing import Final

from cosim.audit.rule import Rule, amounts, flags, known_codes, unknown, where
from cosim.trace.facts.ledger import ConsensusWorked, EvidenceCommitted, OffenceFound, VoteCast

_CREDITS: Final = """
SELECT height, sum(sum(change)) OVER (ORDER BY height) AS credits, sum(earned - slashed + joined) AS made
FROM (SELECT *, credits - lag(credits, 1, 0) OVER (PARTITION BY validator ORDER BY height) AS change FROM stake_changed)
GROUP BY height
"""
"""SQL: sum of all credits with which a height votes, and what was minted less burned for it, by height."""


_SEATS: Final = "CASE WHEN c.validators = '' THEN [] ELSE TRY_CAST(string_split(c.validators, ' ') AS BIGINT[]) END"
"""SQL: the validators of a committee, a row of `committee_drawn c`."""


def ledger_rules() -> list[Rule]:
    """Return the rules that hold at every moment of a run."""
    return [*_known(), *_stakes(), *_conservation(), *_seats(), *_chain(), *_contents(), *_work()]


def _known() -> list[Rule]:
    """Return the rules that validators and sites are deployed ones, and codes known ones."""
    validators, sites = "SELECT validator FROM validator_deployed", "SELECT site FROM site_deployed"
    voters = {
        "stake_changed": ("validator",),
        "block_proposed": ("proposer",),
        "vote_cast": ("validator",),
        "offence_found": ("accused", "finder"),
        "block_committed": ("proposer",),
        "evidence_committed": ("accused",),
    }
    hosts = "SELECT site FROM site_deployed WHERE cores > 0"
    return [
        *(
            unknown(kind, f"its {name} is no validator", name, validators)
            for kind, names in voters.items()
            for name in names
        ),
        *(
            unknown(kind, "its site is no deployed site", "site", sites)
            for kind in ("validator_deployed", "batch_sealed", "batch_committed")
        ),
        unknown("consensus_worked", "its site has no host", "site", hosts),
        *flags("stake_changed", "member"),
        *known_codes(VoteCast),
        *flags("vote_cast", "agrees"),
        *known_codes(OffenceFound),
        *known_codes(EvidenceCommitted),
        *known_codes(ConsensusWorked),
        *flags("validators_parted", "begins"),
        *amounts(
            {
                "stake_changed": ("credits", "earned", "slashed"),
                "batch_sealed": ("batch", "records", "bit"),
                "block_proposed": ("round", "batches", "bit"),
                "vote_cast": ("round",),
                "block_committed": ("round", "records", "bit", "treasury", "minted", "burned"),
                "batch_committed": ("records", "served"),
                "consensus_worked": ("cycles", "energy_j"),
                "committee_drawn": ("seats", "credits"),
            }
        ),
    ]


def _stakes() -> list[Rule]:
    """Return the rules that a validator's credits are those of its row before, plus what changed them."""
    return [
        Rule(
            "stake_changed",
            "its credits are not those of before + earned + settled - slashed + joined",
            "SELECT seq FROM stake_changed QUALIFY credits <> earned + settled - slashed + joined "
            "+ lag(credits, 1, 0) OVER (PARTITION BY validator ORDER BY height)",
        ),
        Rule(
            "stake_changed",
            "its validator has a row for this height already",
            "SELECT max(seq) AS seq FROM stake_changed GROUP BY validator, height HAVING count(*) > 1",
        ),
        where("stake_changed", "its height is below 1", "height < 1"),
    ]


def _conservation() -> list[Rule]:
    """Return the rules that credits and treasury are what was minted less what was burned; see the module."""
    after = f"FROM block_committed b JOIN ({_CREDITS}) s ON s.height = b.height + 1"
    return [
        Rule(
            "block_committed",
            "the credits after it and its treasury are not minted - burned",
            f"SELECT b.seq {after} WHERE s.credits + treasury <> minted - burned",
        ),
        Rule(
            "block_committed",
            "minted - burned has not changed by what validators earned, lost and joined with",
            f"SELECT b.seq {after} QUALIFY minted - burned - lag(minted - burned) OVER (ORDER BY b.height) <> made",
        ),
        *(
            Rule(
                "block_committed",
                f"its {name} is smaller than before",
                f"SELECT seq FROM block_committed QUALIFY {name} < lag({name}) OVER (ORDER BY height)",
            )
            for name in ("minted", "burned")
        ),
    ]


def _seats() -> list[Rule]:
    """Return the rules of committees, where there are any: only who has a seat proposes, votes and is paid for it."""
    at_height = (
        "FROM {kind} k JOIN committee_drawn c ON c.height = k.{height} WHERE NOT list_contains({seats}, k.{name})"
    )
    names = (
        ("block_proposed", "proposer", "height"),
        ("vote_cast", "validator", "height"),
        ("offence_found", "accused", "height"),
        ("block_committed", "proposer", "height"),
        ("evidence_committed", "accused", "offence_height"),
    )
    rules = [
        Rule(
            kind,
            f"its {name} had no seat at that height",
            "SELECT k.seq " + at_height.format(kind=kind, height=height, name=name, seats=_SEATS),
        )
        for kind, name, height in names
    ]
    stakes = (
        f"FROM (SELECT seq, height, credits, unnest({_SEATS}) AS validator FROM committee_drawn c) c "
        "LEFT JOIN stake_changed s USING (height, validator)"
    )
    return [
        *rules,
        Rule(
            "block_committed",
            "a voter that it names had no seat at the height before",
            "SELECT b.seq FROM block_committed b JOIN committee_drawn c ON c.height = b.height - 1 "
            f"WHERE b.voters <> '' AND NOT list_has_all({_SEATS}, TRY_CAST(string_split(b.voters, ' ') AS BIGINT[]))",
        ),
        Rule(
            "committee_drawn",
            "its height has a committee already",
            "SELECT max(seq) AS seq FROM committee_drawn GROUP BY height HAVING count(*) > 1",
        ),
        Rule(
            "committee_drawn",
            "its seats are not the number of its validators",
            f"SELECT seq FROM committee_drawn c WHERE seats IS DISTINCT FROM len(list_distinct({_SEATS}))",
        ),
        Rule(
            "committee_drawn",
            "its credits are not those of its validators, or one of them has none",
            f"SELECT c.seq {stakes} GROUP BY c.seq, c.credits "
            "HAVING c.credits <> sum(coalesce(s.credits, 0)) OR min(coalesce(s.credits, 0)) = 0",
        ),
    ]


def _chain() -> list[Rule]:
    """Return the rules of the chain: one block at each height, on the one before, proposed before it was final."""
    return [
        Rule(
            "block_committed",
            "its height does not follow the one before",
            "SELECT seq FROM block_committed QUALIFY height <> row_number() OVER (ORDER BY height, seq)",
        ),
        Rule(
            "block_committed",
            "its previous is not the hash of the block before",
            "SELECT seq FROM block_committed QUALIFY previous <> lag(hash) OVER (ORDER BY height, seq)",
        ),
        Rule(
            "block_committed",
            "it is final before the block before",
            "SELECT seq FROM block_committed QUALIFY time_s < lag(time_s) OVER (ORDER BY height, seq)",
        ),
        where(
            "block_committed", "it is final before it began or was proposed", "time_s < greatest(began_s, proposed_s)"
        ),
        Rule(
            "block_committed",
            "it was never proposed",
            "SELECT seq FROM block_committed ANTI JOIN block_proposed USING (height, hash)",
        ),
    ]


def _contents() -> list[Rule]:
    """Return the rules of contents: records are those of batches sealed before, each once; evidence has an offence."""
    rules = [
        Rule(kind, "its height has no final block", f"SELECT seq FROM {kind} ANTI JOIN block_committed USING (height)")
        for kind in ("batch_committed", "evidence_committed")
    ]
    return [
        *rules,
        Rule(
            "batch_sealed",
            "its batch is not the next of its site",
            "SELECT seq FROM batch_sealed QUALIFY batch <> row_number() OVER (PARTITION BY site ORDER BY seq) - 1",
        ),
        Rule(
            "batch_committed",
            "its batch is in the chain already",
            "SELECT max(seq) AS seq FROM batch_committed GROUP BY site, batch HAVING count(*) > 1",
        ),
        Rule(
            "batch_committed",
            "it is not a batch that its site had sealed, with these records and this root",
            "SELECT c.seq FROM batch_committed c LEFT JOIN batch_sealed s USING (site, batch) "
            "WHERE s.seq IS NULL OR s.time_s > c.time_s OR s.records <> c.records OR s.root <> c.root",
        ),
        where("batch_committed", "it serves more offloads than it has records", "served > records"),
        Rule(
            "block_committed",
            "its records are not those of its batches",
            "SELECT b.seq FROM block_committed b LEFT JOIN (SELECT height, sum(records) AS held FROM batch_committed "
            "GROUP BY height) USING (height) WHERE b.records <> coalesce(held, 0)",
        ),
        Rule(
            "evidence_committed",
            "nobody had found its offence",
            "SELECT c.seq FROM evidence_committed c WHERE NOT EXISTS (SELECT 1 FROM offence_found f "
            "WHERE f.height = c.offence_height AND f.round = c.offence_round AND f.accused = c.accused "
            "AND f.offence = c.offence AND f.time_s <= c.time_s)",
        ),
    ]


def _work() -> list[Rule]:
    """Return the rules that the ledger's work is queued, starts and ends in this order."""
    return [
        where("consensus_worked", "it ends before it was queued", "(queued_s <= time_s) IS NOT TRUE"),
        where(
            "consensus_worked",
            "it starts before it was queued or after its end",
            "started_s NOT BETWEEN queued_s AND time_s",
        ),
        where("consensus_worked", "it cost energy and never started", "started_s IS NULL AND energy_j > 0"),
    ]
