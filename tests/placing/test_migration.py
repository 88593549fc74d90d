"""Moving twins: what a copy takes, hysteresis, and limits that hold while twins are on their way."""

import numpy as np
import pytest
from effort import drawn
from hypothesis import given
from hypothesis import strategies as st
from physics import seen
from placing_cases import keeps, problem, problems

from cosim.scenario.twin_placement import Migration
from cosim.twin.placing.migration import copy_state, migrate
from cosim.twin.placing.model import count_violations
from cosim.twin.placing.policies import greedy, random_feasible
from cosim.types import NOWHERE

RULE = Migration(horizon_s=10.0, margin=0.5, wire_weight=1.0, restart_s=0.0)


def move(case, current, wanted, rule=RULE, must=None, state_bit=1e6, uses_hz=1.0, latency_s=0.0, per_bit_s=1e-6):
    """A decision with the same wires between all hosts: by default a move takes 1 s."""
    users, hosts = case.cost_s.shape
    between = 1.0 - np.eye(hosts)
    return migrate(
        case,
        np.array(current),
        np.array(wanted),
        np.zeros(users, bool) if must is None else np.array(must),
        np.full(users, state_bit),
        np.full(users, uses_hz),
        latency_s * between,
        per_bit_s * between,
        rule,
    )


def test_stop_and_copy_by_hand():
    """8 Mbit at 1 Gbit/s over 2 ms take 10 ms, all of it downtime, and 50 ms of restart."""
    copy = copy_state(np.array([8e6]), np.array([2e-3]), np.array([1e-9]), 1e6, 0, 0.05)
    assert (copy.sent_bit[0], copy.transfer_s[0], copy.downtime_s[0]) == pytest.approx((8e6, 0.01, 0.06))


def test_precopy_by_hand():
    """With rho = 0.1 two rounds send 8 (1 + 0.1 + 0.01) Mbit and leave 0.08 Mbit for the stop."""
    copy = copy_state(np.array([8e6]), np.array([2e-3]), np.array([1e-9]), 1e8, 2, 0.05)
    assert copy.sent_bit[0] == pytest.approx(8.88e6)
    assert copy.transfer_s[0] == pytest.approx(2e-3 + 8.88e-3)
    assert copy.downtime_s[0] == pytest.approx(2e-3 + 0.08e-3 + 0.05)


def test_precopy_follows_the_rounds():
    """The closed form equals the rounds played one by one: each sends what became dirty during the one before."""
    state, per_bit_s, dirty_bps, rounds = 5e6, 2e-9, 2e8, 4
    left, sent = state, 0.0
    for _ in range(rounds):
        sent, left = sent + left, left * per_bit_s * dirty_bps
    copy = copy_state(np.array([state]), np.zeros(1), np.array([per_bit_s]), dirty_bps, rounds, 0.0)
    assert (copy.sent_bit[0], copy.downtime_s[0]) == pytest.approx((sent + left, left * per_bit_s))
    seen((copy.sent_bit[0], copy.downtime_s[0]), (sent + left, left * per_bit_s))


def test_precopy_that_cannot_end():
    """A state that changes faster than the wire carries it is copied once, with the twin standing still."""
    copy = copy_state(np.array([1e6]), np.zeros(1), np.array([1e-6]), 2e6, 5, 0.0)
    assert (copy.sent_bit[0], copy.downtime_s[0]) == pytest.approx((1e6, 1.0))


@pytest.mark.parametrize(("gain_s", "goes"), [(0.22, False), (0.23, True)])
def test_hysteresis(gain_s, goes):
    """A move that takes 1 s costs 0.5 + 1 s of waiting; by a margin of a half it needs 2.25 s saved in 10 s."""
    moves = move(problem([[1.0, 1.0 - gain_s]], [1, 1]), [0], [1])
    assert (moves.moved.tolist(), moves.assignment.tolist()) == ([goes], [int(goes)])
    assert (moves.saving_s[0], moves.price_s[0]) == pytest.approx((10 * gain_s, 1.5))
    assert moves.copy.transfer_s[0] == pytest.approx(float(goes))


def test_no_ping_pong():
    """Costs that swing to and fro by less than the hysteresis move no twin, by more they do."""
    for swing, moves_of in ((0.2, 0), (0.4, 6)):
        host, count = 0, 0
        for turn in range(6):
            cost = [1.0 + swing, 1.0] if turn % 2 == 0 else [1.0, 1.0 + swing]
            decided = move(problem([cost], [1, 1]), [host], greedy(problem([cost], [1, 1])))
            host, count = int(decided.assignment[0]), count + int(decided.moved[0])
        assert count == moves_of


def test_forbidden_host_is_left():
    """A twin whose host is no longer in time leaves at any price, one that a full host hands on too."""
    assert move(problem([[9.0, 4.0]], [1, 1], limit_s=5.0), [0], [1], uses_hz=0.0).moved.tolist() == [True]
    assert move(problem([[1.0, 4.0]], [1, 1]), [0], [1], must=[True]).moved.tolist() == [True]
    assert move(problem([[1.0, 4.0]], [1, 1]), [0], [1]).moved.tolist() == [False]


def test_no_way_no_move():
    """Between hosts that no wire joins nobody moves, not even who must."""
    case = problem([[9.0, 1.0]], [1, 1])
    apart = np.array([[0.0, np.inf], [np.inf, 0.0]])
    one = np.ones(1)
    assert not migrate(case, np.array([0]), np.array([1]), one > 0, one, one, apart, apart, RULE).moved[0]


def test_new_twins_are_made_not_moved():
    """A twin without a host is placed at once, with nothing to carry; without a migration rule nobody else moves."""
    moves = move(problem([[1.0, 0.1], [1.0, 0.1]], [1, 2]), [NOWHERE, 0], [1, 1], rule=None)
    assert (moves.assignment.tolist(), moves.moved.tolist()) == ([1, 0], [False, False])
    assert not moves.copy.sent_bit.any()


def test_full_hosts_do_not_swap():
    """A place is taken until its twin has left: twins on full hosts stay; of two that want one place the best goes."""
    crossed = problem([[9.0, 1.0], [1.0, 9.0]], [1, 1])
    assert not move(crossed, [0, 1], [1, 0]).moved.any()
    rivals = problem([[5.0, 1.0], [9.0, 1.0]], [2, 1])
    assert move(rivals, [0, 0], [1, 1]).moved.tolist() == [False, True]


@drawn(150)
@given(problems(), st.integers(0, 99))
def test_moving_breaks_no_limit(case, seed):
    """Whatever moves, both ends' loads together keep eq 23 and 24 at every moment, and no twin is lost."""
    rng = np.random.default_rng(seed)
    current, wanted = random_feasible(case, rng), rng.integers(NOWHERE, len(case.places), len(case.limit_s))
    moves = move(case, current, wanted, must=rng.random(len(current)) < 0.5)
    assert keeps(case, moves.assignment)
    assert ((moves.assignment != NOWHERE) | (current == NOWHERE)).all()
    both = [(user, host) for user in np.flatnonzero(moves.moved) for host in (current[user], moves.assignment[user])]
    both += [(user, moves.assignment[user]) for user in np.flatnonzero(~moves.moved)]
    for host in range(len(case.places)):
        here = [user for user, at in both if at == host]
        assert len(here) <= case.places[host]
        assert sum(case.share_hz[user, host] for user in here) <= case.compute_hz[host]
    assert count_violations(case, moves.assignment).unplaced <= count_violations(case, current).unplaced
