"""Random but possible observations, for tests of policies."""

import numpy as np

from cosim.adaptation.curve import ShannonCurve
from cosim.decision import Observation
from cosim.types import Tier


def random_observation(
    rng: np.random.Generator, tasks: int, edges: int = 2, *, cloud: bool = True, neighbour: bool = True
) -> Observation:
    """T tasks of few vehicles and sites, so that cells and hosts are shared often."""
    tiers = [Tier.LOCAL, *[Tier.EDGE] * edges, *[Tier.CLOUD] * cloud, *[Tier.NEIGHBOUR] * neighbour]
    tier = np.tile(np.array([int(t) for t in tiers]), (tasks, 1))
    shape = tier.shape
    vehicle = rng.integers(0, 3, tasks)
    target = np.full(shape, -1)
    cell = np.full(shape, -1)
    for row in range(tasks):
        target[row, 1 : edges + 1] = rng.permutation(edges + 1)[:edges]
        if cloud:
            target[row, edges + 1] = edges + 1
        if neighbour:
            target[row, -1] = rng.integers(0, 4)
        cell[row, 1 : edges + 1 + cloud] = rng.integers(0, edges + 1)
    local = tier == Tier.LOCAL
    alone_bps = np.where(local, np.inf, rng.uniform(1e6, 5e7, shape))
    own = local | (tier == Tier.NEIGHBOUR)
    feasible = rng.random(shape) < 0.8
    feasible[:, 0] = True
    cycles = rng.uniform(1e8, 1e9, tasks)
    return Observation(
        time_s=1.0,
        task=np.arange(tasks),
        vehicle=vehicle,
        task_class=np.zeros(tasks, dtype=np.int64),
        released_s=np.full(tasks, 0.5),
        deadline_s=np.full(tasks, 2.0),
        input_bit=rng.uniform(1e5, 2e6, tasks),
        output_bit=rng.uniform(1e4, 1e5, tasks),
        cycles=cycles,
        priority=np.ones(tasks),
        power_w=np.full(tasks, 0.2),
        tier=tier,
        target=target,
        feasible=feasible,
        work_cycles=cycles[:, None] * rng.uniform(0.5, 1.0, shape),
        core_hz=np.where(own, 1e9, 3e9),
        cores=np.where(own, 1.0, 4.0),
        wait_s=rng.uniform(0.0, 0.5, shape),
        uplink_bps=alone_bps * np.where(local, 1.0, rng.uniform(0.2, 1.0, shape)),
        alone_bps=alone_bps,
        clean_bps=alone_bps,
        downlink_bps=np.where(local, np.inf, rng.uniform(1e6, 5e7, shape)),
        snr_per_w=np.where(own, np.nan, 2.0 ** (alone_bps / 1e7) / 0.2),
        wire_s=np.where(own, 0.0, 0.002),
        grant_s=np.where(local, 0.0, np.where(own, 0.016, 0.021)),
        cell=cell,
        kappa=np.where(own, 1e-27, 1e-28),
        max_power_w=1.0,
        curve=ShannonCurve(),
        latency_weight=0.5,
    )
