"""The law of the wires: a result crosses the path from its host to the cell that delivers it, and no more than that.

The path is known exactly. It begins at the host and leads over the places that the result's rows `transfer_moved` over
wires name, in order, to `downlink_from_site`; between two of them it takes the route of least latency. `wire_bit` is
`output_bit` x the number of wires on it, of which the WAN is one. Once a result is on the air a handover moves the rest
without wires. Results whose downlink did not start are left out: what they had crossed by then is no whole path.
"""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from cosim.errors import InputError
from cosim.topology import build_topology
from cosim.trace.store.integrity import SHOWN, Finding
from cosim.trace.store.reader import Trace
from cosim.types import Direction, FloatArray

_RELATIVE: Final = 1e-9
_MOVES: Final = f"transfer_moved WHERE direction = {Direction.WIRES:d}"
_CROSSINGS: Final = f"""
WITH delivered AS (
  SELECT task, target, downlink_from_site AS cell FROM task_ended
  WHERE tier IN (1, 2) AND downlink_from_site IS NOT NULL
), places AS (
  SELECT task, -1 AS place, target AS site FROM delivered WHERE task IN (SELECT task FROM {_MOVES})
  UNION ALL SELECT task, 2 * seq, from_site FROM {_MOVES} AND from_site IS NOT NULL
  UNION ALL SELECT task, 2 * seq + 1, to_site FROM {_MOVES} AND to_site IS NOT NULL
), legs AS (
  SELECT task, site AS start, coalesce(lead(site) OVER (PARTITION BY task ORDER BY place), cell) AS stop
  FROM places JOIN delivered USING (task)
  UNION ALL SELECT task, target, cell FROM delivered WHERE task NOT IN (SELECT task FROM {_MOVES})
)
SELECT task, start, stop FROM legs WHERE start <> stop
"""
_RESULTS: Final = """
SELECT e.seq, task, wire_bit, output_bit FROM task_ended e JOIN task_released USING (task)
WHERE e.tier IN (1, 2) AND downlink_from_site IS NOT NULL ORDER BY e.seq
"""


def wire_findings(trace: Trace) -> Iterator[Finding]:
    """Yield the results whose `wire_bit` is not that of their path; a run without a readable scenario is not checked.

    Runs before schema 4 have no such column.
    """
    results = trace.sql(_RESULTS)
    if results.empty:
        return
    try:
        hops = _hops(trace)
    except InputError:
        return  # the audit of the provenance says so
    crossings = trace.sql(_CROSSINGS)
    start, stop = crossings.start.to_numpy(np.int64), crossings.stop.to_numpy(np.int64)
    known = (np.minimum(start, stop) >= 0) & (np.maximum(start, stop) < len(hops))  # other rules name the other places
    task = crossings.task.to_numpy(np.int64)
    ended = results.task.to_numpy(np.int64)
    paths = np.zeros(int(max(task.max(initial=-1), ended.max())) + 1)
    np.add.at(paths, task[known], hops[start[known], stop[known]])
    paths[task[~known]] = math.nan
    expected_bit = results.output_bit.to_numpy(np.float64) * paths[ended]
    wire_bit, seqs = results.wire_bit.to_numpy(np.float64), results.seq.tolist()
    wrong = np.flatnonzero(~np.isclose(wire_bit, expected_bit, rtol=_RELATIVE, atol=0.0) & ~np.isnan(expected_bit))
    for row in wrong[:SHOWN].tolist():
        why = f"its wire_bit={wire_bit[row]:.17g} is not that of the path from its host to its cell"
        yield Finding("task_ended", seqs[row], f"{why}, {expected_bit[row]:.17g}")
    if len(wrong) > SHOWN:
        yield Finding("task_ended", None, f"{len(wrong) - SHOWN} more results crossed other wires than their paths")


def _hops(trace: Trace) -> FloatArray:  # (nodes, nodes)
    """Return the number of wires between sites and cloud, on the run's own topology."""
    sites = trace.sql("SELECT x_m, y_m FROM site_deployed WHERE x_m IS NOT NULL ORDER BY site").to_numpy(np.float64)
    return build_topology(sites, trace.scenario.backhaul, trace.scenario.cloud).hops
