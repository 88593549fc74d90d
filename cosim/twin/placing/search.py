"""Local search over placements: moves, swaps, and making room, until nothing gets better (S5 eq 21-26)."""

import numpy as np

from cosim.twin.placing.model import PlacementProblem, Room
from cosim.types import NOWHERE, BoolArray, IntArray

_LEAST = 1e-9
"""Least relative saving of a move."""


class _Search:
    """An assignment and the room that it leaves."""

    def __init__(self, problem: PlacementProblem, start: IntArray) -> None:
        self.problem = problem
        self.assignment = start.copy()
        self.room = Room(problem, start)

    def put(self, user: int, host: int) -> None:
        """Place the twin on the host."""
        self.lift(user)
        self.room.take(user, host)
        self.assignment[user] = host

    def lift(self, user: int) -> None:
        """Take the twin off its host."""
        host = int(self.assignment[user])
        if host != NOWHERE:
            self.room.leave(user, host)
            self.assignment[user] = NOWHERE

    def insert_all(self) -> None:
        """Give hosts to twins without one, until none can get one: each that does may have made room for another."""
        while sum(self._insert(user) for user in np.flatnonzero(self.assignment == NOWHERE).tolist()):
            pass

    def _insert(self, user: int) -> bool:
        """Give a twin without a host one: where there is room, else where another twin can make room by moving on."""
        hosts = np.flatnonzero(self.room.hosts(user))
        if len(hosts):
            self.put(user, int(hosts[np.argmin(self.problem.cost_s[user, hosts])]))
            return True
        quickest = np.argsort(self.problem.cost_s[user], kind="stable")
        return any(self._make_room(user, int(host)) for host in quickest[self.room.allowed(user)[quickest]])

    def _make_room(self, user: int, host: int) -> bool:
        for other in np.flatnonzero(self.assignment == host).tolist():
            elsewhere = self.room.hosts(other)
            elsewhere[host] = False
            ways = np.flatnonzero(elsewhere)
            if not len(ways):
                continue
            self.lift(other)
            if self.room.hosts(user)[host]:
                self.put(user, host)
                self.put(other, int(ways[np.argmin(self.problem.cost_s[other, ways])]))
                return True
            self.put(other, host)
        return False

    def improve(self, user: int) -> bool:
        """Make the best change for this twin, a move or a swap; return False if none saves time."""
        cost, at = self.problem.cost_s, int(self.assignment[user])
        saved = self._least_saving(user, at)
        host, other = NOWHERE, NOWHERE
        free = np.flatnonzero(self.room.hosts(user))
        if len(free):
            best = int(free[np.argmin(cost[user, free])])
            if cost[user, at] - cost[user, best] > saved:
                saved, host = float(cost[user, at] - cost[user, best]), best
        others = np.flatnonzero((self.assignment != NOWHERE) & (self.assignment != at))
        theirs = self.assignment[others]
        others, theirs = _kept(self.room.swaps(user, at, others, theirs), others, theirs)
        if len(others):
            savings = cost[user, at] + cost[others, theirs] - cost[user, theirs] - cost[others, at]
            best = int(np.argmax(savings))
            if savings[best] > saved:
                host, other = int(theirs[best]), int(others[best])
        if host == NOWHERE:
            return False
        self.lift(user)
        if other != NOWHERE:
            self.put(other, at)
        self.put(user, host)
        return True

    def _least_saving(self, user: int, at: int) -> float:
        """Return the saving that rounding alone may show, or two twins would swap for ever."""
        return _LEAST * (1.0 + float(self.problem.cost_s[user, at]))


def _kept(mask: BoolArray, *arrays: IntArray) -> tuple[IntArray, ...]:
    return tuple(array[mask] for array in arrays)


def local_search(problem: PlacementProblem, start: IntArray, sweeps: int = 50) -> IntArray:
    """Return an assignment improved until no twin gains by a move to a host with room or by a swap with another twin.

    First every twin without a host is given one, if need be by moving another on; then sweeps over the twins in row
    order take each one's best change. It places at least as many twins as `start`; of as many, in no more time.

    Args:
        problem: the limits, which every step keeps.
        start: an assignment that keeps them.
        sweeps: largest number of sweeps.
    """
    search = _Search(problem, start)
    search.insert_all()
    for _ in range(sweeps):
        placed = np.flatnonzero(search.assignment != NOWHERE).tolist()
        if not sum(search.improve(user) for user in placed):
            break
    search.insert_all()
    return search.assignment
