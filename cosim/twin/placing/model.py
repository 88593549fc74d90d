"""Cost and limits of placing twins: paper S5, eq 17-26, as arrays over users (rows) and hosts (columns)."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cosim.adaptation.curve import ShannonCurve
from cosim.types import NOWHERE, BoolArray, FloatArray, IntArray, read_only

SLACK = 1e-6
"""Relative excess over a capacity that still counts as within it, so that three thirds fit."""


@dataclass(frozen=True, slots=True)
class PlacementProblem:
    """One placement to decide: U twins, H hosts; its arrays are read-only from then on.

    An assignment is an array (U,) of host numbers, `cosim.types.NOWHERE` for a twin without a host.

        >>> problem = PlacementProblem(
        ...     cost_s=np.array([[1.0, 3.0], [1.5, 2.0]]),
        ...     distance_m=np.array([[100.0, 400.0], [300.0, 200.0]]),
        ...     share_hz=np.full((2, 2), 1e9),
        ...     limit_s=np.full(2, np.inf),
        ...     places=np.array([1, 1]),
        ...     compute_hz=np.array([1e9, 1e9]),
        ... )
        >>> total_s(problem, np.array([0, 1])), count_violations(problem, np.array([0, 0])).places
        (3.0, 1)

    Attributes:
        cost_s: (U, H) time of each twin at each host, T_ij of eq 17; inf where it cannot stand.
        distance_m: (U, H) distance that the policy `nearest` uses; inf puts a host last.
        share_hz: (U, H) c_ij, the processor speed that a twin takes of a host.
        limit_s: (U,) tau_i of eq 26; inf for none.
        places: (H,) M_j of eq 23.
        compute_hz: (H,) C_j of eq 24; may be inf.
    """

    cost_s: FloatArray
    distance_m: FloatArray
    share_hz: FloatArray
    limit_s: FloatArray
    places: IntArray
    compute_hz: FloatArray

    def __post_init__(self) -> None:
        users, hosts = self.cost_s.shape
        shapes = (self.distance_m.shape, self.share_hz.shape, self.limit_s.shape, self.places.shape)
        if shapes != ((users, hosts), (users, hosts), (users,), (hosts,)) or self.compute_hz.shape != (hosts,):
            raise ValueError(
                f"arrays of {users} users and {hosts} hosts have shapes {(*shapes, self.compute_hz.shape)}"
            )
        values = (self.cost_s, self.distance_m, self.share_hz, self.limit_s, self.places, self.compute_hz)
        if any(np.isnan(array).any() or (array < 0).any() for array in values):
            raise ValueError("costs, distances, shares, limits and capacities must be numbers of at least 0")
        for name in self.__slots__:
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @property
    def allowed(self) -> BoolArray:  # (U, H)
        """Pairs that keep eq 26, and for which the twin alone keeps eq 23 and 24, (U, H)."""
        in_time = np.isfinite(self.cost_s) & (self.cost_s <= self.limit_s[:, None])
        allowed: BoolArray = in_time & (self.places >= 1) & (self.share_hz <= self.compute_hz * (1.0 + SLACK))
        return allowed


@dataclass(frozen=True, slots=True)
class Violations:
    """How many times an assignment breaks each limit."""

    unplaced: int
    """Twins without a host, eq 22."""
    places: int
    """Hosts with more twins than places, eq 23."""
    compute: int
    """Hosts with more than their processor, eq 24."""
    late: int
    """Placed twins beyond their time, eq 26."""


def upload_rate_bps(
    bandwidth_hz: float, power_w: float, gain: FloatArray, noise_w: float, logarithm: Literal["log2", "ln"]
) -> FloatArray:
    """Return r_ij = B log(1 + p_i h_ij / sigma^2), S5 eq 20.

    The paper prints log without a base; read as base 2, Shannon's, so that the rate is in bit/s; "ln" gives nat/s as if
    they were bits, 31 % fewer. Each user has the band alone and without interference: the equation has no such term.

    Args:
        bandwidth_hz: B.
        power_w: p_i.
        gain: h_ij, linear, (U, H).
        noise_w: sigma^2 over the band. Table 2 prints -174 dBm for it, which is the thermal noise of one hertz: `paper`
            takes it as printed, as the total noise power (4e-21 W); `physical` as a density times B (4e-14 W).
        logarithm: the reading of log.
    """
    rate: FloatArray = bandwidth_hz * ShannonCurve().efficiencies(power_w * gain / noise_w)
    return rate if logarithm == "log2" else rate * math.log(2.0)


def upload_s(data_bit: FloatArray, rate_bps: FloatArray) -> FloatArray:
    """Return U_ij = D_i / r_ij, S5 eq 18, (U, H); inf where the rate is 0. D "in Mb" is read as megabit."""
    with np.errstate(divide="ignore"):
        upload: FloatArray = data_bit[:, None] / rate_bps
    return upload


def computing_s(data_bit: FloatArray, share_hz: FloatArray, cycles_per_bit: float) -> FloatArray:
    """Return C_ij = D_i / c_ij, S5 eq 19, (U, H).

    The paper divides bits by hertz: read as one cycle per bit, with the factor open. It gives no c_ij: read as C_j /
    M_j, an equal part for each place, because c_ij = C_j lets eq 24 through for one twin on each host only.

    Args:
        data_bit: (U,) D_i.
        share_hz: (U, H) c_ij.
        cycles_per_bit: the factor.
    """
    computing: FloatArray = data_bit[:, None] * cycles_per_bit / share_hz
    return computing


def creation_s(upload: FloatArray, computing: FloatArray) -> FloatArray:
    """Return T_ij = U_ij + C_ij, S5 eq 17: first all data, then the computation; both in s, (U, H)."""
    return upload + computing


def twins(problem: PlacementProblem, assignment: IntArray) -> IntArray:
    """Return the number of twins on each host, the left side of S5 eq 23, (H,)."""
    placed = assignment[assignment != NOWHERE]
    return np.bincount(placed, minlength=len(problem.places)).astype(np.int64)


def load_hz(problem: PlacementProblem, assignment: IntArray) -> FloatArray:
    """Return the processor speed taken on each host, the left side of S5 eq 24, (H,)."""
    rows = np.flatnonzero(assignment != NOWHERE)
    hosts = assignment[rows]
    taken = np.bincount(hosts, weights=problem.share_hz[rows, hosts], minlength=len(problem.places))
    return taken.astype(np.float64)


def times_s(problem: PlacementProblem, assignment: IntArray) -> FloatArray:
    """Return each twin's own time, (U,); NaN without a host."""
    taken = problem.cost_s[np.arange(len(assignment)), assignment]
    return np.where(assignment == NOWHERE, np.nan, taken)


