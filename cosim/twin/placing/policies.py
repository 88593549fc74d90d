"""Policies that choose a host for each twin under the limits of S5 eq 22-26, one twin after the other.

Every policy gives an assignment (U,) that keeps eq 23, 24 and 26, and leaves a twin without a host (`NOWHERE`) only
where no host has room left for it. That may happen though another assignment would have had room for all.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeAlias, assert_never

import numpy as np

from cosim.scenario.twin_placement import PlacingPolicy
from cosim.twin.placing.exact import exact
from cosim.twin.placing.model import PlacementProblem, Room
from cosim.twin.placing.search import local_search
from cosim.types import NOWHERE, FloatArray, IntArray

Placing: TypeAlias = Callable[[PlacementProblem], IntArray]


def placing_policy(kind: PlacingPolicy, rng: np.random.Generator) -> Placing:
    """Return the policy that a scenario names; only `random` draws from the stream.

    >>> import numpy as np
    >>> placing_policy("greedy", np.random.default_rng(1)) is greedy
    True
    """
    match kind:
        case "nearest":
            return nearest
        case "least_loaded":
            return least_loaded
        case "greedy":
            return greedy
        case "local_search":
            return lambda problem: local_search(problem, greedy(problem))
        case "random":
            return partial(random_feasible, rng=rng)
        case "exact":
            return lambda problem: exact(problem).assignment
        case _:
            assert_never(kind)


def nearest(problem: PlacementProblem) -> IntArray:
    """Place each twin, in row order, on the nearest host with room; of equals the first."""
    return _in_turn(problem, range(len(problem.limit_s)), lambda user, _: problem.distance_m[user])


def least_loaded(problem: PlacementProblem) -> IntArray:
    """Place each twin, in row order, on the host with room that is least full with it; of equals the quicker.

    Full by the places or by the processor, whichever is nearer to its capacity.
    """
    order = np.argsort(np.argsort(problem.cost_s, axis=1, kind="stable"), axis=1)
    tie = order / (1e9 * order.shape[1])
    return _in_turn(problem, range(len(problem.limit_s)), lambda user, room: room.load(user) + tie[user])


def greedy(problem: PlacementProblem) -> IntArray:
    """Place each twin, in row order, on the quickest host with room, as twins do that arrive one by one."""
    return _in_turn(problem, range(len(problem.limit_s)), lambda user, _: problem.cost_s[user])


def random_feasible(problem: PlacementProblem, rng: np.random.Generator) -> IntArray:
    """Place each twin, in random order, on a host with room, drawn with equal probabilities.

    The order makes all users alike; where all twins take the same, every full assignment of two equal hosts is equally
    likely.
    """
    users, hosts = problem.cost_s.shape
    marks = rng.random((users, hosts))
    return _in_turn(problem, rng.permutation(users).tolist(), lambda user, _: marks[user])


def _in_turn(problem: PlacementProblem, users: Iterable[int], rank: Callable[[int, Room], FloatArray]) -> IntArray:
    """Place users one by one, each on the host with room of the lowest rank."""
    assignment = np.full(len(problem.limit_s), NOWHERE, dtype=np.int64)
    room = Room(problem, assignment)
    for user in users:
        hosts = np.flatnonzero(room.hosts(user))
        if len(hosts):
            host = int(hosts[np.argmin(rank(user, room)[hosts])])
            assignment[user] = host
            room.take(user, host)
    return assignment
