"""A small key network for tests: sites on a line, a rate that does not change, and facts kept in lists."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import fields
from math import nan
from typing import Any

import numpy as np

from cosim.kernel.clock import Clock, Life
from cosim.keys.layout import key_layout
from cosim.keys.network import KeyNetwork
from cosim.keys.rates.noise import Conditions
from cosim.keys.rates.rates import link_rates
from cosim.keys.request_queue import GrantedKey, QueuedKeyRequest
from cosim.keys.service import KeyService
from cosim.keys.vehicles import VehicleKeys
from cosim.mobility.source import MobilityFrame
from cosim.roads.siting import PlacedSite
from cosim.scenario.key_rates import KeyEnvironment, QibVecRate
from cosim.scenario.keys import Keys
from cosim.types import Failure

STEADY = KeyEnvironment(temperature_deviation_k=0.0, noise_oscillation_per_s=0.0, noise_amplitude_per_s=0.0)
RATE = QibVecRate(kind="qib_vec", pair_rate_per_s=10_000.0)


class Kept:
    """A fact writer that keeps every row as a dictionary, by the name of its kind."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def recorder(self, fact: Any) -> Callable[..., None]:
        """Keeps a row."""
        names = [field.name for field in fields(fact)]
        return lambda *values: self.rows[fact.__name__].append(dict(zip(names, values, strict=True)))

    def batch(self, fact: Any) -> Callable[..., None]:
        """Keeps a row for each place of the arrays."""
        names = [field.name for field in fields(fact)]

        def record(**columns: Any) -> None:
            assert list(columns) == names
            arrays = np.broadcast_arrays(*columns.values())
            rows = zip(*(array.tolist() for array in arrays), strict=True)
            self.rows[fact.__name__] += [dict(zip(names, row, strict=True)) for row in rows]

        return record

    def tick(self, now_s: float) -> None:
        """Nothing to write."""

    def close(self, complete: bool, end_s: float | None = None) -> None:
        """Nothing to close."""


class Story(Life):
    """A story whose end is kept."""

    request: GrantedKey | QueuedKeyRequest | None = None
    failure: Failure | None = None
    done = False
    over_s = nan
    told: Callable[[], None]

    def ended(self, failure: Failure | None) -> None:
        """Keep how."""
        self.failure, self.done = failure, True
        self.told()


NOBODY = MobilityFrame(
    0.0, np.empty(0, np.int64), np.empty((0, 2)), np.empty(0), np.empty(0), (), np.empty(0, np.int64)
)
"""A tick without vehicles."""


class World:
    """Clock, network, vehicles and service; vehicles are at the site that `at` says."""

    def __init__(self, sites: Sequence[tuple[float, float]] = ((0, 0), (1000, 0), (2000, 0)), **plan: Any) -> None:
        self.plan = Keys(**{"rate": RATE, "environment": STEADY, **plan})
        self.clock = Clock()
        self.ended: list[Story] = []
        self.facts = Kept()
        placed = [PlacedSite(f"s{k}", float(x), float(y)) for k, (x, y) in enumerate(sites)]
        self.layout = key_layout(self.plan.topology, placed)
        self.at: dict[int, int] = {}
        self.place: dict[int, tuple[float, float]] = {}
        self.network = KeyNetwork(self.clock, self.plan, self.layout, 7, self.facts)
        self.vehicles = VehicleKeys(
            self.clock,
            self.plan,
            self.network,
            lambda vehicle: self.at.get(vehicle, -1),
            lambda vehicle: self.place[vehicle],
            self.facts,
        )
        self.service = KeyService(self.clock, self.plan, self.network, self.vehicles)

    def run(self, until_s: float) -> None:
        """Up to `until_s` and all of that instant."""
        self.clock.at(until_s, self.clock.halt, 9)
        self.clock.advance()

    def enter(self, *vehicles: int, site: int = 0, bit: int = 0) -> None:
        """Vehicles come in at a site and are given bits out of nowhere."""
        place = self.layout.xy_m[site]
        self.vehicles.enter(vehicles, np.tile(place, (len(vehicles), 1)))
        for vehicle in vehicles:
            self.at[vehicle] = site
            self.place[vehicle] = tuple(place.tolist())
            if bit:
                self.vehicles.pool[vehicle].store(bit, self.clock.now)

    def ask(
        self,
        vehicle: int,
        site: int = 0,
        size_bit: float = 100.0,
        priority: float = 0.0,
        by_s: float = 99.0,
        helper: int | None = None,
    ) -> "Story":
        """A story that asks for one key, for a site or a helper, and ends when it has it."""
        life: Story

        def story() -> Any:
            service = self.service
            if helper is None:
                life.request = request = service.request(vehicle, site, size_bit, priority, by_s)
            else:
                life.request = request = service.request_pair(vehicle, helper, size_bit, priority, by_s)
            if isinstance(request, QueuedKeyRequest) and not request.ready:
                yield request

        def over() -> None:
            self.ended.append(life)
            life.over_s = self.clock.now

        life = Story(story())
        life.told = over
        life.begin()
        return life

    def steady_bps(self) -> list[float]:
        """What each link makes while nothing is done to it."""
        count = len(self.layout.links)
        length_km = np.array([fibre.length_km for fibre in self.layout.links])
        steady = Conditions(np.full(count, STEADY.mean_temperature_k), np.zeros(count))
        detector = np.full(count, RATE.detector_efficiency)
        return link_rates(RATE, length_km, detector, np.zeros(count), steady).key_bps.tolist()

    def check(self) -> None:
        """Every bit is accounted for, in each pool and in the facts."""
        pools = [*self.network.pools, *self.vehicles.pool.values()]
        for pool in pools:
            assert pool.generated_bit == pool.used_bit + pool.lost_bit + pool.stored_bit
            assert 0 <= pool.stored_bit <= pool.capacity_bit
        self.facts.rows["KeyPoolSampled"].clear()
        self.service.sample(NOBODY)
        rows = self.facts.rows
        total = rows["VehicleKeysSampled"][-1]
        assert total["filled_bit"] == total["used_bit"] + total["lost_bit"] + total["stored_bit"]
        for row in rows["KeyPoolSampled"]:
            assert row["generated_bit"] == row["used_bit"] + row["lost_bit"] + row["stored_bit"]
            blocks = [block["bit"] for block in rows["KeyBlockDistilled"] if block["link"] == row["link"]]
            assert row["generated_bit"] == self.plan.pool.initial_bit + sum(blocks)
