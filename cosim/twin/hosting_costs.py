"""The cost of a twin at each host, by what the mirror believes (S5 eq 17-20), and the choice of twins to move (S2).

The placement does not see the true state: positions, radio conditions and serving sites are those of the last state
received, and the share of a cell is what its site reported last. A vehicle without a twin reports its state as it asks
for one, at once and without a message, as it does when it enters. Left out of the estimates is other traffic on the
wires.
"""

from dataclasses import dataclass

import numpy as np

from cosim.radio.channel import Channel
from cosim.scenario.twin_placement import Creation, Migration
from cosim.topology import Topology
from cosim.twin.hosting_room import TwinHosts
from cosim.twin.mirror import Mirror, Snapshot
from cosim.twin.placing.migration import migrate
from cosim.twin.placing.model import PlacementProblem, computing_s, creation_s
from cosim.twin.placing.policies import Placing
from cosim.twin.placing.tiers import balance, climb_s, pick_twins
from cosim.types import NOWHERE, Direction, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class PlacementProblems:
    """Makes the placement problems of a run from what the mirror believes.

    Attributes:
        mirror: what is believed.
        channel: positions of sites, and rates from signal-to-noise ratios.
        topology: the wires.
        hosts: hosts of twins.
        creation: section `twin.placement.creation` of the scenario.
        power_w: p_i of eq 20.
        message_bit: bits that one use of a twin sends to it.
    """

    mirror: Mirror
    channel: Channel
    topology: Topology
    hosts: TwinHosts
    creation: Creation
    power_w: float
    message_bit: float

    def to_create(self, told: Snapshot, data_bit: FloatArray) -> PlacementProblem:
        """Return eq 21-26 for twins that are not yet made, in the capacity that is free.

        T_ij = U_ij + C_ij. U_ij goes straight to the host's site (eq 18), or over the serving site and the wires, after
        the wait for the uplink's grant.

        Args:
            told: states of the vehicles now.
            data_bit: (V,) D_i.
        """
        hosts = self.hosts
        share_hz = np.broadcast_to(hosts.share_hz, (len(told), len(hosts.nodes)))
        computing = computing_s(data_bit, share_hz, self.creation.cycles_per_bit)
        limit_s = np.inf if self.creation.limit_s is None else self.creation.limit_s
        return PlacementProblem(
            cost_s=creation_s(self._upload_s(told, data_bit), computing),
            distance_m=self._distance_m(told),
            share_hz=share_hz,
            limit_s=np.full(len(told), limit_s),
            places=hosts.capacity - hosts.held,
            compute_hz=hosts.left_hz(hosts.held),
        )

    def to_use(self, numbers: IntArray, places: IntArray, compute_hz: FloatArray) -> PlacementProblem:
        """Return eq 21-24 for twins that stand; the limit tau_i is left out, as it belongs to eq 17.

        T_ij is the time of a message from the vehicle's site over the wires.

        Args:
            numbers: (V,) vehicles.
            places: (H,) for these twins, including those that they hold.
            compute_hz: (H,) likewise.
        """
        known, hosts = self.mirror.known(numbers), self.hosts
        access = _access(known)
        return PlacementProblem(
            cost_s=self._wired_s(access, np.full(len(numbers), self.message_bit)),
            distance_m=self._distance_m(known),
            share_hz=np.broadcast_to(hosts.share_hz, (len(numbers), len(hosts.nodes))),
            limit_s=np.full(len(numbers), np.inf),
            places=places,
            compute_hz=compute_hz,
        )

    def direct(self, node: int) -> bool:
        """Return whether data for a host are sent in the cell of its own site."""
        return self.creation.upload == "direct" and node != self.topology.cloud

    def _upload_s(self, known: Snapshot, data_bit: FloatArray) -> FloatArray:  # (V, H)
        rows = np.arange(len(known))
        rate_bps = np.zeros((len(known), self.topology.sites))
        share = self.mirror.sites.up_share[known.sites]
        alone_bps = self.channel.up[0].alone_bps(known.snr_per_w * self.power_w)
        np.put_along_axis(rate_bps, known.sites, alone_bps * share, axis=1)
        with np.errstate(divide="ignore"):
            air_s = data_bit[:, None] / rate_bps + self.channel.grant_s[Direction.UPLINK]
        access = _access(known)
        served_s = np.where(known.serving == NOWHERE, np.inf, air_s[rows, access])
        upload_s = served_s[:, None] + self._wired_s(access, data_bit)
        for host, node in enumerate(self.hosts.nodes.tolist()):
            if self.direct(node):
                upload_s[:, host] = air_s[:, node]
        return upload_s

    def _wired_s(self, access: IntArray, size_bit: FloatArray) -> FloatArray:  # (V, H)
        way = np.ix_(access, self.hosts.nodes)
        wired: FloatArray = self.topology.latency_s[way] + size_bit[:, None] * self.topology.per_bit_s[way]
        return wired

    def _distance_m(self, known: Snapshot) -> FloatArray:  # (V, H)
        distance_m = np.full((len(known), len(self.hosts.nodes)), np.inf)
        on_map = self.hosts.nodes < self.topology.sites
        away_m = known.xy_m[:, None, :] - self.channel.site_xy_m[self.hosts.nodes[on_map]]
        distance_m[:, on_map] = np.hypot(away_m[..., 0], away_m[..., 1])
        return distance_m


