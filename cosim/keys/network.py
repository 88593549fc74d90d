"""The QKD network in simulated time (paper S3): links make key in slots, release it in blocks, are cut and abort.

The pool of a link stands for the equal stores at its two ends. Trusted nodes relay b bits by using b bits of every hop.
Classical messages of the key service take no time and cost no key for their authentication: both are left out.
"""

from functools import partial
from math import inf
from operator import attrgetter

import numpy as np

from cosim.kernel.clock import LAST, NORMAL, Clock
from cosim.kernel.rng import stream_key
from cosim.keys.attacks import plan_attacks
from cosim.keys.layout import KeyLayout
from cosim.keys.pool import KeyPool
from cosim.keys.rates.slots import SlotRates
from cosim.keys.routes import Route, Routes
from cosim.ledger.log import RecordLog
from cosim.scenario.keys import Keys
from cosim.trace.facts.keys import (
    DetectorTurned,
    KeyBlockDistilled,
    KeyLinkChanged,
    KeyLinkDeployed,
    KeyNodeDeployed,
    KeyPoolSampled,
)
from cosim.trace.store.writer import FactWriter
from cosim.types import FloatArray, IntArray, LinkState

UP, ABORTED, CUT = LinkState.UP, LinkState.ABORTED, LinkState.CUT
_LEAST_DETECTOR = 1e-6
_LEVEL = attrgetter("stored_bit")