def total_s(problem: PlacementProblem, assignment: IntArray) -> float:
    """Return the objective of S5 eq 21 over the twins that have a host; eq 22 makes the inner sum one term."""
    return float(np.nansum(times_s(problem, assignment)))


def count_violations(problem: PlacementProblem, assignment: IntArray) -> Violations:
    """Return how often an assignment breaks each limit.

    Eq 26 is printed for every pair (T_ij <= tau_i); read for the chosen pairs only, T_ij x_ij <= tau_i, because a host
    that was not chosen makes no twin late.
    """
    taken_s = times_s(problem, assignment)
    return Violations(
        unplaced=int((assignment == NOWHERE).sum()),
        places=int((twins(problem, assignment) > problem.places).sum()),
        compute=int((load_hz(problem, assignment) > problem.compute_hz * (1.0 + SLACK)).sum()),
        late=int((taken_s > problem.limit_s).sum()),
    )


class Room:
    """Places and processor speed that hosts have left while a policy makes an assignment (eq 23-24).

    Args:
        problem: the limits.
        assignment: (U,) hosts at the beginning.
    """

    def __init__(self, problem: PlacementProblem, assignment: IntArray) -> None:
        self._problem = problem
        self._allowed = problem.allowed
        self._most_hz = problem.compute_hz * (1.0 + SLACK)
        self._twins = twins(problem, assignment)
        self._load_hz = load_hz(problem, assignment)

    def hosts(self, user: int) -> BoolArray:  # (H,)
        """Return where the twin may stand now, (H,): allowed, with a place and processor speed enough left."""
        enough = self._load_hz + self._problem.share_hz[user] <= self._most_hz
        room: BoolArray = self._allowed[user] & (self._twins < self._problem.places) & enough
        return room

    def allowed(self, user: int) -> BoolArray:  # (H,)
        """Return where the twin may stand if there is room, (H,)."""
        allowed: BoolArray = self._allowed[user]
        return allowed

    def swaps(self, user: int, host: int, others: IntArray, their_hosts: IntArray) -> BoolArray:
        """Return which other twins could change places with this one, within all limits.

        Args:
            user: the twin.
            host: its host.
            others: (O,) other twins, each on another host than this one.
            their_hosts: (O,) their hosts.
        """
        share = self._problem.share_hz
        theirs = self._load_hz[their_hosts] - share[others, their_hosts] + share[user, their_hosts]
        ours = self._load_hz[host] - share[user, host] + share[others, host]
        allowed = self._allowed[user, their_hosts] & self._allowed[others, host]
        fits: BoolArray = allowed & (theirs <= self._most_hz[their_hosts]) & (ours <= self._most_hz[host])
        return fits

    def load(self, user: int) -> FloatArray:  # (H,)
        """Return how full each host would be with the twin, (H,): its places or its processor, whichever is fuller."""
        with np.errstate(divide="ignore", invalid="ignore"):
            of_places = (self._twins + 1) / self._problem.places
            of_compute = (self._load_hz + self._problem.share_hz[user]) / self._problem.compute_hz
        fuller: FloatArray = np.fmax(of_places, of_compute)
        return fuller

    def take(self, user: int, host: int) -> None:
        """Place the twin on the host."""
        self._twins[host] += 1
        self._load_hz[host] += self._problem.share_hz[user, host]

    def leave(self, user: int, host: int) -> None:
        """Remove the twin from the host; an empty host is exactly empty."""
        self._twins[host] -= 1
        self._load_hz[host] -= self._problem.share_hz[user, host]
        if not self._twins[host]:
            self._load_hz[host] = 0.0
