"""The hosts that can carry twins in a run: their tier, their capacity, and what is taken of it (S5 eq 23-24).

A site with cores for tasks is an edge host, one without is an RSU, the data centre is the cloud (S2 figure 10). The
capacity of a tier is reserved for twins beside the tasks' cores: eq 24 counts twins alone, and a reserved share c_ij
makes the computing time of eq 19 hold however many others compute.
"""

from collections.abc import Container

import numpy as np

from cosim.distributions import keyed_draw
from cosim.errors import InputError
from cosim.kernel.rng import stream_key
from cosim.scenario.twin_placement import PlacementTiers, TierCapacity
from cosim.topology import Topology
from cosim.twin.placing.model import SLACK
from cosim.twin.placing.tiers import HostTier
from cosim.types import NOWHERE, FloatArray, IntArray


class TwinHosts:
    """All hosts of twins, numbered from 0 in order of their nodes.

    Attributes:
        nodes: (H,) node numbers, sites or cloud.
        tier: (H,) `HostTier`.
        capacity: (H,) most twins: M_j, or fewer where their shares fill the processor before.
        compute_hz: (H,) C_j.
        share_hz: (H,) c_ij, the same for all twins of a host.
        held: (H,) places taken, by twins that stand here, come here or go away.
    """

    def __init__(self, tiers: PlacementTiers, topology: Topology, computing: Container[int], seed: int) -> None:
        """Find the hosts and draw their processors.

        Args:
            tiers: section `twin.placement.tiers` of the scenario.
            topology: sites and cloud.
            computing: nodes with cores for tasks.
            seed: seed of the run.

        Raises:
            InputError: no site, or no cloud, for a tier that shall carry twins.
        """
        tier_of = [HostTier.EDGE if site in computing else HostTier.RSU for site in range(topology.sites)]
        if topology.cloud is not None:
            tier_of.append(HostTier.CLOUD)
        plans = {HostTier.RSU: tiers.rsu, HostTier.EDGE: tiers.edge, HostTier.CLOUD: tiers.cloud}
        found = [(node, tier, plan) for node, tier in enumerate(tier_of) if (plan := plans[tier]) is not None]
        if tiers.cloud is not None and topology.cloud is None:
            raise InputError("twin.placement.tiers.cloud: the scenario has no cloud; add a cloud: section or remove it")
        if not found:
            named = " and ".join(tier.name.lower() for tier, plan in plans.items() if plan is not None)
            raise InputError(f"twin.placement.tiers.{named}: no host of the scenario is one; give another tier places")
        self.nodes: IntArray = np.array([node for node, _, _ in found], dtype=np.int64)
        self.tier: IntArray = np.array([tier for _, tier, _ in found], dtype=np.int64)
        key = stream_key(seed, "twin/placement/compute")
        self.compute_hz: FloatArray = np.array([_drawn_hz(plan, key, node) for node, _, plan in found])
        share = [1.0 / plan.places if plan.share is None else plan.share for _, _, plan in found]
        self.share_hz: FloatArray = self.compute_hz * share
        places = [min(plan.places, int((1.0 + SLACK) / part)) for (_, _, plan), part in zip(found, share, strict=True)]
        self.capacity: IntArray = np.array(places, dtype=np.int64)
        self.held: IntArray = np.zeros(len(found), dtype=np.int64)
        self._host: IntArray = np.full(len(tier_of) + 1, NOWHERE, dtype=np.int64)
        self._host[self.nodes] = np.arange(len(found))

    def at(self, nodes: IntArray) -> IntArray:
        """Return the hosts at nodes; NOWHERE for NOWHERE."""
        return self._host[nodes]

    def left_hz(self, taken: IntArray) -> FloatArray:
        """Return the processor speed that is left of each host once `taken` twins have their shares, (H,)."""
        left: FloatArray = np.maximum(self.compute_hz - taken * self.share_hz, 0.0)
        return left


def _drawn_hz(plan: TierCapacity, key: int, node: int) -> float:
    return float(keyed_draw(plan.compute_hz, key, np.array([node]))[0])
