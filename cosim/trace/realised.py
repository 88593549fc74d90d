"""Realised latency and energy of ended tasks (paper S1, eq 12-18), computed from their TaskEnded facts.

`cosim.objective.weighted_cost` combines both into the cost of eq 18. It is linear, so it may be applied to sums over
tasks as well.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from cosim.objective import N
from cosim.types import FloatArray, Status

PAID: Final = ("transmit_j", "vehicle_cpu_j")
"""Columns of TaskEnded with the energy that vehicles pay: of their radios and their processors (S1 eq 15-17)."""
PAID_SQL: Final = " + ".join(PAID)
"""SQL for `paid_j` of one row."""


def paid_j(ended: Mapping[str, N]) -> N:
    """Return the energy that vehicles paid [J], per task or, if sums are given, in total.

    Args:
        ended: values by column name, at least the columns PAID.
    """
    radio_j, processor_j = (ended[name] for name in PAID)
    return radio_j + processor_j


def latencies_s(ended: Mapping[str, FloatArray]) -> FloatArray:
    """Return the latency of each task [s], from the decision to the result.

    A task without a result counts up to its deadline or its end, whichever is later, so that a task that is lost early
    does not look fast.

    Args:
        ended: columns time_s, status, deadline_s and decided_s, (N,) each.

    Returns:
        (N,); NaN for a task that ended before it was decided.
    """
    done = (ended["status"] == Status.COMPLETED) | (ended["status"] == Status.LATE)
    until_s = np.where(done, ended["time_s"], np.maximum(ended["time_s"], ended["deadline_s"]))
    taken_s: FloatArray = until_s - ended["decided_s"]
    return taken_s
