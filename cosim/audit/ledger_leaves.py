"""The records that each site wrote into the ledger, made again from the facts of which they were made.

A site's records are in the order of their facts: each task that was sent to it, or through it to the cloud, and that
ended; each block of key of its links; each filling of a vehicle's keys from it. A link belongs to the site with the
lower number among its ends, and to site 0 if neither end is a site.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cosim.audit.ledger_rows import LedgerRows
from cosim.ledger.records import Record, rows
from cosim.trace.facts.keys import KeyBlockDistilled, KeyLinkDeployed, TaskKeyed, VehicleKeysFilled
from cosim.trace.facts.run import TaskEnded
from cosim.types import NOWHERE, AnyArray, BoolArray, IntArray, Status, Tier


@dataclass(frozen=True, slots=True)
class Leaves:
    """The records of one site in order: the leaves of its Merkle trees."""

    records: list[bytes]
    served: IntArray  # (N + 1,)
    """Number of offloads whose result came back, among the first n records, for n from 0 to N."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Records of one kind: (N,) each."""

    seq: IntArray
    site: IntArray
    served: BoolArray
    records: list[bytes]


def leaves(read: LedgerRows) -> list[Leaves]:
    """Return the records by site; those that name no site are left out.

    Raises:
        ValueError: a number in a row does not fit into a record.
    """
    parts = (_offloads(read), _key_blocks(read), _key_fills(read))
    seq, site, served = (np.concatenate([getattr(part, name) for part in parts]) for name in ("seq", "site", "served"))
    records: AnyArray = np.array([record for part in parts for record in part.records], dtype=object)
    order = np.lexsort((seq, site))  # by site, within it in the order of recording
    ends = np.searchsorted(site[order], np.arange(read.sites + 1))
    spans = [order[start:end] for start, end in pairwise(ends.tolist())]
    return [Leaves(records[span].tolist(), np.concatenate([[0], np.cumsum(served[span])])) for span in spans]


def _offloads(read: LedgerRows) -> _Part:
    table = read.of[TaskEnded]
    tier, target, uplink_site = (
        table[name].fillna(NOWHERE).to_numpy(np.int64) for name in ("tier", "target", "uplink_site")
    )
    site = np.where(tier == Tier.EDGE, target, np.where(tier == Tier.CLOUD, uplink_site, NOWHERE))
    kept = site != NOWHERE
    ended = table[kept]
    keyed = read.of[TaskKeyed]
    bits = (keyed.up_bit + keyed.down_bit).groupby(keyed.task).sum()
    columns = {
        "task": ended.task.to_numpy(),
        "vehicle": ended.vehicle.to_numpy(),
        "site": site[kept],
        "status": ended.status.to_numpy(),
        "released_s": ended.released_s.to_numpy(),
        "ended_s": ended.time_s.to_numpy(),
        "energy_j": ended.edge_cpu_j.to_numpy(),
        "key_bit": bits.reindex(ended.task, fill_value=0).to_numpy(np.int64),
    }
    served: BoolArray = np.isin(columns["status"], (Status.COMPLETED, Status.LATE))
    return _Part(ended.seq.to_numpy(), site[kept], served, rows(Record.OFFLOAD, columns))


def _key_blocks(read: LedgerRows) -> _Part:
    table, links = read.of[KeyBlockDistilled], read.of[KeyLinkDeployed]
    ends = links[["from_node", "to_node"]].to_numpy(np.int64)
    lowest = np.where((ends >= 0) & (ends < read.sites), ends, read.sites).min(axis=1, initial=read.sites)
    site_of = links.set_index("link").assign(site=np.where(lowest < read.sites, lowest, 0)).site
    columns = {
        "link": table.link.to_numpy(),
        "key_bit": table.bit.to_numpy(),
        "qber": table.qber.to_numpy(),
        "time_s": table.time_s.to_numpy(),
    }
    site = site_of.reindex(table.link, fill_value=NOWHERE).to_numpy(np.int64)
    return _Part(table.seq.to_numpy(), site, np.zeros(len(table), bool), rows(Record.KEY_BLOCK, columns))


def _key_fills(read: LedgerRows) -> _Part:
    table = read.of[VehicleKeysFilled]
    table = table[(table.bit > 0) & (table.node < read.sites)]
    columns = {
        "vehicle": table.vehicle.to_numpy(),
        "node": table.node.to_numpy(),
        "key_bit": table.bit.to_numpy(),
        "time_s": table.time_s.to_numpy(),
    }
    site = table.node.to_numpy(np.int64)
    return _Part(table.seq.to_numpy(), site, np.zeros(len(table), bool), rows(Record.KEY_FILL, columns))
