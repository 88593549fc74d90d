"""The audit of the ledger's facts: each broken law is found."""

from pathlib import Path
from typing import Any

import pytest
from substrate import Broken, change, facts, named, not_named, side_by_side, without, write

from cosim.audit.verify import verify
from cosim.trace.facts.ledger import (
    BatchCommitted,
    BatchSealed,
    BlockCommitted,
    BlockProposed,
    ConsensusWorked,
    EvidenceCommitted,
    OffenceFound,
    StakeChanged,
    ValidatorDeployed,
    VoteCast,
)
from cosim.trace.facts.run import SiteDeployed

pytestmark = pytest.mark.usefixtures("unhashed")

BROKEN: list[Broken] = [
    (StakeChanged, 2, {"credits": 1007}, "its credits are not those of before"),
    (StakeChanged, 2, {"credits": 1007, "settled": 6}, "the credits after it and its treasury are not minted - burned"),
    (StakeChanged, 4, {"earned": 1, "settled": 4}, "minted - burned has not changed by what validators earned"),
    (StakeChanged, 1, {"height": 2}, "its validator has a row for this height already"),
    (StakeChanged, 1, {"validator": 5}, "its validator is no validator"),
    (StakeChanged, 1, {"member": 2}, "its member is unknown"),
    (ValidatorDeployed, 1, {"site": 6}, "its site is no deployed site"),
    (BlockCommitted, 0, {"treasury": 991}, "the credits after it and its treasury are not minted - burned"),
    (BlockCommitted, 1, {"minted": 3000}, "its minted is smaller than before"),
    (BlockCommitted, 1, {"height": 3}, "its height does not follow the one before"),
    (BlockCommitted, 1, {"previous": "block-0"}, "its previous is not the hash of the block before"),
    (BlockCommitted, 1, {"time_s": 14.0}, "it is final before the block before"),
    (BlockCommitted, 1, {"proposed_s": 17.6}, "it is final before it began or was proposed"),
    (BlockCommitted, 1, {"records": 5}, "its records are not those of its batches"),
    (BlockCommitted, 0, {"proposer": 4}, "its proposer is no validator"),
    (BlockProposed, 0, {"hash": "other"}, "it was never proposed"),
    (BatchSealed, 2, {"batch": 2}, "its batch is not the next of its site"),
    (BatchSealed, 0, {"root": "ab"}, "it is not a batch that its site had sealed"),
    (BatchSealed, 0, {"records": 2}, "it is not a batch that its site had sealed"),
    (BatchCommitted, 2, {"batch": 0}, "its batch is in the chain already"),
    (BatchCommitted, 0, {"served": 4}, "it serves more offloads than it has records"),
    (BatchCommitted, 2, {"height": 9}, "its height has no final block"),
    (EvidenceCommitted, 0, {"accused": 0}, "nobody had found its offence"),
    (EvidenceCommitted, 0, {"offence": 3}, "its offence is unknown"),
    (OffenceFound, 0, {"finder": 3}, "its finder is no validator"),
    (VoteCast, 0, {"validator": 3}, "its validator is no validator"),
    (VoteCast, 0, {"phase": 2}, "its phase is unknown"),
    (ConsensusWorked, 0, {"work": 3}, "its work is unknown"),
    (ConsensusWorked, 0, {"energy_j": -1.0}, "its energy_j is negative or no number"),
    (ConsensusWorked, 0, {"started_s": 12.0}, "it starts before it was queued or after its end"),
    (ConsensusWorked, 0, {"queued_s": 15.0}, "it ends before it was queued"),
    (ConsensusWorked, 0, {"started_s": float("nan")}, "it cost energy and never started"),
    (SiteDeployed, 1, {"cores": 0}, "its site has no host"),
]


@pytest.mark.parametrize("broken", side_by_side(BROKEN))
def test_broken_laws_of_the_ledger_are_found_side_by_side(tmp_path: Path, broken: list[Broken]) -> None:
    """Of several rows that each contradict another each is named; the long run breaks one law at a time."""
    assert not_named(tmp_path / "run", broken) == []


@pytest.mark.long
@pytest.mark.parametrize(("kind", "number", "columns", "why"), BROKEN)
def test_a_broken_law_of_the_ledger_is_found(
    tmp_path: Path, kind: type, number: int, columns: dict[str, Any], why: str
) -> None:
    """A row of the ledger that contradicts another is named with the reason."""
    assert named(write(tmp_path / "run", change(facts(), kind, number, **columns)), why)


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [("energy_j", 0.876, "edge_cpu_j and of the ledger's work"), ("queued_s", 12.0, "is not the sum of the sojourns")],
)
def test_the_ledgers_work_is_in_the_sums_of_its_host(tmp_path: Path, column: str, value: float, why: str) -> None:
    """Energy or sojourn of the ledger's work that its host does not know of is found in the host's totals."""
    report = verify(write(tmp_path / "run", change(facts(), ConsensusWorked, 0, **{column: value})))
    assert any(why in finding.why for finding in report.findings), report.lines


def test_work_at_a_host_without_samples_is_found(tmp_path: Path) -> None:
    """Work of the ledger at a host that no sample speaks of is named."""
    rows = [row for row in facts() if getattr(row, "site", None) != 1 or not hasattr(row, "busy_core_s")]
    report = verify(write(tmp_path / "run", rows))
    assert [finding.why for finding in report.findings] == ["was executed at site 1, whose host was never sampled"]


def test_a_missing_block_is_found(tmp_path: Path) -> None:
    """A chain that begins at height 2 is named by its first block."""
    report = verify(write(tmp_path / "run", without(facts(), BlockCommitted, 0)))
    assert "its height does not follow the one before" in {finding.why for finding in report.findings}
