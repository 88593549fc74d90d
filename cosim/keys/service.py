"""The key service: both ends of a transfer get the same fresh key, or the transfer waits, goes without, or ends.

As in ETSI GS QKD 014 the two ends of a transfer are secure application entities and the service their key managers. The
paper (S3) makes every offload need keys and does not say what happens without them; that is the scenario's choice here.
A key costs its bits in the vehicle's pool and on every hop between its home and the host's site, all or nothing.
"""

from collections.abc import Collection
from functools import cached_property, partial
from math import inf

import numpy as np

from cosim.decision import Action
from cosim.kernel.clock import NORMAL, Clock
from cosim.keys.network import KeyNetwork
from cosim.keys.request_queue import GrantedKey, QueuedKeyRequest, Rank, RequestQueue
from cosim.keys.sessions import KeyLifetime
from cosim.keys.vehicles import VehicleKeys
from cosim.mobility.source import MobilityFrame
from cosim.part import Part
from cosim.radio.sidelink import HelperLost
from cosim.scenario.keys import Keys
from cosim.types import NOWHERE, Failure, FloatArray, IntArray, Status, VehicleGone, read_only

_key = tuple.__new__
"""Makes a named tuple at half the cost of its own constructor."""


class KeyUnavailable(Failure):
    """The failure of a transfer whose key did not come in time, or never could."""

    status = Status.NO_KEY


class KeyNetworkView:
    """The key network as a policy sees it at a decision epoch; each array is made when it is first read."""

    def __init__(self, network: KeyNetwork, keys: VehicleKeys, vehicles: IntArray) -> None:
        self._network = network
        self._keys = keys
        self._vehicles = vehicles

    @cached_property
    def key_bps(self) -> FloatArray:  # (L,)
        """Secret key rate of each link in the last slot; 0 for a link that is down."""
        return read_only(self._network.key_bps.copy())

    @cached_property
    def qber(self) -> FloatArray:  # (L,)
        """Quantum bit error rate of each link in the last slot; NaN without a signal."""
        return read_only(self._network.qber.copy())

    @cached_property
    def stored_bit(self) -> IntArray:  # (L,)
        """Key bits in the pool of each link."""
        return read_only(self._network.stored_bit())

    @cached_property
    def detector(self) -> FloatArray:  # (L,)
        """Detector efficiency that is set on each link."""
        return read_only(self._network.detector.copy())

    @cached_property
    def vehicle_bit(self) -> IntArray:  # (T,)
        """Key bits in the pool of each task's vehicle."""
        return read_only(self._keys.level_bit(self._vehicles))


