"""What ended tasks took and spent: latency and energy of the realised cost of paper S1 (eq 12-18), from TaskEnded.

`cosim.objective.weighted_cost` puts both on one scale; it is linear, so that it holds for sums of tasks too.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from cosim.objective import N
from cosim.types import FloatArray, Status

PAID: Final = ("transmit_j", "vehicle_cpu_j")
"""Columns of TaskEnded that vehicles pay: their radios and their processors (S1 eq 15-17)."""
PAID_SQL: Final = " + ".join(PAID)
"""`paid_j` of one row."""


def paid_j(ended: Mapping[str, N]) -> N:
    """Return what vehicles paid: of each task, or of many together if sums are given.

    Args:
        ended: by name, at least the columns PAID.
    """
    radio_j, processor_j = (ended[name] for name in PAID)
    return radio_j + processor_j


def latencies_s(ended: Mapping[str, FloatArray]) -> FloatArray:
    """From the decision to the result; without one to the deadline or the end, whichever is later.

    So a task that is lost soon does not look fast.

    Args:
        ended: columns time_s, status, deadline_s and decided_s, (N,) each.

    Returns:
        (N,); NaN where nobody decided.
    """
    done = (ended["status"] == Status.COMPLETED) | (ended["status"] == Status.LATE)
    until_s = np.where(done, ended["time_s"], np.maximum(ended["time_s"], ended["deadline_s"]))
    taken_s: FloatArray = until_s - ended["decided_s"]
    return taken_s
