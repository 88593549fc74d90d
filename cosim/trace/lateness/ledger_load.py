"""The load of the ledger on the processors of sites, as core-seconds used up to any time.

An execution counts over its time on the host with its mean use of cores, cycles / core_hz / (end - start), at most 1:
that is one core where cores are held exclusively, and its mean share of one under processor sharing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from cosim.trace.lateness.cause import Cause
from cosim.trace.store.reader import Trace
from cosim.types import NOWHERE, FloatArray, IntArray, Tier

_EXECUTIONS = """
SELECT site, started_s, w.time_s AS ended_s, least(1.0, cycles / core_hz / (w.time_s - started_s)) AS cores
FROM consensus_worked w JOIN site_deployed USING (site)
WHERE w.time_s > started_s ORDER BY site, w.seq
"""


@dataclass(frozen=True, slots=True)
class LedgerLoad:
    """The core-seconds that the ledger has used at one host: linear between the times, constant outside of them."""

    time_s: FloatArray  # (2 E,), growing; starts and ends of E executions
    used_core_s: FloatArray  # (2 E,)

    def between(self, begin_s: FloatArray, end_s: FloatArray) -> FloatArray:
        """Return the core-seconds between two times; 0 where one of them is NaN."""
        used = np.interp(end_s, self.time_s, self.used_core_s) - np.interp(begin_s, self.time_s, self.used_core_s)
        return np.where(np.isnan(used), 0.0, np.maximum(used, 0.0))


def ledger_loads(trace: Trace) -> Mapping[int, LedgerLoad]:
    """Return the load of each site at which the ledger worked, by site number."""
    rows = trace.sql(_EXECUTIONS)
    columns = [rows[name].to_numpy(np.float64) for name in ("started_s", "ended_s", "cores")]
    site = rows.site.to_numpy(np.int64)
    return {number: _load(*(column[site == number] for column in columns)) for number in np.unique(site).tolist()}


def _load(started_s: FloatArray, ended_s: FloatArray, cores: FloatArray) -> LedgerLoad:
    time_s = np.concatenate([started_s, ended_s])
    order = np.argsort(time_s, kind="stable")
    time_s, in_use = time_s[order], np.cumsum(np.concatenate([cores, -cores])[order])
    return LedgerLoad(time_s, np.concatenate([[0.0], np.cumsum(np.diff(time_s) * in_use[:-1])]))


def taken_s(
    loads: Mapping[int, LedgerLoad], site: IntArray, cores: FloatArray, begin_s: FloatArray, end_s: FloatArray
) -> FloatArray:  # (T,)
    """Return the core-seconds of the ledger between two times at a host over the host's cores; 0 where it did not work.

    Args:
        loads: load by site number.
        site: host of each task, (T,).
        cores: number of cores of that host, (T,).
        begin_s: begin of the interval, (T,); NaN for none.
        end_s: end of the interval, (T,); NaN for none.
    """
    taken = np.zeros(len(site))
    for number, load in loads.items():
        here = site == number
        taken[here] = load.between(begin_s[here], end_s[here]) / cores[here]
    return taken


def _claim(trace: Trace, _task: IntArray, facts: Mapping[str, FloatArray]) -> Mapping[str, FloatArray]:
    """Claim what the ledger's work took of the time in the queue and of the excess of the execution."""
    loads = ledger_loads(trace)
    site = np.where(np.isin(facts["tier"], (Tier.EDGE, Tier.CLOUD)), facts["target"], NOWHERE).astype(np.int64)
    started_s, executed_s = (
        np.where(np.isnan(facts[name]), facts["time_s"], facts[name]) for name in ("started_s", "executed_s")
    )
    return {
        "queue": taken_s(loads, site, facts["cores"], facts["queued_s"], started_s),
        "shared_cpu": taken_s(loads, site, facts["cores"], facts["started_s"], executed_s),
    }


CAUSES: Final = (Cause("block", "its host was busy with the ledger's blocks", claim=_claim, after="queue"),)
"""The causes of lateness that the ledger adds."""
