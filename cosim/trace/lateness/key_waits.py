"""The time that tasks waited for keys: from asking for a key to drawing it, going without it, or the task's end."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from cosim.trace.lateness.cause import Cause
from cosim.trace.store.reader import Trace
from cosim.types import FloatArray, IntArray, Status

WAITS: Final = """
SELECT task, e.released_s, e.status, state, up_asked_s IS NOT NULL OR down_asked_s IS NOT NULL AS asked,
  coalesce(coalesce(up_keyed_s, uplink_s, e.time_s) - up_asked_s, 0.0) AS up_s,
  coalesce(coalesce(down_keyed_s, downlink_s, e.time_s) - down_asked_s, 0.0) AS down_s
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
