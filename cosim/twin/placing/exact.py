"""The placement of least total time (S5 eq 21-26) as an integer linear program, solved by HiGHS."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, vstack

from cosim.errors import RunError
from cosim.twin.placing.model import SLACK, PlacementProblem, count_violations, total_s
from cosim.types import NOWHERE, AnyArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Optimum:
    """The best placement; where not all twins can have a host, the best of those that place the most."""

    assignment: IntArray
    """(U,) hosts, NOWHERE for a twin without one."""
    total_s: float
    """Objective of eq 21."""
    feasible: bool
    """Whether every twin has a host, eq 22."""


def exact(problem: PlacementProblem) -> Optimum:
    """Return the assignment of least total time among those in which every twin has a host.

    Where there is none (eq 22-26 contradict each other), `feasible` is False and as many twins as possible have a host,
    in the least time among those. Variables x_ij exist for allowed pairs only, so that eq 26 needs no row. Solved to a
    gap of zero; ties between equal optima are broken by the solver's fixed order.

    Raises:
        RunError: the solver gave up.
    """
    users, hosts = np.nonzero(problem.allowed)
    nobody = np.full(len(problem.limit_s), NOWHERE, dtype=np.int64)
    if not len(users):
        return Optimum(nobody, 0.0, len(nobody) == 0)
    cost_s = problem.cost_s[users, hosts]  # scaled to at most 1 below, as the solver's tolerances are absolute
    chosen = None
    if len(np.unique(users)) == len(nobody):
        chosen = _solve(problem, users, hosts, cost_s / max(float(cost_s.max()), 1e-300), least=1.0, total=0.0)
    feasible = chosen is not None
    if chosen is None:
        most = _solve(problem, users, hosts, -np.ones(len(users)), least=0.0, total=0.0)
        if most is None:
            raise RunError("exact placement: the solver found nobody to place where placing nobody is allowed")
        scaled = cost_s / max(float(cost_s.max()), 1e-300)
        chosen = _solve(problem, users, hosts, scaled, least=0.0, total=float(most.sum()))
        if chosen is None:
            raise RunError(f"exact placement: the solver lost a placement of {most.sum():g} twins that it had found")
    assignment = nobody.copy()
    assignment[users[chosen]] = hosts[chosen]
    faults = count_violations(problem, assignment)
    if faults.places or faults.compute or faults.late or (feasible and faults.unplaced):
        raise RunError(f"exact placement: the solver's answer breaks a limit: {faults}")
    return Optimum(assignment, total_s(problem, assignment), feasible)


def _solve(
    problem: PlacementProblem, users: IntArray, hosts: IntArray, objective: FloatArray, least: float, total: float
) -> AnyArray | None:
    """Return which allowed pairs are chosen, as truth values; None if no choice keeps the rows.

    Rows: between `least` and 1 of each user's pairs (eq 22), at most M_j of each host's (eq 23), at most all of its
    processor (eq 24, as a share of it), and at least `total` pairs in all.
    """
    count, ones = len(users), np.ones(len(users))
    columns = np.arange(count)
    capacity = np.where(problem.compute_hz > 0.0, problem.compute_hz, 1.0)
    part = problem.share_hz[users, hosts] / capacity[hosts]
    rows = vstack(
        [
            csr_array((ones, (users, columns)), shape=(len(problem.limit_s), count)),
            csr_array((ones, (hosts, columns)), shape=(len(problem.places), count)),
            csr_array((part, (hosts, columns)), shape=(len(problem.places), count)),
            csr_array(ones[None, :]),
        ]
    )
    nothing = np.zeros(2 * len(problem.places))
    lowest = np.concatenate([np.full(len(problem.limit_s), least), nothing, [total]])
    full = np.full(len(problem.places), 1.0 + SLACK / 2.0)  # the solver's own tolerance takes the other half
    highest = np.concatenate([np.ones(len(problem.limit_s)), problem.places.astype(float), full, [math.inf]])
    answer = milp(
        objective,
        integrality=np.ones(count, dtype=np.int64),
        bounds=Bounds(0.0, 1.0),
        constraints=LinearConstraint(rows, lowest, highest),
        options={"mip_rel_gap": 0.0},
    )
    if answer.status == 2:
        return None
    if answer.x is None or answer.status != 0:
        raise RunError(f"exact placement: the solver stopped with {answer.message!r}; use local_search instead")
    chosen: AnyArray = answer.x > 0.5
    return chosen
