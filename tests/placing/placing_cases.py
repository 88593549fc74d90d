"""Small placement problems for the tests: drawn by hypothesis, and solved by trying every assignment."""

import itertools

import numpy as np
from hypothesis import strategies as st

from cosim.twin.placing.model import PlacementProblem
from cosim.types import NOWHERE


def problem(cost_s, places, share_hz=None, compute_hz=None, limit_s=np.inf, distance_m=None):
    """A problem from plain lists; without shares the processors bound nothing."""
    cost_s = np.array(cost_s, float)
    users, hosts = cost_s.shape
    share_hz = np.ones((users, hosts)) if share_hz is None else np.array(share_hz, float)
    compute_hz = np.full(hosts, np.inf) if compute_hz is None else np.array(compute_hz, float)
    distance_m = cost_s if distance_m is None else np.array(distance_m, float)
    limits_s = np.broadcast_to(np.asarray(limit_s, float), users).copy()
    return PlacementProblem(cost_s, distance_m, share_hz, limits_s, np.array(places, np.int64), compute_hz)


@st.composite
def problems(draw, most_users=6, most_hosts=4):
    """Tight and loose limits, forbidden and late pairs, hosts without a place; whole numbers: sums are exact."""
    users, hosts = draw(st.integers(1, most_users)), draw(st.integers(1, most_hosts))

    def table(values):
        return draw(st.lists(st.lists(values, min_size=hosts, max_size=hosts), min_size=users, max_size=users))

    cost = table(st.one_of(st.integers(0, 40), st.just(np.inf)))
    distance = table(st.integers(0, 20))
    share = table(st.integers(0, 4))
    places = draw(st.lists(st.integers(0, 4), min_size=hosts, max_size=hosts))
    compute = draw(st.lists(st.one_of(st.integers(0, 8), st.just(np.inf)), min_size=hosts, max_size=hosts))
    limit = draw(st.lists(st.sampled_from([20.0, 35.0, np.inf]), min_size=users, max_size=users))
    return problem(cost, places, share, compute, limit, distance)


def keeps(case, assignment):
    """Eq 23, 24 and 26 checked one twin after the other, apart from the model's own check."""
    twins, load = np.zeros(len(case.places)), np.zeros(len(case.places))
    for user, host in enumerate(assignment):
        if host == NOWHERE:
            continue
        if not (np.isfinite(case.cost_s[user, host]) and case.cost_s[user, host] <= case.limit_s[user]):
            return False
        twins[host] += 1
        load[host] += case.share_hz[user, host]
    return bool((twins <= case.places).all() and (load <= case.compute_hz).all())


def brute_force(case):
    """(number placed, total) of the best of all assignments: most twins, then least time."""
    users, hosts = case.cost_s.shape
    best = (0, 0.0)
    for assignment in itertools.product(range(NOWHERE, hosts), repeat=users):
        placed = [(user, host) for user, host in enumerate(assignment) if host != NOWHERE]
        total = float(sum(case.cost_s[pair] for pair in placed))
        if (len(placed), -total) > (best[0], -best[1]) and keeps(case, assignment):
            best = (len(placed), total)
    return best
