"""What the ledger's work took of the sites' processors, as core-seconds up to any moment.

An execution counts over its time on the host with its mean use of cores, cycles / core_hz / (end - start), at most 1:
that is one core where cores are held alone, and its mean share of one under processor sharing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cosim.trace.store.reader import Trace
from cosim.types import FloatArray, IntArray

_EXECUTIONS = """
SELECT site, started_s, w.time_s AS ended_s, least(1.0, cycles / core_hz / (w.time_s - started_s)) AS cores
FROM consensus_worked w JOIN site_deployed USING (site)
WHERE NOT isnan(started_s) AND w.time_s > started_s ORDER BY site, w.seq
"""


@dataclass(frozen=True, slots=True)
class LedgerLoad:
    """The ledger's core-seconds at one host: linear between the times, constant outside of them."""

    time_s: FloatArray  # (2 E,), growing; starts and ends of E executions
    used_core_s: FloatArray  # (2 E,)

    def between(self, begin_s: FloatArray, end_s: FloatArray) -> FloatArray:
        """Core-seconds from one time to another; 0 where one of them is NaN."""
        used = np.interp(end_s, self.time_s, self.used_core_s) - np.interp(begin_s, self.time_s, self.used_core_s)
        return np.where(np.isnan(used), 0.0, np.maximum(used, 0.0))


def ledger_loads(trace: Trace) -> Mapping[int, LedgerLoad]:
    """The loads by site, of those at which the ledger worked."""
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
    """The ledger's core-seconds between two times at a host, over the host's cores; 0 where it did not work.

    Args:
        loads: by site.
        site: host of each task, (T,).
        cores: of that host, (T,).
        begin_s: (T,), NaN for never.
        end_s: (T,), likewise.
    """
    taken = np.zeros(len(site))
    for number, load in loads.items():
        here = site == number
        taken[here] = load.between(begin_s[here], end_s[here]) / cores[here]
    return taken
