"""The time that tasks waited for keys: from asking for a key to drawing it, going without it, or the task's end."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from cosim.trace.lateness.cause import Cause
from cosim.trace.store.reader import Trace
from cosim.types import FloatArray, IntArray, Status

WAITS: Final = """
SELECT task, e.released_s, e.status, state, NOT isnan(up_asked_s) OR NOT isnan(down_asked_s) AS asked,
  CASE WHEN isnan(up_asked_s) THEN 0.0 WHEN NOT isnan(up_keyed_s) THEN up_keyed_s
    WHEN NOT isnan(uplink_s) THEN uplink_s ELSE e.time_s END
    - CASE WHEN isnan(up_asked_s) THEN 0.0 ELSE up_asked_s END AS up_s,
  CASE WHEN isnan(down_asked_s) THEN 0.0 WHEN NOT isnan(down_keyed_s) THEN down_keyed_s
    WHEN NOT isnan(downlink_s) THEN downlink_s ELSE e.time_s END
    - CASE WHEN isnan(down_asked_s) THEN 0.0 ELSE down_asked_s END AS down_s
FROM task_keyed JOIN task_ended e USING (task)
"""
"""SQL: the waits of the tasks that have a `task_keyed` row, in s; 0 for a transfer that asked for nothing."""


def key_waits(trace: Trace, task: IntArray) -> tuple[FloatArray, FloatArray]:  # (T,), (T,)
    """Return the waits of tasks for the keys of their uplinks and downlinks [s]; 0 without a `task_keyed` row.

    Args:
        trace: a run.
        task: task numbers, (T,), unique and ascending.
    """
    rows = trace.sql(f"SELECT task, up_s, down_s FROM ({WAITS}) ORDER BY task")
    up_s, down_s = np.zeros(len(task)), np.zeros(len(task))
    keyed = rows.task.to_numpy(np.int64)
    mine = np.isin(keyed, task, assume_unique=True)
    place = np.searchsorted(task, keyed[mine])
    up_s[place] = rows.up_s.to_numpy(np.float64)[mine]
    down_s[place] = rows.down_s.to_numpy(np.float64)[mine]
    return up_s, down_s


def _claim(trace: Trace, task: IntArray, _facts: Mapping[str, FloatArray]) -> Mapping[str, FloatArray]:
    """Claim the wait for the uplink's key after the decision, and that for the downlink's key on the way back."""
    up_s, down_s = key_waits(trace, task)
    return {"decision": up_s, "back": down_s}


CAUSES: Final = (Cause("key", "it waited for quantum keys", status=Status.NO_KEY, claim=_claim, after="decision_wait"),)
"""The causes of lateness that keys add."""
