"""The features of a waiting task: paper S1's state (eq 20) as named columns of order one.

A quantity that is never 0 is encoded as log10(x / unit), one that can be 0 as log10(1 + x / unit); both are clipped to
[-LIMIT, LIMIT]. So a neural network needs no further scaling, and a scenario's own range can be fitted later. Eq 20
has latency and energy of the whole epoch; here each option has its own, which is what a decision needs.

Credits of validators and states of QKD links belong to no task: `network_columns` has them. Left out is the demand that
is expected of sites.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cosim.cost import option_terms
from cosim.decision import Observation
from cosim.envs.contention import contention, own_before
from cosim.envs.traffic import sites_of
from cosim.scenario.schema import Scenario
from cosim.types import BoolArray, FloatArray, Tier

LIMIT: Final = 4.0
"""Bound of every column's magnitude."""

TASK: Final[Mapping[str, str]] = {
    "input": "log10 of the bits to send, in 100 kbit",
    "cycles": "log10 of the cycles before any accuracy factor, in 10 million",
    "output": "log10(1 + bits of the result, in 1 kbit)",
    "slack": "time to the deadline: its sign times log10(1 + size, in 10 ms)",
    "priority": "share of the other tasks of this epoch with a lower priority",
    "tasks": "log10 of the number of tasks of this epoch",
    "own": "log10 of the number of tasks that its vehicle has in this epoch",
    "own_before": "log10(1 + those of them that stand before it in its vehicle's queue)",
}
"""Columns of each task, with what each holds."""
OPTION: Final[Mapping[str, str]] = {
    "feasible": "1 or 0",
    "latency": "log10 of S1 eq 12-14 without the others of this epoch, with the host's queue, in 10 ms",
    "energy": "log10 of eq 15-17 at the default power, in 1 mJ",
    "cost": "log10 of w1 latency + (1 - w1) energy of eq 18, in 0.01",
    "rate": "log10 of the uplink's rate beside the transfers that are active, in 10 Mbit/s",
    "wait": "log10(1 + the host's queue, in 1 ms)",
    "contenders": "log10(1 + other tasks of this epoch whose nearest site's cell is this option's)",
    "keener": "log10(1 + those of them that save more cost for each second of airtime, see cosim.envs.contention)",
    "ahead": "log10(1 + the airtime of those, in 1 ms)",
}
"""Columns of each option, named as in `edge1.rate`, with what each holds."""
KEY: Final = "key"
"""Column after the options, with a key network: log10(1 + bits in the pool of the task's vehicle, in 256 bit)."""
DEMAND: Final = "demand"
"""Column after it, with a digital twin: log10(1 + tasks that the vehicle is expected to release each second); eq 8."""

TIME_LEFT: Final = "time_left"
"""Last column, where it is asked for: log10(1 + time until the scenario's duration is over, in 1 s)."""

LINK: Final[Mapping[str, str]] = {
    "key_rate": "a quarter of log10(1 + the secret key rate of the last slot, in 1 kbit/s)",
    "qber": "twice the bit error rate of the last slot; 1 without a signal",
    "stored": "a quarter of log10(1 + the bits in its pool, in 256 bit)",
    "detector": "the detector efficiency that is set",
}
"""Columns of the network for each QKD link, with what each holds; all are about 0 to 1."""
SITE: Final[Mapping[str, str]] = {"stake": "its share of all credits"}
"""Columns of the network for each site with a ledger, likewise."""

_TABLE: Final = np.array(
    [
        # feasible latency energy cost rate wait contenders keener ahead
        [0, 1, 1, 1, 0, 1, 0, 0, 0],  # local
        [1, 1, 1, 1, 1, 1, 1, 1, 1],  # edge
        [1, 1, 1, 1, 1, 1, 1, 1, 1],  # cloud
        [1, 1, 1, 1, 1, 1, 0, 0, 0],  # neighbour
    ],
    dtype=np.bool_,
)
"""The columns that an option of each tier has: a vehicle's own processor needs no radio, a neighbour no cell."""
_UNITS: Final = np.array([1e-2, 1e-3, 1e-2, 1e7, 1e-3, 1.0, 1.0, 1e-3])
_FROM_ONE: Final = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0])


def option_tiers(scenario: Scenario, folder: Path = Path()) -> tuple[Tier, ...]:
    """Return the tier of each option, a column of the scenario's observations.

    Args:
        scenario: the scenario.
        folder: folder from which its relative paths start.

    Raises:
        InputError: the map or its sites are not there.
    """
    edges = min(scenario.decisions.candidates, scenario.radio.candidates)
    if edges > 1:
        edges = min(edges, len(sites_of(scenario, folder)))
    sidelink = scenario.radio.sidelink
    neighbours = 0 if sidelink is None else sidelink.max_neighbours
    cloud = scenario.cloud is not None
    return (Tier.LOCAL, *[Tier.EDGE] * edges, *[Tier.CLOUD] * cloud, *[Tier.NEIGHBOUR] * neighbours)


def option_names(scenario: Scenario, folder: Path = Path()) -> tuple[str, ...]:
    """Return the names of the options: local, edge1, edge2, ..., cloud, neighbour1, ..."""
    tiers = option_tiers(scenario, folder)
    single = {Tier.LOCAL: "local", Tier.CLOUD: "cloud"}
    return tuple(
        single.get(tier) or f"{tier.name.lower()}{tiers[: column + 1].count(tier)}" for column, tier in enumerate(tiers)
    )


