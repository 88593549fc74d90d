"""Creation times and limits of paper S5, eq 17-26."""

import math

import numpy as np
import pytest
from placing_cases import problem

from cosim.twin.placing.model import (
    Violations,
    computing_s,
    count_violations,
    creation_s,
    load_hz,
    times_s,
    total_s,
    twins,
    upload_rate_bps,
    upload_s,
)
from cosim.types import NOWHERE


def test_rate_by_hand():
    """Eq 20 with base 2: 10 MHz at signal over noise 0.1 x 3e-9 / 1e-10 = 3 carries 20 Mbit/s; with ln 13.86."""
    gain = np.array([[3e-9]])
    assert upload_rate_bps(10e6, 0.1, gain, 1e-10, "log2") == pytest.approx(20e6)
    assert upload_rate_bps(10e6, 0.1, gain, 1e-10, "ln") == pytest.approx(10e6 * math.log(4.0))


def test_creation_by_hand():
    """Eq 17-19: 400 Mbit at 200 Mbit/s and at 0.5 GHz with one cycle per bit take 2 + 0.8 = 2.8 s."""
    data_bit = np.array([400e6])
    upload, computing = upload_s(data_bit, np.array([[200e6]])), computing_s(data_bit, np.array([[0.5e9]]), 1.0)
    assert (upload[0, 0], computing[0, 0]) == (pytest.approx(2.0), pytest.approx(0.8))
    assert creation_s(upload, computing)[0, 0] == pytest.approx(2.8)


def test_no_rate_takes_for_ever():
    """A host that is not heard takes infinitely long, and is then not allowed."""
    upload = upload_s(np.array([1e6]), np.array([[0.0, 1e6]]))
    np.testing.assert_array_equal(upload, [[math.inf, 1.0]])
    assert problem(upload, [1, 1]).allowed.tolist() == [[False, True]]


CASE = problem([[1, 5], [2, 6], [3, 7]], [1, 2], [[2, 2], [2, 2], [2, 2]], [4, 3], limit_s=[4, 4, 9])


@pytest.mark.parametrize(
    ("assignment", "faults"),
    [
        ([0, 1, NOWHERE], Violations(unplaced=1, places=0, compute=0, late=1)),
        ([0, 0, 1], Violations(unplaced=0, places=1, compute=0, late=0)),
        ([0, 0, 0], Violations(unplaced=0, places=1, compute=1, late=0)),
        ([0, 1, 1], Violations(unplaced=0, places=0, compute=1, late=1)),
    ],
)
def test_broken_by_hand(assignment, faults):
    """Each of eq 22, 23, 24 and 26 is counted where it is broken, and nowhere else."""
    assert count_violations(CASE, np.array(assignment)) == faults


def test_totals_by_hand():
    """Eq 21 sums the chosen pairs; a twin without a host adds nothing and takes nothing."""
    assignment = np.array([0, 1, NOWHERE])
    assert total_s(CASE, assignment) == 7.0
    np.testing.assert_array_equal(times_s(CASE, assignment), [1.0, 6.0, math.nan])
    assert (twins(CASE, assignment).tolist(), load_hz(CASE, assignment).tolist()) == ([1, 1], [2.0, 2.0])


def test_thirds_fit():
    """Three twins of a third each fit on a host, whatever rounding makes of the sum."""
    for capacity in (1.1e9, 1.3e9, 1.7e9, 1.9e9):
        case = problem([[1.0]] * 3, [3], [[capacity / 3]] * 3, [capacity])
        assert count_violations(case, np.zeros(3, np.int64)).compute == 0


@pytest.mark.parametrize("spoilt", [math.nan, -1.0])
def test_bad_numbers_are_refused(spoilt):
    """NaN and negative costs are refused where the problem is made."""
    with pytest.raises(ValueError, match="at least 0"):
        problem([[1.0, spoilt]], [1, 1])


def test_wrong_shapes_are_refused():
    """Arrays that do not fit together are refused where the problem is made."""
    with pytest.raises(ValueError, match="2 users and 2 hosts"):
        problem([[1, 2], [1, 2]], [1, 1, 1])