def _access(known: Snapshot) -> IntArray:
    """Return the serving site, or the strongest one of a vehicle without coverage, (V,)."""
    access: IntArray = np.where(known.serving == NOWHERE, known.sites[:, 0], known.serving)
    return access


class MigrationPlanner:
    """Chooses which twins move: those for which the policy wants another host, and those that full hosts hand on.

    S2 figure 10. Twins on their way hold their places and are not considered.

    Args:
        rule: section `twin.placement.migration` of the scenario.
        policy: placement policy.
        problems: makes the placement problems; holds the hosts.
    """

    def __init__(self, rule: Migration, policy: Placing, problems: PlacementProblems) -> None:
        self.rule = rule
        self._policy = policy
        self._problems = problems
        self._hosts = hosts = problems.hosts
        way = np.ix_(hosts.nodes, hosts.nodes)
        self._latency_s: FloatArray = problems.topology.latency_s[way]
        self._per_bit_s: FloatArray = problems.topology.per_bit_s[way]
        self._delay_s = climb_s(self._latency_s, hosts.tier, rule.step_s)

    def where(self, numbers: IntArray, current: IntArray, state_bit: FloatArray) -> IntArray:
        """Return the hosts at which twins shall stand, (U,); most stay.

        Twins move to a host up to `target` of its capacity only: the rest is left to new twins, so that what a full
        host has handed on does not come back at once.

        Args:
            numbers: (U,) vehicles.
            current: (U,) hosts now.
            state_bit: (U,) size of each twin's state.
        """
        hosts, rule = self._hosts, self.rule
        standing = np.bincount(current, minlength=len(hosts.nodes))
        on_way = hosts.held - standing
        room = np.floor(rule.target * hosts.capacity).astype(np.int64) - on_way
        problem = self._problems.to_use(numbers, np.maximum(standing, room), hosts.left_hz(on_way))
        handed = self._handed(current, problem)
        must = handed != current
        wanted = np.where(must, handed, self._policy(problem))
        uses_hz = np.full(len(numbers), rule.uses_per_s)
        wires = self._latency_s, self._per_bit_s
        return migrate(problem, current, wanted, must, state_bit, uses_hz, *wires, rule).assignment

    def rounds(self, start: int, end: int) -> int:
        """Return how often a state is copied while its twin goes on: 0 where it changes faster than wires carry it."""
        slower = self.rule.dirty_bps * self._per_bit_s[start, end] < 1.0
        return self.rule.precopy_rounds if slower else 0

    def _handed(self, current: IntArray, problem: PlacementProblem) -> IntArray:
        held = self._hosts.held.astype(np.float64)
        capacity = self._hosts.capacity.astype(np.float64)
        exchange = balance(held, capacity, self._delay_s, self.rule.high, self.rule.target)
        return pick_twins(exchange, current, np.ones(len(current)), problem.cost_s)
