"""What is left of hosts' places and processors while a placement is made (S5 eq 23-24)."""

import numpy as np

from cosim.twin.placing.model import SLACK, Problem, load_hz, twins
from cosim.types import BoolArray, FloatArray, IntArray


class Room:
    """The places and the processor that an assignment in the making has left; it belongs to one call of a policy."""

    def __init__(self, problem: Problem, assignment: IntArray) -> None:
        self._problem = problem
        self._allowed = problem.allowed
        self._most_hz = problem.compute_hz * (1.0 + SLACK)
        self._twins = twins(problem, assignment)
        self._load_hz = load_hz(problem, assignment)

    def hosts(self, user: int) -> BoolArray:  # (H,)
        """Where the twin may stand now: allowed, with a place and processor enough left."""
        enough = self._load_hz + self._problem.share_hz[user] <= self._most_hz
        room: BoolArray = self._allowed[user] & (self._twins < self._problem.places) & enough
        return room

    def allowed(self, user: int) -> BoolArray:  # (H,)
        """Where the twin may stand if there is room."""
        allowed: BoolArray = self._allowed[user]
        return allowed

    def swaps(self, user: int, host: int, others: IntArray, their_hosts: IntArray) -> BoolArray:
        """Which others, each on another host than this one, could change places with the twin on `host`."""
        share = self._problem.share_hz
        theirs = self._load_hz[their_hosts] - share[others, their_hosts] + share[user, their_hosts]
        ours = self._load_hz[host] - share[user, host] + share[others, host]
        allowed = self._allowed[user, their_hosts] & self._allowed[others, host]
        fits: BoolArray = allowed & (theirs <= self._most_hz[their_hosts]) & (ours <= self._most_hz[host])
        return fits

    def load(self, user: int) -> FloatArray:  # (H,)
        """Each host's fuller side once the twin joined: of its places or of its processor."""
        with np.errstate(divide="ignore", invalid="ignore"):
            of_places = (self._twins + 1) / self._problem.places
            of_compute = (self._load_hz + self._problem.share_hz[user]) / self._problem.compute_hz
        fuller: FloatArray = np.fmax(of_places, of_compute)
        return fuller

    def take(self, user: int, host: int) -> None:
        """The twin comes to the host."""
        self._twins[host] += 1
        self._load_hz[host] += self._problem.share_hz[user, host]

    def leave(self, user: int, host: int) -> None:
        """The twin goes; an empty host is exactly empty."""
        self._twins[host] -= 1
        self._load_hz[host] -= self._problem.share_hz[user, host]
        if not self._twins[host]:
            self._load_hz[host] = 0.0