def column_names(scenario: Scenario, folder: Path = Path()) -> tuple[str, ...]:
    """Return the names of the F columns that `encode` gives for a scenario.

    The order is that of TASK, then OPTION for each option, then KEY and DEMAND where the scenario has them.

    >>> from cosim import load
    >>> loaded = load("per_task")
    >>> column_names(loaded.scenario, loaded.folder)[:3]
    ('input', 'cycles', 'output')
    """
    tiers, options = option_tiers(scenario, folder), option_names(scenario, folder)
    names = list(TASK)
    for tier, option in zip(tiers, options, strict=True):
        names += [f"{option}.{name}" for name, has in zip(OPTION, _TABLE[tier], strict=True) if has]
    names += [KEY] * (scenario.keys is not None) + [DEMAND] * (scenario.twin is not None)
    return tuple(names)


def encode(observation: Observation) -> NDArray[np.float32]:
    """Return the features of each task, (T, F), from what a policy observes and nothing else."""
    options = _options(observation)[:, _TABLE[observation.tier[0]]]
    parts = [_tasks(observation), options]
    if observation.keys is not None:
        parts.append(np.log10(1.0 + observation.keys.vehicle_bit / 256.0)[:, None])
    if observation.demand is not None:
        parts.append(np.log10(1.0 + observation.demand.vehicle.rate_per_s)[:, None])
    columns = np.concatenate(parts, axis=1)
    np.minimum(columns, LIMIT, out=columns)
    return np.maximum(columns, -LIMIT, out=columns).astype(np.float32)


def network_column_names(links: int, sites: int) -> tuple[str, ...]:
    """Return the names of the columns that `network_columns` gives for so many links and sites.

    >>> network_column_names(links=1, sites=2)
    ('link0.key_rate', 'link0.qber', 'link0.stored', 'link0.detector', 'site0.stake', 'site1.stake')
    """
    of_links = [f"link{link}.{name}" for link in range(links) for name in LINK]
    return (*of_links, *(f"site{site}.{name}" for site in range(sites) for name in SITE))


def network_columns(observation: Observation, links: bool, sites: bool) -> FloatArray:
    """Return the features of the network as a whole, (N,): LINK for each QKD link, then SITE for each site.

    Args:
        observation: what a policy observes.
        links: whether those of links are wanted; they are left out without a key network.
        sites: whether those of sites are wanted; they are left out without a ledger.
    """
    parts = [np.zeros(0)]
    keys, stake = observation.keys, observation.stake
    if links and keys is not None:
        of_links = np.column_stack(
            [
                np.log10(1.0 + keys.key_bps / 1e3) / 4.0,
                2.0 * np.nan_to_num(keys.qber, nan=0.5),
                np.log10(1.0 + keys.stored_bit / 256.0) / 4.0,
                keys.detector,
            ]
        )
        parts.append(of_links.ravel())
    if sites and stake is not None:
        parts.append(stake / max(1, int(stake.sum())))
    return np.concatenate(parts)


def with_time_left(columns: NDArray[np.float32], left_s: float) -> NDArray[np.float32]:
    """Return the columns of tasks, (T, F), and TIME_LEFT after them.

    >>> with_time_left(np.zeros((1, 2), np.float32), 99.0).tolist()
    [[0.0, 0.0, 2.0]]
    """
    left = np.full((len(columns), 1), min(np.log10(1.0 + left_s), LIMIT), np.float32)
    return np.concatenate([columns, left], axis=1)


def option_mask(observation: Observation) -> BoolArray:
    """Return which options may be chosen, (T, M); a task without a feasible one may stay in its vehicle, column 0."""
    mask = observation.feasible.copy()
    mask[:, 0] |= ~mask.any(axis=1)
    return mask


def _tasks(observation: Observation) -> FloatArray:
    """Return the columns of the tasks, (T, len(TASK))."""
    count = len(observation)
    slack = (observation.deadline_s - observation.time_s) / 1e-2
    before, own = own_before(observation.vehicle)
    columns = np.ones((count, len(TASK)))
    columns[:, 0] = observation.input_bit / 1e5
    columns[:, 1] = observation.cycles / 1e7
    columns[:, 2] += observation.output_bit / 1e3
    columns[:, 3] += np.abs(slack)
    columns[:, 5] = count
    columns[:, 6] = own
    columns[:, 7] += before
    np.log10(columns, out=columns)
    columns[:, 3] = np.copysign(columns[:, 3], slack)
    priority = observation.priority
    columns[:, 4] = np.sort(priority).searchsorted(priority) / max(1, count - 1)
    return columns


def _options(observation: Observation) -> FloatArray:
    """Return the columns of the options, (T, M, len(OPTION)), with those that an option's tier does not have."""
    alone = option_terms(observation)
    found = np.empty((*observation.tier.shape, len(OPTION)))
    found[..., 0] = observation.feasible
    found[..., 1] = alone.latency_s
    found[..., 2] = alone.energy_j
    found[..., 3] = alone.cost
    found[..., 4] = observation.uplink_bps
    found[..., 5] = observation.wait_s
    found[..., 6], found[..., 7], found[..., 8] = contention(observation, alone.cost, alone.airtime_s)
    sizes = found[..., 1:]
    sizes /= _UNITS
    sizes += _FROM_ONE
    with np.errstate(divide="ignore"):
        np.log10(sizes, out=sizes)
    return found
