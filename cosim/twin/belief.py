"""What the digital twin believes of the world when a policy is asked: its last synchronised state, or that state aged.

S1 section III-E and figure 9: without a forecast decisions rest on the last synchronised state, with one on what is
expected of it now. Whatever the twin does not have, a policy does not see.
"""

import numpy as np

from cosim.radio.survey import Air
from cosim.scenario.radio import Radio
from cosim.state import HostLoad
from cosim.twin.belief_radio import LinkForecast, Links
from cosim.twin.demand import queue_ahead
from cosim.twin.forecast import MotionForecaster
from cosim.twin.mirror import Mirror, SiteState, Snapshot
from cosim.types import Direction, FloatArray, IntArray


class Outlook:
    """The world as it is expected to be now, from what was last heard.

    Args:
        forecaster: has observed every state that the mirror has.
        links: of the scenario's radio.
    """

    def __init__(self, forecaster: MotionForecaster, links: LinkForecast) -> None:
        self._forecaster = forecaster
        self._links = links

    def links(self, now_s: float, known: Snapshot) -> tuple[FloatArray, Links]:
        """Return forecast places (V, 2) and the links there (`LinkForecast`); as measured for one without a place."""
        then = _as_measured(known)
        xy_m = self._forecaster.at(now_s, known.numbers).xy_m
        placed = np.flatnonzero(~np.isnan(known.xy_m[:, 0] + xy_m[:, 0]))
        if len(placed) == len(known):
            return xy_m, self._links.ahead(then, known.xy_m, xy_m)
        ahead = self._links.ahead(then.pick(placed), known.xy_m[placed], xy_m[placed])
        return xy_m, then.replaced(placed, ahead)

    def waits_s(self, now_s: float, sites: SiteState) -> FloatArray:
        """Return the waits (nodes,) as far as they have been worked off: a second less each second, at least 0.

        Work that has come since is not known here, so that a busy host looks better than it is.
        """
        return queue_ahead(sites.wait_s, np.zeros(1), np.ones(1), now_s - sites.generated_s)


class Belief:
    """The twin as a source of observations.

    Without an outlook: every vehicle's links as it measured them at its last synchronisation, with the candidate sites,
    their order and the serving site of then, and every queue as its site told it last. With one: what is expected
    of both by now. Speeds and cell loads stay as they were told: the twin knows of no trend in them. A vehicle that was
    off the road when it was last heard of hears nothing. A cell with NOMA is described by one share, as the other
    accesses are, although a rate there depends on who else sends.

    Args:
        mirror: the twin's state.
        outlook: for the forecast; None: the plain mirror.
    """

    def __init__(self, mirror: Mirror, outlook: Outlook | None) -> None:
        self._mirror = mirror
        self._outlook = outlook

    def air(self, now_s: float, vehicles: IntArray) -> Air:
        """Return the believed radio conditions, rows for these vehicles only, ascending and each once."""
        known = self._mirror.known(np.unique(vehicles))
        if self._outlook is None:
            xy_m, links = known.xy_m, _as_measured(known)
        else:
            xy_m, links = self._outlook.links(now_s, known)
        return Air(
            numbers=known.numbers,
            row=dict(zip(known.numbers.tolist(), range(len(known)), strict=True)),
            xy_m=xy_m,
            sites=links.sites,
            snr_per_w=links.snr_per_w,
            clean_snr_per_w=links.clean_snr_per_w,
            down_snr=links.down_snr,
            serving=links.serving,
            slot=links.slot,
            changed=np.flatnonzero(links.serving != known.serving),
            before=known.serving,
        )

    def hosts(self, now_s: float) -> HostLoad:
        """Return the believed queues and speeds."""
        sites = self._mirror.sites
        wait_s = sites.wait_s if self._outlook is None else self._outlook.waits_s(now_s, sites)
        return HostLoad(wait_s, sites.speed_hz)

    def one_more_bps(
        self,
        cells: IntArray,
        snr: FloatArray,  # noqa: ARG002 - within the lone rate
        alone_bps: FloatArray,
        direction: Direction,
    ) -> FloatArray:
        """Return the lone rates times the shares last told, which are not aged."""
        sites = self._mirror.sites
        share = sites.up_share if direction == Direction.UPLINK else sites.down_share
        rate_bps: FloatArray = alone_bps * share[cells]
        return rate_bps


def believed(mirror: Mirror, radio: Radio, site_xy_m: FloatArray, forecaster: MotionForecaster | None) -> Belief:
    """Return the source for `decisions.observation`: mirror without a forecaster, forecast with one."""
    outlook = None if forecaster is None else Outlook(forecaster, LinkForecast(radio, site_xy_m))
    return Belief(mirror, outlook)


def _as_measured(known: Snapshot) -> Links:
    slot = (known.sites == known.serving[:, None]).argmax(axis=1)
    return Links(known.sites, known.snr_per_w, known.clean_snr_per_w, known.down_snr, known.serving, slot)
