"""Which twins that stand shall move: what the policy wants, and what full hosts hand to others (S2 figure 10)."""

import numpy as np

from cosim.scenario.twin_placement import Migration
from cosim.twin.hosting_costs import Beliefs
from cosim.twin.placing.migration import migrate
from cosim.twin.placing.model import Problem
from cosim.twin.placing.policies import Placing
from cosim.twin.placing.tiers import balance, climb_s, pick_twins
from cosim.types import FloatArray, IntArray


class Choice:
    """Decides about twins that stand; those on their way hold their places and are not asked."""

    def __init__(self, rule: Migration, policy: Placing, beliefs: Beliefs) -> None:
        self.rule = rule
        self._policy = policy
        self._beliefs = beliefs
        self._hosts = hosts = beliefs.hosts
        way = np.ix_(hosts.nodes, hosts.nodes)
        self._latency_s: FloatArray = beliefs.topology.latency_s[way]
        self._per_bit_s: FloatArray = beliefs.topology.per_bit_s[way]
        self._delay_s = climb_s(self._latency_s, hosts.tier, rule.step_s)

    def where(self, numbers: IntArray, current: IntArray, state_bit: FloatArray) -> IntArray:
        """Hosts at which twins shall stand, (U,); most stay.

        Twins move to a host up to `target` of its capacity only: what is above that is left to new twins, so that what
        a full host has handed on does not come back at once.

        Args:
            numbers: of the vehicles.
            current: (U,) hosts now.
            state_bit: (U,) of each twin.
        """
        hosts, rule = self._hosts, self.rule
        standing = np.bincount(current, minlength=len(hosts.nodes))
        on_way = hosts.held - standing
        room = np.floor(rule.target * hosts.capacity).astype(np.int64) - on_way
        problem = self._beliefs.to_use(numbers, np.maximum(standing, room), hosts.left_hz(on_way))
        handed = self._handed(current, problem)
        must = handed != current
        wanted = np.where(must, handed, self._policy(problem))
        uses_hz = np.full(len(numbers), rule.uses_per_s)
        wires = self._latency_s, self._per_bit_s
        return migrate(problem, current, wanted, must, state_bit, uses_hz, *wires, rule).assignment

    def rounds(self, start: int, end: int) -> int:
        """Copies of a state while its twin goes on: none where the state changes faster than the wires carry."""
        slower = self.rule.dirty_bps * self._per_bit_s[start, end] < 1.0
        return self.rule.precopy_rounds if slower else 0

    def _handed(self, current: IntArray, problem: Problem) -> IntArray:
        held = self._hosts.held.astype(np.float64)
        capacity = self._hosts.capacity.astype(np.float64)
        exchange = balance(held, capacity, self._delay_s, self.rule.high, self.rule.target)
        return pick_twins(exchange, current, np.ones(len(current)), problem.cost_s)
