"""The schemas of run folders that this program reads, and the kinds that the digest of each covers.

From schema 3 on the digest covers the kinds of facts that have rows, so that a new kind does not change the digest of
other runs. In schema 2 it covered all kinds that existed, in their order. Schema 4 has two more columns in
`task_ended` (each `Column` says since which schema it is stored), and in its files what did not happen is null
(`cosim.trace.store.nulls`).
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from cosim.trace.facts.run import SCHEMA_VERSION

_OF_SCHEMA_2: Final = (
    *("site_deployed", "vehicle_entered", "vehicle_left", "vehicle_moved", "teleport_started", "teleport_ended"),
    *("cell_changed", "transfer_moved", "task_released", "task_decided", "task_ended"),
    *("host_sampled", "cell_sampled", "traffic_sampled"),
    *("key_node_deployed", "key_link_deployed", "key_block_distilled", "key_link_changed", "key_pool_sampled"),
    *("vehicle_keys_filled", "vehicle_keys_sampled", "task_keyed"),
    *("validator_deployed", "stake_changed", "batch_sealed", "block_proposed", "vote_cast", "offence_found"),
    *("block_committed", "batch_committed", "evidence_committed", "consensus_worked", "validators_parted"),
    *("twin_uplinked", "twin_synced", "twin_sampled", "twin_moved", "twin_host_sampled"),
)
DIGESTED: Final[Mapping[int, tuple[str, ...]]] = {2: _OF_SCHEMA_2, 3: (), SCHEMA_VERSION: ()}
"""Kinds that the digest covers even without rows, in its order, by schema version."""
NO_ROWS: Final = hashlib.sha256().hexdigest()
"""Digest of a kind without rows."""


def combined_digest(digests: Mapping[str, str], schema_version: int = SCHEMA_VERSION) -> str:
    """Return the digest of a run: SHA-256 over names and digests of its kinds, by name if the schema has no order."""
    ordered = DIGESTED[schema_version]
    names = (*ordered, *sorted(digests.keys() - set(ordered)))
    lines = (f"{name} {digests[name]}\n" for name in names)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
