"""The key network of a run or a scenario as a source of keys: its links fill the pools, only requests empty them.

A scenario's network starts at time 0. A run's starts where the run ended, with the pools as it left them: attacks that
are over do not come again. The draws of the links' environment begin anew.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from cosim.errors import InputError
from cosim.kernel.clock import Clock
from cosim.keys.layout import key_layout
from cosim.keys.network import KeyNetwork
from cosim.mobility.connect import placed_sites
from cosim.roads.siting import PlacedSite
from cosim.scenario.keys import KeyAttack, Keys
from cosim.scenario.load import load
from cosim.scenario.schema import Scenario
from cosim.trace.facts.keys import KeyPoolSampled
from cosim.trace.facts.run import SiteDeployed
from cosim.trace.store.reader import Trace
from cosim.trace.store.writer import NullWriter


class PooledKeys:
    """A `KeySource` over the pools of a simulated key network, by the names of its sites and nodes."""

    def __init__(self, network: KeyNetwork, clock: Clock, plan: Keys) -> None:
        self._network = network
        self.clock = clock
        self.slot_s = plan.slot_s
        self.names = network.layout.names
        self._capacity_bit = plan.pool.capacity_bit
        self._numbers = {name: number for number, name in enumerate(self.names)}

    def take(self, master: str, slaves: Sequence[str], bit: int) -> bool:
        """Take `bit` bits from every link on the route to each slave and return True; or take nothing, False.

        Each route is the best that can give the bits by itself. If two of them share a link that cannot give them twice
        the result is False, even where a longer route would do.

        Args:
            master: site or node of the SAE that asks.
            slaves: sites or nodes of the others.
            bit: key bits.
        """
        start, now_s = self._numbers[master], self.clock.now
        ways = [self._network.route(start, self._numbers[slave], bit) for slave in slaves]
        routes = [way for way in ways if way is not None]
        if len(routes) < len(ways):
            return False
        times = Counter(link for route in routes for link in route.links)
        if not all(self._network.pools[link].can_give(count * bit, now_s) for link, count in times.items()):
            return False
        for route in routes:
            self._network.take(route, bit)
        return True

    def stored_bit(self, master: str, slave: str) -> int:
        """Return the most bits that one route between the two can give now.

        It is the level of some pool, found by bisection over all levels.
        """
        levels_bit = sorted(set(self._network.stored_bit().tolist()))
        start, end = self._numbers[master], self._numbers[slave]
        given = bisect_right(levels_bit, False, key=lambda bit: self._network.route(start, end, bit) is None)
        return int(levels_bit[given - 1]) if given else 0

    def capacity_bit(self, master: str, slave: str) -> int:  # noqa: ARG002 - all pools are alike, and all nodes joined
        """Return the most bits that can ever be stored between the two."""
        return self._capacity_bit


def open_keys(what: str, overrides: Sequence[str]) -> PooledKeys:
    """Return the pools of a run folder, or of a scenario by file or name with overrides.

    Raises:
        InputError: `what` is neither, it has no keys, or its map, sites or attacks cannot be used.
    """
    if not Path(what).is_dir():
        loaded = load(what, overrides)
        scenario = loaded.scenario
        return _pooled(scenario, _plan(scenario, what), placed_sites(scenario, loaded.folder))
    if overrides:
        raise InputError(f"--set {overrides[0]}: {what} is a run, which stays as it was; name a scenario to change it")
    with Trace.open(Path(what)) as trace:
        scenario = trace.scenario
        plan = _plan(scenario, what)
        levels = trace.table(KeyPoolSampled).groupby("link")["stored_bit"].last()
        deployed = trace.table(SiteDeployed).dropna(subset=["x_m"]).sort_values("site")
        past_s = trace.complete_to_s
    sites = tuple(
        PlacedSite(*row) for row in zip(*(deployed[name].tolist() for name in ("name", "x_m", "y_m")), strict=True)
    )
    later = plan.model_copy(update={"attacks": tuple(_later(plan.attacks, past_s))})
    return _pooled(scenario, later, sites, dict(zip(levels.index.tolist(), levels.tolist(), strict=True)))


def _plan(scenario: Scenario, what: str) -> Keys:
    if scenario.keys is None:
        raise InputError(f"{what}: keys: null, so there are no pools to serve; give the scenario a keys section")
    return scenario.keys


def _pooled(
    scenario: Scenario, plan: Keys, sites: tuple[PlacedSite, ...], levels_bit: dict[int, int] | None = None
) -> PooledKeys:
    """Return the pools with these levels by link, or with the scenario's initial ones."""
    clock = Clock()
    layout = key_layout(plan.topology, sites)
    if len(layout.names) < 2:
        raise InputError(f"keys: {layout.names[0]} is the only node; a key needs two, add sites or keys.topology.nodes")
    network = KeyNetwork(clock, plan, layout, scenario.seed, NullWriter())
    for link, level_bit in (levels_bit or {}).items():
        network.pools[link].drop()
        network.pools[link].store(level_bit, clock.now)
    return PooledKeys(network, clock, plan)


def _later(attacks: Sequence[KeyAttack], past_s: float) -> list[KeyAttack]:
    """Return the attacks that are not over, with their times counted from `past_s`."""
    return [
        attack.model_copy(update={"start_s": max(0.0, attack.start_s - past_s), "end_s": attack.end_s - past_s})
        for attack in attacks
        if attack.end_s > past_s
    ]
