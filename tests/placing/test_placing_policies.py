"""Placement policies: limits always kept, the exact optimum against trying everything."""

from typing import get_args

import numpy as np
import pytest
from effort import drawn
from hypothesis import given
from hypothesis import strategies as st
from physics import seen
from placing_cases import brute_force, keeps, problem, problems

from cosim.scenario.twin_placement import PlacingPolicy
from cosim.twin.placing.exact import exact
from cosim.twin.placing.model import count_violations, total_s
from cosim.twin.placing.policies import greedy, least_loaded, nearest, placing_policy, random_feasible
from cosim.twin.placing.search import local_search
from cosim.types import NOWHERE


def placed(assignment):
    return int((assignment != NOWHERE).sum())


@drawn(150)
@given(problems(most_users=5, most_hosts=4))
def test_exact_is_the_optimum(case):
    """The integer program places as many twins, in as little time, as the best of all assignments."""
    best = exact(case)
    most, least_s = brute_force(case)
    assert (placed(best.assignment), best.total_s) == (most, pytest.approx(least_s, abs=1e-9))
    assert best.feasible == (most == len(case.limit_s))
    seen(best.total_s, least_s, "s")


@pytest.mark.parametrize("seed", range(3))
def test_exact_is_the_optimum_of_six_by_four(seed):
    """Likewise for 6 twins on 4 hosts with continuous costs and processors that bind."""
    rng = np.random.default_rng(seed)
    case = problem(rng.uniform(1, 9, (6, 4)), [2, 2, 2, 1], rng.uniform(1, 3, (6, 4)), rng.uniform(3, 6, 4), 8.0)
    best = exact(case)
    assert (placed(best.assignment), best.total_s) == (brute_force(case)[0], pytest.approx(brute_force(case)[1]))


@drawn(200)
@given(problems(), st.sampled_from(get_args(PlacingPolicy)), st.integers(0, 99))
def test_no_policy_breaks_a_limit(case, kind, seed):
    """No policy breaks eq 23, 24 or 26, and none leaves a twin out while a host has room for it."""
    assignment = placing_policy(kind, np.random.default_rng(seed))(case)
    assert assignment.shape == case.limit_s.shape
    assert keeps(case, assignment)
    faults = count_violations(case, assignment)
    assert (faults.places, faults.compute, faults.late) == (0, 0, 0)
    for user in np.flatnonzero(assignment == NOWHERE):
        for host in range(len(case.places)):
            tried = assignment.copy()
            tried[user] = host
            assert not keeps(case, tried)


@drawn(150)
@given(problems())
def test_local_search_never_loses(case):
    """Local search places no fewer twins than its start; of as many, in no more time; it never beats the optimum."""
    start, best = greedy(case), exact(case)
    found = local_search(case, start)
    assert placed(start) <= placed(found) <= placed(best.assignment)
    if placed(found) == placed(start):
        assert total_s(case, found) <= total_s(case, start) + 1e-9
    if placed(found) == placed(best.assignment):
        assert total_s(case, found) >= best.total_s - 1e-9


def test_infeasible_is_told():
    """Three twins for two places: `feasible` is False, and the two quickest have a host."""
    best = exact(problem([[1, 9], [2, 9], [9, 3]], [1, 1]))
    assert (best.feasible, best.assignment.tolist(), best.total_s) == (False, [0, NOWHERE, 1], 4.0)


def test_nothing_allowed():
    """Where no pair is allowed nobody has a host, under every policy."""
    case = problem([[5.0, 5.0]], [1, 1], limit_s=4.0)
    for kind in get_args(PlacingPolicy):
        assert placing_policy(kind, np.random.default_rng(1))(case).tolist() == [NOWHERE]
    assert not exact(case).feasible


def test_each_rule_by_hand():
    """Nearest goes by distance, greedy by time, least-loaded by the fuller of places and processor."""
    case = problem([[1, 2], [1, 2], [1, 9]], [2, 3], distance_m=[[9, 8], [9, 8], [1, 8]])
    assert nearest(case).tolist() == [1, 1, 0]
    assert greedy(case).tolist() == [0, 0, 1]
    assert least_loaded(case).tolist() == [1, 0, 1]


def test_making_room():
    """Local search finds the host that greedy could not: the first twin moves on so that the second fits."""
    case = problem([[1, 2], [1, np.inf]], [1, 1])
    assert greedy(case).tolist() == [0, NOWHERE]
    assert local_search(case, greedy(case)).tolist() == [1, 0]


def test_swap():
    """Two twins on full hosts change places when that saves time."""
    case = problem([[1, 2], [1, 9]], [1, 1])
    assert greedy(case).tolist() == [0, 1]
    assert local_search(case, greedy(case)).tolist() == [1, 0]


def test_random_is_even():
    """Of 4 equal twins on 2 hosts of 2 places each full placement is drawn equally often (chi-square, 99.9 %)."""
    case, rng = problem(np.ones((4, 2)), [2, 2]), np.random.default_rng(3)
    drawn = [tuple(random_feasible(case, rng).tolist()) for _ in range(3000)]
    counts = np.array([drawn.count(kind) for kind in sorted(set(drawn))])
    assert len(counts) == 6
    assert ((counts - 500.0) ** 2 / 500.0).sum() < 20.5
