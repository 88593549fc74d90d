"""The rows of a run that hold its ledger, or of which the ledger's records were made.

The chain binds these columns, so that a change of one value is found:

* `task_ended` of tasks sent to a site or to the cloud: time_s, task, vehicle, status, released_s, edge_cpu_j, and the
  site that wrote the record: by tier the target or, for the cloud, the uplink_site. A task that was executed in its
  vehicle or by a neighbour is in no record.
* `task_keyed` of such tasks: the sum of up_bit and down_bit, and that there is one row at most.
* `key_block_distilled`: time_s, link, bit, qber.
* `vehicle_keys_filled` at a site: time_s, vehicle, node, bit.
* The order of these rows within a site.
* `batch_sealed`: all but time_s. `batch_committed`, `evidence_committed`, `stake_changed`, `committee_drawn`: all.
* `block_committed`: all but round and began_s.

Every other column tells how a task or a block came about, and is in no record.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from cosim.errors import InputError
from cosim.scenario.ledger import Ledger
from cosim.trace.facts.keys import KeyBlockDistilled, KeyLinkDeployed, TaskKeyed, VehicleKeysFilled
from cosim.trace.facts.ledger import (
    BatchCommitted,
    BatchSealed,
    BlockCommitted,
    CommitteeDrawn,
    EvidenceCommitted,
    StakeChanged,
    ValidatorDeployed,
)
from cosim.trace.facts.run import SiteDeployed, TaskEnded
from cosim.trace.store.reader import Trace

_QUERIES: Final[Mapping[type[Any], str]] = {
    SiteDeployed: "SELECT site, name, cores FROM site_deployed WHERE x_m IS NOT NULL ORDER BY site",
    KeyLinkDeployed: "SELECT link, from_node, to_node FROM key_link_deployed ORDER BY link",
    TaskEnded: "SELECT seq, time_s, task, vehicle, status, tier, target, uplink_site, released_s, edge_cpu_j "
    "FROM task_ended ORDER BY seq",
    TaskKeyed: "SELECT seq, task, up_bit, down_bit FROM task_keyed ORDER BY seq",
    KeyBlockDistilled: "SELECT seq, time_s, link, bit, qber FROM key_block_distilled ORDER BY seq",
    VehicleKeysFilled: "SELECT seq, time_s, vehicle, node, bit FROM vehicle_keys_filled ORDER BY seq",
    ValidatorDeployed: "SELECT validator, site FROM validator_deployed ORDER BY seq",
    StakeChanged: "SELECT seq, height, validator, time_s, member, credits, earned, settled, slashed, joined "
    "FROM stake_changed ORDER BY seq",
    CommitteeDrawn: "SELECT seq, height, time_s, seats, credits, validators FROM committee_drawn ORDER BY seq",
    BatchSealed: "SELECT seq, site, batch, records, bit, root FROM batch_sealed ORDER BY seq",
    BlockCommitted: "SELECT seq, time_s, height, proposer, proposed_s, records, bit, stakes, treasury, minted, burned, "
    "voters, previous, hash FROM block_committed ORDER BY seq",
    BatchCommitted: "SELECT seq, time_s, height, site, batch, records, served, root FROM batch_committed ORDER BY seq",
    EvidenceCommitted: "SELECT seq, time_s, height, offence_height, offence_round, accused, offence, first, second "
    "FROM evidence_committed ORDER BY seq",
}


@dataclass(frozen=True, slots=True)
class LedgerRows:
    """The rows from which the ledger of a run is rebuilt."""

    plan: Ledger
    complete: bool
    """Whether the run reached its end, where all pending records are sealed."""
    of: Mapping[type[Any], pd.DataFrame]
    """Rows by kind of fact, in the order of recording; sites and links by number."""

    def each(self, fact: type[Any]) -> Iterator[Any]:
        """Yield the rows of one kind as named tuples."""
        yield from self.of[fact].itertuples()

    @property
    def sites(self) -> int:
        """The number of sites, without the cloud."""
        return len(self.of[SiteDeployed])


def read_rows(trace: Trace) -> LedgerRows:
    """Read the rows of which the ledger of a run is rebuilt.

    Raises:
        InputError: the run has no ledger, or its provenance, which holds the scenario, is missing or broken.
    """
    plan = trace.scenario.ledger
    if plan is None:
        raise InputError(f"{trace.run}: this run has no ledger; give one whose scenario has a section `ledger`")
    return LedgerRows(plan, trace.complete, {fact: trace.sql(query) for fact, query in _QUERIES.items()})
