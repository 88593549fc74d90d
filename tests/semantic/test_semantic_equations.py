"""Semantic equations of paper S1."""

import numpy as np
import pytest

from cosim.tasks.semantic import priority_score, queue_priority, sent_bit, sent_share, worked_cycles


def test_priority_score():
    """P = phi s_c (S1 eq 2): 1e-6 x 2e6 = 2."""
    assert priority_score(2e6, 1e-6) == pytest.approx(2.0)


@pytest.mark.parametrize("beta", [-1.0, 0.5])
@pytest.mark.parametrize("now_s", [0.0, 7.3])
def test_static_priority_orders_as_printed(beta, now_s):
    """At any instant the static form P + beta L_D orders tasks as the printed S1 eq 7, P + beta (L_D - tau)."""
    rng = np.random.default_rng(5)
    score, deadline_s = rng.uniform(1, 2, 100), rng.uniform(8, 20, 100)
    printed = score + beta * (deadline_s - now_s)
    np.testing.assert_array_equal(np.argsort(queue_priority(score, deadline_s, beta)), np.argsort(printed))


def test_urgent_first():
    """With beta < 0 the earlier of two equal tasks' deadlines goes first, with beta > 0 the later."""
    assert queue_priority(1.0, 2.0, -1.0) > queue_priority(1.0, 3.0, -1.0)
    assert queue_priority(1.0, 2.0, 1.0) < queue_priority(1.0, 3.0, 1.0)


def test_share_that_is_sent():
    """The share sent is sigma_ij, at least sigma_min (S1 eq 19f) and at most 1; bits sent are D times it."""
    share = sent_share(np.array([0.2, 0.7, 1.4]), 0.5)
    np.testing.assert_array_equal(share, [0.5, 0.7, 1.0])
    np.testing.assert_allclose(sent_bit(np.full(3, 2e4), share), [1e4, 1.4e4, 2e4])


def test_worked_cycles():
    """A processor works s_c sigma cycles: with 1e6 cycles, 0.5 and 1 GHz the delay of S1 eq 12 is 0.5 ms."""
    assert worked_cycles(1e6, 0.5) / 1e9 == pytest.approx(0.5e-3)
