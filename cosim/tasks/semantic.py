"""Semantic tasks as in paper S1: how much of the data is sent, and which task matters most (eq 2, 7).

Every function takes numbers or arrays that broadcast together. Left out: semantic performance (eq 1), for whose weights
the paper gives no values.
"""

from typing import TypeVar

import numpy as np

from cosim.types import FloatArray

Value = TypeVar("Value", float, FloatArray)


def priority_score(cycles: Value, weight: Value | float) -> Value:
    """Return the priority score P = phi s_c (S1 eq 2): the more complex task matters more."""
    return weight * cycles


def queue_priority(score: Value, deadline_s: Value, urgency_weight: Value | float) -> Value:
    """Return the priority in the queue, larger first: P + beta L_D, with L_D the absolute deadline.

    The paper prints S = P + beta (L_D - tau) (S1 eq 7) with tau the present. At one instant -beta tau is common to all
    tasks that wait, so the order is that of P + beta L_D, which does not change while a task waits. With beta > 0, as
    the paper's wording suggests, more time left means higher priority; read as beta < 0 by default, because urgent
    tasks should go first. At phi = 0 and beta < 0 it is earliest deadline first.

        >>> queue_priority(0.0, deadline_s=1.0, urgency_weight=-1.0) > queue_priority(0.0, 2.0, -1.0)
        True

    Args:
        score: P.
        deadline_s: L_D, absolute.
        urgency_weight: beta.
    """
    return score + urgency_weight * deadline_s


def sent_share(efficiency: FloatArray, min_efficiency: float | FloatArray) -> FloatArray:
    """Return the share of the data that is sent: sigma_ij in [sigma_min, 1] (S1 eq 19f; a share by its definition)."""
    share: FloatArray = np.minimum(np.maximum(efficiency, min_efficiency), 1.0)
    return share


def sent_bit(size_bit: Value, share: Value) -> Value:
    """Return the bits that go over the air: D sigma_ij (S1 eq 13, 15)."""
    return size_bit * share


def worked_cycles(cycles: Value, accuracy: Value) -> Value:
    """Return the cycles that a processor executes: s_c sigma, sigma its accuracy factor (S1 eq 12, 13, 16)."""
    return cycles * accuracy