class KeyNetwork:
    """All QKD links with their pools, and the routes over them."""

    def __init__(
        self,
        clock: Clock,
        plan: Keys,
        layout: KeyLayout,
        seed: int,
        facts: FactWriter,
        log: RecordLog | None = None,
    ) -> None:
        """Record the deployed nodes and links, and start the slots.

        Slot n covers ((n-1) slot_s, n slot_s] and is worked off at its end: NORMAL, so that vehicles have moved before
        at that instant, and decisions (LAST) see the new key. Cuts and pauses begin and end after that (LAST): a block
        that is complete at the instant of a cut is kept.

        Args:
            clock: simulated time.
            plan: the scenario's `keys`.
            layout: nodes and links.
            seed: the run's; links draw their temperature and noise from its stream "key environment".
            facts: where blocks, state changes and samples are recorded.
            log: where key blocks are written into the ledger, if there is one.

        Raises:
            InputError: an attack names a link that the layout does not have.
        """
        self._clock = clock
        self._plan = plan
        self.layout = layout
        count = len(layout.links)
        pool = plan.pool
        self.pools = [KeyPool(pool.capacity_bit, pool.low_water_bit, pool.expiry_s) for _ in range(count)]
        for link_pool in self.pools:
            link_pool.store(pool.initial_bit, 0.0)
        self._ages_s = inf if pool.expiry_s is None else pool.expiry_s
        self._expires_s = self._ages_s
        """No bit of a link expires before that."""
        self.state = [UP] * count
        self._up = np.ones(count, np.bool_)
        self._routes = Routes(layout, self.pools, lambda link: self.state[link] == UP)
        self._near = [[self.pools[link] for link in self._routes.near(node)] for node in range(len(layout.names))]
        length_km = np.array([fibre.length_km for fibre in layout.links], float)
        self._rates = SlotRates(plan, length_km, stream_key(seed, "key environment"))
        self.detector = np.full(count, plan.rate.detector_efficiency)
        """Detector efficiency that is set on each link, (L,)."""
        self.key_bps = np.zeros(count)
        """Secret key rate of each link in the last slot, (L,); 0 while a link is down."""
        self.qber = np.full(count, np.nan)
        """Quantum bit error rate of each link in the last slot, (L,); NaN without a signal."""
        self._up_from_s = np.zeros(count)
        self._abort_until_s = np.zeros(count)
        self._cuts = [0] * count
        self._secret_bit = np.zeros(count)
        self._sifted_bit = np.zeros(count)
        self._wrong_bit = np.zeros(count)
        self._attacks = plan_attacks(plan.attacks, layout)
        self._log = log
        self._block_distilled = facts.batch(KeyBlockDistilled)
        self._link_changed = facts.recorder(KeyLinkChanged)
        self._pool_sampled = facts.batch(KeyPoolSampled)
        self._detector_turned = facts.batch(DetectorTurned)
        self._deploy(facts)
        for cut in self._attacks.cuts:
            clock.at(cut.start_s, partial(self._cut, cut.link, 1), LAST)
            clock.at(cut.end_s, partial(self._cut, cut.link, -1), LAST)
        clock.every(plan.slot_s, self._slot, first=1, priority=NORMAL)

    def _deploy(self, facts: FactWriter) -> None:
        node_deployed, link_deployed = facts.recorder(KeyNodeDeployed), facts.recorder(KeyLinkDeployed)
        pool = self._plan.pool
        for node, (name, (x_m, y_m)) in enumerate(zip(self.layout.names, self.layout.xy_m.tolist(), strict=True)):
            node_deployed(0.0, node, name, x_m, y_m)
        for link, fibre in enumerate(self.layout.links):
            link_deployed(0.0, link, fibre.start, fibre.end, fibre.length_km, pool.capacity_bit, pool.initial_bit)

    # --- what transfers and vehicles use ---------------------------------------------------------------------------

    def route(self, start: int, end: int, bit: int) -> Route | None:
        """Return the best route whose pools can all give `bit` bits now, or None; see `Routes.route`.

        Args:
            start: node.
            end: node; `start` itself gives a route without hops.
            bit: key bits taken from the pool of each hop.
        """
        return self._routes.route(start, end, bit, self._clock.now)

    def best(self, start: int, end: int) -> Route:
        """Return the route that a key would take if no pool were short."""
        return self._routes.best(start, end)

    def take(self, route: Route, bit: int) -> bool:
        """Take `bit` bits from the pool of every hop and return True; take nothing and return False if one is short."""
        now, pools = self._clock.now, route.pools
        for pool in pools:
            if not pool.can_give(bit, now):
                return False
        for pool in pools:
            pool.take(bit, now)
        return True

    def give(self, node: int, bit: int) -> int:
        """Take up to `bit` bits from the links of a node, and return how many could be taken.

        The fullest pool gives first, ties go to the lower link number, and no pool is drawn below its low-water mark.
        """
        now = self._clock.now
        given = 0
        for pool in sorted(self._near[node], key=_LEVEL, reverse=True):
            if given == bit:
                break
            spare = min(bit - given, pool.stored_bit - pool.low_water_bit)
            if spare > 0 and pool.take(spare, now):
                given += spare
        return given

    def set_detector(self, efficiency: FloatArray) -> None:
        """Set the detector efficiencies, one value or (L,), clipped to (0, 1], from the running slot on.

        A NaN leaves its detector as it is.
        """
        wanted = np.broadcast_to(np.asarray(efficiency, float), self.detector.shape)
        wanted = np.where(np.isnan(wanted), self.detector, wanted)
        self.detector = np.clip(wanted, _LEAST_DETECTOR, 1.0)

    def turn_detector(self, efficiency: FloatArray) -> None:
        """Set the detector efficiencies as `set_detector`, by the decision of a policy, which is a fact."""
        self.set_detector(efficiency)
        if len(self.pools):
            links = np.arange(len(self.pools))
            self._detector_turned(time_s=self._clock.now, link=links, detector=self.detector)

    def stored_bit(self) -> IntArray:
        """Return the level of each link's pool now, (L,)."""
        self._expire()
        return np.array([pool.stored_bit for pool in self.pools], np.int64)

    def sample(self) -> None:
        """Record the levels and totals of all pools, with the rates of the last slot."""
        if not self.pools:
            return
        self._expire()
        totals = {
            name: np.array([getattr(pool, name) for pool in self.pools], np.int64)
            for name in ("stored_bit", "generated_bit", "used_bit", "lost_bit")
        }
        self._pool_sampled(
            time_s=self._clock.now,
            link=np.arange(len(self.pools)),
            **totals,
            key_bps=self.key_bps,
            qber=self.qber,
            detector=self.detector,
        )

    def _expire(self) -> None:
        now = self._clock.now
        if self._expires_s > now:
            return
        for pool in self.pools:
            pool.expire(now)
        self._expires_s = min(pool.first_s for pool in self.pools)

    # --- what time does --------------------------------------------------------------------------------------------

    def _slot(self, number: int) -> None:
        """Add up the key that each link made in the slot that ends, and release it at the end of a block."""
        plan, now = self._plan, self._clock.now
        if not self.pools:
            return
        self._expire()
        start_s = (number - 1) * plan.slot_s
        intercepted = self._attacks.intercepted(len(self.pools), start_s, now)
        rates = self._rates.at(number - 1, self.detector, intercepted)
        up_s = np.where(self._up, np.minimum(now - self._up_from_s, plan.slot_s), 0.0)
        # A link that came up within the slot counts only from then on.
        self.key_bps = rates.key_bps * (up_s / plan.slot_s)
        self.qber = np.where((up_s > 0.0) & (rates.sifted_bps > 0.0), rates.qber, np.nan)
        self._secret_bit += rates.key_bps * up_s
        sifted_bit = rates.sifted_bps * up_s
        self._sifted_bit += sifted_bit
        self._wrong_bit += np.where(sifted_bit > 0.0, rates.qber, 0.0) * sifted_bit
        if number % plan.block_slots == 0:
            self._distil()

    def _distil(self) -> None:
        """Release the blocks of the links that are up, or throw them away; fractions of a bit wait for the next block.

        A block's error rate is the mean over its sifted bits.
        """
        now, plan = self._clock.now, self._plan
        links = np.flatnonzero(self._up)
        if not len(links):
            return
        whole = np.floor(self._secret_bit[links]).astype(np.int64)
        self._secret_bit[links] -= whole
        qber = np.full(len(links), np.nan)
        np.divide(self._wrong_bit[links], self._sifted_bit[links], out=qber, where=self._sifted_bit[links] > 0.0)
        self._sifted_bit[links] = self._wrong_bit[links] = 0.0
        aborted = qber > plan.abort_qber
        stored = [
            self._throw_away(link, bit) if bad else self._store(link, bit)
            for link, bit, bad in zip(links.tolist(), whole.tolist(), aborted.tolist(), strict=True)
        ]
        self._tell_blocks(links, whole, np.array(stored, np.int64), qber)
        for link in links[aborted].tolist():
            self._abort_until_s[link] = now + plan.abort_pause_s
            self._settle(link)
            self._clock.at(now + plan.abort_pause_s, partial(self._settle, link), LAST)

    def _store(self, link: int, bit: int) -> int:
        """Store the bits of a block, and return how many there was room for."""
        pool, now = self.pools[link], self._clock.now
        before_bit = pool.stored_bit
        stored_bit = pool.store(bit, now)
        if stored_bit:
            self._routes.filled(link, before_bit)
            self._expires_s = min(self._expires_s, now + self._ages_s)
        return stored_bit

    def _tell_blocks(self, links: IntArray, bit: IntArray, stored_bit: IntArray, qber: FloatArray) -> None:
        """Record blocks as facts, and in the ledger by the sites at their ends."""
        now = self._clock.now
        self._block_distilled(time_s=now, link=links, bit=bit, stored_bit=stored_bit, qber=qber)
        if self._log is not None:
            for link, made_bit, wrong in zip(links.tolist(), bit.tolist(), qber.tolist(), strict=True):
                self._log.key_block(self.layout.recorder(link), now, link, made_bit, wrong)

    def _throw_away(self, link: int, bit: int) -> int:
        """Throw away the unfinished block of a link with its fraction of a bit; return 0, the bits that are stored."""
        self.pools[link].discard(bit)
        self._secret_bit[link] = self._sifted_bit[link] = self._wrong_bit[link] = 0.0
        return 0

    def _cut(self, link: int, more: int) -> None:
        """Count one cut more (`more` = 1) or less (-1) on a link; cuts may overlap."""
        self._cuts[link] += more
        bit = int(self._secret_bit[link])
        if more > 0 and self._sifted_bit[link] > 0.0:
            qber = self._wrong_bit[[link]] / self._sifted_bit[[link]]
            self._throw_away(link, bit)
            self._tell_blocks(np.array([link]), np.array([bit]), np.zeros(1, np.int64), qber)
        self._settle(link)

    def _settle(self, link: int) -> None:
        """Work out the state that a link is in now, and record a change."""
        now = self._clock.now
        broken = self._cuts[link] > 0
        state = CUT if broken else ABORTED if self._abort_until_s[link] > now else UP
        if state == self.state[link]:
            return
        if state == UP:
            self._up_from_s[link] = now
        self.state[link] = state
        self._up[link] = state == UP
        self._routes.changed(link)
        self._link_changed(now, link, state)
