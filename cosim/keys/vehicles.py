"""The key pools of vehicles (paper S3): filled at sites, docks or over free space, used by transfers, lost on leaving.

A vehicle shares its key with one node, its home: the site that filled it last. S3 has vehicles hold keys and does not
say where they get them; here they are loaded by their site, as at a port, or make them over a mobile optical link.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import hypot

import numpy as np

from cosim.kernel.clock import Clock
from cosim.keys.layout import nearest_sites
from cosim.keys.network import KeyNetwork
from cosim.keys.pool import KeyPool
from cosim.keys.rates.loss import free_space_transmittance
from cosim.keys.sessions import VehiclePool
from cosim.ledger.log import RecordLog
from cosim.scenario.key_rates import FreeSpace
from cosim.scenario.keys import DockFilling, FreeSpaceFilling, Keys, SiteFilling
from cosim.trace.facts.keys import VehicleKeysFilled, VehicleKeysSampled
from cosim.trace.store.writer import FactWriter
from cosim.types import NOWHERE, FloatArray, IntArray

Place = Callable[[int], Sequence[float]]


@dataclass(slots=True)
class _Totals:
    """Totals of the vehicles that have left the map."""

    filled_bit: int = 0
    used_bit: int = 0
    lost_bit: int = 0


class VehicleKeys:
    """The pools of all vehicles on the map, by vehicle number."""

    def __init__(
        self,
        clock: Clock,
        plan: Keys,
        network: KeyNetwork,
        serving: Callable[[int], int],
        place: Place,
        facts: FactWriter,
        log: RecordLog | None = None,
    ) -> None:
        """Start without vehicles.

        Args:
            clock: simulated time.
            plan: the scenario's `keys`.
            network: key network whose pools fill vehicles.
            serving: returns the site that serves a vehicle, or NOWHERE.
            place: returns x and y of a vehicle in m; called for free-space links alone.
            facts: where fillings are recorded.
            log: where sites record fillings in the ledger, if there is one.

        Raises:
            InputError: `keys.vehicle.site` names no site.
        """
        self._clock = clock
        self._network = network
        self._layout = network.layout
        self._serving = serving
        self._place = place
        self._slot_s = plan.slot_s
        filling = plan.vehicle
        self.capacity_bit = filling.capacity_bit
        self._expiry_s = filling.expiry_s
        self._filling = filling
        self._low_water_bit = 0 if isinstance(filling, DockFilling) else filling.low_water_bit
        dock = filling.site if isinstance(filling, DockFilling) else None
        self._dock = None if dock is None else self._layout.site(dock, "keys.vehicle.site")
        self._optics = _optics(filling) if isinstance(filling, FreeSpaceFilling) else None
        self.pool: dict[int, VehiclePool] = {}
        """Pool of each vehicle on the map, by its number."""
        self._wanting: dict[int, float] = {}
        """Vehicles that ask to be filled, in order of asking, with the fraction of a bit that they are owed."""
        self._ageing: deque[tuple[float, int]] = deque()
        """When each filling expires, and its vehicle."""
        self._gone = _Totals()
        self._log = log
        self._filled = facts.recorder(VehicleKeysFilled)
        self._sampled = facts.recorder(VehicleKeysSampled)

    # --- vehicles come and go --------------------------------------------------------------------------------------

    def enter(self, numbers: Iterable[int], xy_m: FloatArray) -> None:
        """Make pools for vehicles that enter the map at `xy_m`, (V, 2), with their initial load.

        Initial loads come from outside the network: no link's pool gives them. More than the capacity is not loaded.
        The home is the dock, or the site nearest to where the vehicle enters; a vehicle without a position then (NaN)
        has site 0 for its home.
        """
        if not len(xy_m):
            return
        match self._filling:
            case SiteFilling(initial_bit=initial_bit):
                load_bit = min(initial_bit, self.capacity_bit)
            case DockFilling(capacity_bit=capacity_bit):
                load_bit = capacity_bit
            case _:
                load_bit = 0
        homes = nearest_sites(self._layout, np.nan_to_num(xy_m)).tolist()  # a vehicle that SUMO teleports has no place
        for number, nearest in zip(numbers, homes, strict=True):
            vehicle = int(number)
            home = nearest if self._dock is None else self._dock
            self.pool[vehicle] = VehiclePool(home, self.capacity_bit, self._low_water_bit, self._expiry_s)
            if load_bit:
                self._load(vehicle, home, load_bit, 0, 0)
            self._ask_below_mark(vehicle)

    def leave(self, vehicles: Iterable[int]) -> None:
        """Remove the pools of vehicles that have left the map; the bits in them are lost."""
        gone = self._gone
        for vehicle in vehicles:
            pool = self.pool.pop(vehicle, None)
            if pool is None:
                continue
            pool.drop()
            gone.filled_bit += pool.generated_bit
            gone.used_bit += pool.used_bit
            gone.lost_bit += pool.lost_bit
            self._wanting.pop(vehicle, None)

    # --- what transfers use ----------------------------------------------------------------------------------------

    def draw(self, vehicle: int, bit: int) -> bool:
        """Take bits from a vehicle's pool and return True; take nothing and return False if it has fewer.

        A vehicle that falls below its low-water mark asks to be filled.
        """
        pool = self.pool[vehicle]
        if not pool.take(bit, self._clock.now):
            return False
        if pool.stored_bit < pool.low_water_bit:
            self._wanting.setdefault(vehicle, 0.0)
        return True

    def want(self, vehicle: int) -> None:
        """Have a vehicle ask to be filled whatever its level, because a transfer needs more than it has."""
        if not isinstance(self._filling, DockFilling) and self.pool[vehicle].room_bit:
            self._wanting.setdefault(vehicle, 0.0)

    def level_bit(self, numbers: IntArray) -> IntArray:
        """Return the key bits that vehicles hold, (V,); 0 for one that is not on the map.

        Expired bits are thrown away, but looking makes no vehicle ask: it does so at the end of the slot.
        """
        nothing = KeyPool(1)
        pools = [self.pool.get(number, nothing) for number in numbers.tolist()]
        self._expire(pools)
        return np.fromiter((pool.stored_bit for pool in pools), np.int64, len(pools))

    def sample(self, waiting: int) -> None:
        """Record the totals of all vehicles, with those that have left; `waiting` transfers wait for a key."""
        pools, gone = self.pool.values(), self._gone
        self._expire(pools)
        self._sampled(
            self._clock.now,
            sum(pool.stored_bit for pool in pools),
            sum(pool.generated_bit for pool in pools) + gone.filled_bit,
            sum(pool.used_bit for pool in pools) + gone.used_bit,
            sum(pool.lost_bit for pool in pools) + gone.lost_bit,
            len(self._wanting),
            waiting,
        )

    # --- what time does --------------------------------------------------------------------------------------------

    def fill(self) -> None:
        """Fill the vehicles that ask with what their site gives in a slot, in order of asking.

        A vehicle without a serving site waits. One that is filled elsewhere than at home drops what it has left, since
        it shares its key with one node alone.
        """
        self._age()
        wanting = [(vehicle, site) for vehicle in self._wanting if (site := self._serving(vehicle)) != NOWHERE]
        if not wanting:
            return
        fresh = self._optics is not None
        for (vehicle, site), rate_bps in zip(wanting, self._rates_bps(wanting), strict=True):
            pool = self.pool[vehicle]
            away = pool.home != site
            room_bit = self.capacity_bit if away else pool.room_bit
            owed_bit = self._wanting[vehicle] + rate_bps * self._slot_s
            whole = min(int(owed_bit), room_bit)
            # A fraction of a bit is owed until the next slot, but not beyond what the pool has room for.
            self._wanting[vehicle] = owed_bit - whole if whole < room_bit else 0.0
            given = whole if fresh else self._network.give(site, whole)
            if given:
                self._load(vehicle, site, given, 0 if fresh else 1, pool.drop() if away else 0)
            if not pool.room_bit:
                del self._wanting[vehicle]

    def _rates_bps(self, wanting: list[tuple[int, int]]) -> list[float]:
        """Return the rate at which each vehicle is filled: the same for all, or over free space less with distance."""
        filling = self._filling
        if isinstance(filling, DockFilling):
            return [0.0] * len(wanting)
        if self._optics is None:
            return [filling.rate_bps] * len(wanting)
        sites_m = self._layout.xy_m[[site for _, site in wanting]].tolist()
        places_m = [self._place(vehicle) for vehicle, _ in wanting]
        pairs = zip(sites_m, places_m, strict=True)
        distance_km = np.array([hypot(site[0] - place[0], site[1] - place[1]) / 1000.0 for site, place in pairs])
        near, *share = free_space_transmittance(np.concatenate(([0.0], distance_km)), self._optics).tolist()
        return [filling.rate_bps * arriving / near for arriving in share]

    def _load(self, vehicle: int, node: int, bit: int, hops: int, dropped_bit: int) -> None:
        now = self._clock.now
        pool = self.pool[vehicle]
        pool.home = node
        pool.store(bit, now)
        if self._expiry_s is not None:
            self._ageing.append((now + self._expiry_s, vehicle))
        self._filled(now, vehicle, node, bit, hops, dropped_bit)
        if self._log is not None:
            self._log.key_fill(node, now, vehicle, bit)

    def _expire(self, pools: Iterable[KeyPool]) -> None:
        for pool in pools:
            pool.expire(self._clock.now)

    def _age(self) -> None:
        """Throw away the bits that have expired; vehicles below their low-water mark then ask to be filled."""
        now, ageing = self._clock.now, self._ageing
        while ageing and ageing[0][0] <= now:
            vehicle = ageing.popleft()[1]
            pool = self.pool.get(vehicle)
            if pool is not None:
                pool.expire(now)
                self._ask_below_mark(vehicle)

    def _ask_below_mark(self, vehicle: int) -> None:
        pool = self.pool[vehicle]
        if pool.stored_bit < pool.low_water_bit:
            self._wanting.setdefault(vehicle, 0.0)


def _optics(filling: FreeSpaceFilling) -> FreeSpace:
    """Return the beam between a site and a vehicle as the loss model's parameters; the scenario has checked them."""
    return FreeSpace.model_construct(
        transmitter_aperture_m=2.0 * filling.transmitter_radius_m,
        receiver_aperture_m=2.0 * filling.receiver_radius_m,
        half_angle_rad=filling.divergence_rad,
        atmosphere_db_per_km=filling.attenuation_db_per_km,
    )