class KeyService(Part):
    """Grants transfers their keys, queues those that must wait, and ends or downgrades those that get none."""

    def __init__(self, clock: Clock, plan: Keys, network: KeyNetwork, vehicles: VehicleKeys) -> None:
        """Start the service.

        At the end of each slot vehicles are filled, then waiting requests are served. It happens right after the
        network's own slot, because the network has asked the clock before: build it before this.

        Args:
            clock: simulated time.
            plan: the scenario's `keys`.
            network: relays keys between nodes.
            vehicles: pools of the vehicles.
        """
        self._clock = clock
        self._network = network
        self._vehicles = vehicles
        self._pools = vehicles.pool
        self._lifetime = KeyLifetime(plan.use)
        self._queue = RequestQueue()
        shortage = plan.shortage
        self._by_priority = shortage.order == "priority"
        self._patience_s = inf if shortage.patience_s is None else shortage.patience_s
        self._downgrades = shortage.then == "downgrade"
        self._link_capacity_bit = plan.pool.capacity_bit
        self._draws = 0
        self._sampled_draws = 0
        clock.every(plan.slot_s, self._slot, first=1, priority=NORMAL)

    # --- what a story uses -----------------------------------------------------------------------------------------

    def request(
        self, vehicle: int, site: int, size_bit: float, priority: float, deadline_s: float
    ) -> GrantedKey | QueuedKeyRequest | None:
        """Return the key of a transfer between a vehicle and the host at a site, or a request to wait for.

        Bits that are available are granted whatever the deadline; only waiting ends by it. More bits than the vehicle's
        pool, or, where the key is relayed, a link's pool can ever hold, are a shortage at once.

        Args:
            vehicle: number of the vehicle.
            site: number of the host's site, which is its node; NOWHERE: the node that shares the vehicle's key.
            size_bit: data that the transfer carries, in bits.
            priority: requests of larger priority are served first, where the scenario says so.
            deadline_s: deadline of the task; no request waits beyond it.

        Returns:
            None if no new key is needed, the key if it can be granted now, else a request: `ready`, to go on without a
            key, or one to wait for, which is resumed at the end of a slot, or gets KeyUnavailable or VehicleGone
            thrown in; where there is no time to wait, at this very instant.

        Raises:
            VehicleGone: the vehicle is not on the map.
        """
        if not self._lifetime.used:
            return None
        pool = self._pools.get(vehicle)
        if pool is None:
            raise VehicleGone
        if site == NOWHERE:
            site = pool.home
        if pool.use_session(site, size_bit, self._clock.now):
            return None
        return self._ask(vehicle, NOWHERE, site, size_bit, priority, deadline_s)

    def request_pair(
        self, vehicle: int, helper: int, size_bit: float, priority: float, deadline_s: float
    ) -> GrantedKey | QueuedKeyRequest | None:
        """Return the key of a transfer between two vehicles, or a request to wait for; the result is as of `request`.

        The bits are taken from both vehicles' pools and from each hop between their homes. A session serves both
        directions.

        Args:
            vehicle: number of the vehicle that offloads.
            helper: number of the vehicle that computes.
            size_bit: data that the transfer carries, in bits.
            priority: requests of larger priority are served first, where the scenario says so.
            deadline_s: deadline of the task; no request waits beyond it.

        Raises:
            VehicleGone: the vehicle is not on the map.
            HelperLost: the helper is not on the map.
        """
        if not self._lifetime.used:
            return None
        if vehicle not in self._pools:
            raise VehicleGone
        if helper not in self._pools:
            raise HelperLost
        first, peer = _pair(vehicle, helper)
        if self._pools[first].use_session(peer, size_bit, self._clock.now):
            return None
        return self._ask(vehicle, helper, NOWHERE, size_bit, priority, deadline_s)

    # --- what the tick does ----------------------------------------------------------------------------------------

    def tick(self, frame: MobilityFrame, tick: int) -> None:  # noqa: ARG002 - the hook's signature
        """Make pools for the vehicles that have entered the map."""
        if frame.entered:
            numbers = [entry.number for entry in frame.entered]
            self._vehicles.enter(numbers, frame.xy_m[np.searchsorted(frame.numbers, numbers)])

    def leave(self, gone: Collection[int]) -> None:
        """Cancel the requests of vehicles that have left the map, then drop their keys."""
        for request in self._queue.as_asked() if gone else ():
            if request.withdraw is None:
                continue  # it ended when one before it was cancelled
            if request.vehicle in gone:
                request.cancel(VehicleGone())
            elif request.helper in gone:
                request.cancel(HelperLost())
        self._vehicles.leave(gone)

    # --- what others see -------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Record the pools once more at the end of the run, if keys were drawn after the sample of this instant."""
        if self._draws != self._sampled_draws:
            self._sample()

    def sample(self, frame: MobilityFrame) -> None:  # noqa: ARG002 - the hook's signature
        """Record the pools of links and vehicles.

        Expired bits are dropped first, whether or not the facts are kept: a watched run and an unwatched one agree.
        """
        self._sample()

    def _sample(self) -> None:
        self._sampled_draws = self._draws
        self._network.sample()
        self._vehicles.sample(len(self._queue.waiting))

    def view(self, vehicles: IntArray) -> KeyNetworkView:
        """Return a view of the links, and of the pools of these vehicles, (T,)."""
        return KeyNetworkView(self._network, self._vehicles, vehicles)

    def turned(self, action: Action) -> None:
        """Set the detector efficiencies that the action holds, if any; see `KeyNetwork.turn_detector`."""
        if action.detector is not None:
            self._network.turn_detector(np.asarray(action.detector, float))

    # --- giving ----------------------------------------------------------------------------------------------------

    def _ask(
        self, vehicle: int, helper: int, site: int, size_bit: float, priority: float, deadline_s: float
    ) -> GrantedKey | QueuedKeyRequest | None:
        now, bit, queue = self._clock.now, self._lifetime.cost_bit(size_bit), self._queue
        if not bit:
            return None
        # Nobody to compare with in an empty queue: most keys are granted without a rank.
        rank = None
        if queue.waiting:
            rank = (-priority if self._by_priority else 0.0, next(self._clock.numbers))
        hops = self._draw(vehicle, helper, site, size_bit, bit, rank)
        if hops is not None:
            return _key(GrantedKey, (now, now, bit, hops))
        request = QueuedKeyRequest(vehicle, helper, site, size_bit, bit, now)
        request.rank = rank or (-priority if self._by_priority else 0.0, next(self._clock.numbers))
        limit_s = min(deadline_s, now + self._patience_s)
        if limit_s <= now or self._never(request):
            if self._downgrades:
                request.ready = True
                return request
            self._clock.at(now, partial(self._give_up, request))
        else:
            self._note_shortage(request)
            self._clock.at(limit_s, partial(self._on_patience_over, request))
        queue.add(request)
        return request

    def _draw(self, vehicle: int, helper: int, site: int, size_bit: float, bit: int, rank: Rank | None) -> int | None:
        """Take the bits from the vehicles and from every hop, and return the number of hops; or take nothing, and None.

        Nothing is taken if a request of smaller rank than `rank` waits for one of the pools; rank None: nobody waits.
        """
        now, pools, queue = self._clock.now, self._pools, self._queue
        first, peer = vehicle, site
        pool = pools[vehicle]
        if not pool.can_give(bit, now):
            return None
        end = site
        if helper != NOWHERE:
            if not pools[helper].can_give(bit, now):
                return None
            end = pools[helper].home
            first, peer = _pair(vehicle, helper)
        if rank is not None and (
            queue.prior_claim_on_vehicle(vehicle, rank) or queue.prior_claim_on_vehicle(helper, rank)
        ):
            return None
        hops = 0
        if pool.home != end:
            route = self._network.route(pool.home, end, bit)
            if route is None or (
                rank is not None and any(queue.prior_claim_on_link(link, rank) for link in route.links)
            ):
                return None
            self._network.take(route, bit)
            hops = route.hops
        self._vehicles.draw(vehicle, bit)
        if helper != NOWHERE:
            self._vehicles.draw(helper, bit)
        self._lifetime.begin(pools[first], peer, size_bit, bit, now)
        self._draws += 1
        return hops

    def _never(self, request: QueuedKeyRequest) -> bool:
        """Return whether some pool that the request needs can never hold as much."""
        bit = request.wanted_bit
        if bit > self._vehicles.capacity_bit:
            return True
        start, end = self._ends(request)
        return start != end and bit > self._link_capacity_bit

    def _ends(self, request: QueuedKeyRequest) -> tuple[int, int]:
        """Return the nodes between which the key is relayed."""
        pools = self._pools
        return pools[request.vehicle].home, request.site if request.helper == NOWHERE else pools[request.helper].home

    # --- waiting ---------------------------------------------------------------------------------------------------

    def _note_shortage(self, request: QueuedKeyRequest) -> None:
        """Note the pools on which a request is blocked, and have its vehicles ask for the key that they lack.

        It waits on the route that it would take, and does not look for one around the requests that wait there.
        """
        queue, bit, now = self._queue, request.wanted_bit, self._clock.now
        for vehicle in (request.vehicle, request.helper):
            if vehicle == NOWHERE:
                continue
            able = self._vehicles.pool[vehicle].can_give(bit, now)
            if not able:
                self._vehicles.want(vehicle)
            if not able or queue.prior_claim_on_vehicle(vehicle, request.rank):
                queue.block_on_vehicle(request, vehicle)
        start, end = self._ends(request)
        route = self._network.route(start, end, bit) or self._network.best(start, end)
        for link, pool in zip(route.links, route.pools, strict=True):
            if not pool.can_give(bit, now) or queue.prior_claim_on_link(link, request.rank):
                queue.block_on_link(request, link)

    def _slot(self, _: int) -> None:
        """Fill the vehicles with the key of a slot, then serve the requests that wait, in their order."""
        self._vehicles.fill()
        queue, now = self._queue, self._clock.now
        if not queue.waiting:
            return
        queue.forget()
        ready: list[QueuedKeyRequest] = []
        for request in queue.in_order():
            if self._served_by_session(request) or self._drawn(request):
                request.keyed_s = now
                ready.append(request)
            else:
                self._note_shortage(request)
        for request in ready:
            queue.remove(request)
        # All have left the queue before the first is resumed: its process may ask for a key at this very instant.
        for request in ready:
            if request.error is None:  # else cancelled by the process of one before it
                request.resume(request)

    def _drawn(self, request: QueuedKeyRequest) -> bool:
        """Draw the key of a request that waits; return whether it was there."""
        wanted = (request.vehicle, request.helper, request.site, request.size_bit, request.wanted_bit)
        hops = self._draw(*wanted, request.rank)
        if hops is None:
            return False
        request.bit, request.hops = request.wanted_bit, hops
        return True

    def _served_by_session(self, request: QueuedKeyRequest) -> bool:
        """Send a request under a session that has begun meanwhile; return whether there is one."""
        first, peer = request.vehicle, request.site
        if request.helper != NOWHERE:
            first, peer = _pair(request.vehicle, request.helper)
        return self._pools[first].use_session(peer, request.size_bit, self._clock.now)

    def _on_patience_over(self, request: QueuedKeyRequest) -> None:
        """End the wait of a request, after a slot that ends at this very instant and may still bring the key."""
        if request.withdraw is not None:
            self._clock.at(self._clock.now, partial(self._give_up, request))

    def _give_up(self, request: QueuedKeyRequest) -> None:
        if request.withdraw is None:
            return
        if not self._downgrades:
            request.cancel(KeyUnavailable())
            return
        self._queue.remove(request)
        request.resume(request)


def _pair(vehicle: int, helper: int) -> tuple[int, int]:
    """Return the parties of a session for both directions; the peer below zero, so that it is no site's number."""
    return min(vehicle, helper), ~max(vehicle, helper)
