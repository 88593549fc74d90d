"""The state of the world as the digital twin believes it: its last synchronised state, or that state extrapolated.

S1 section III-E and figure 9: without a forecast decisions rest on the last synchronised state, with one on the state
expected now. What the twin does not know, a policy does not see.
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
    """The state of the world that is expected now, from the last synchronised states.

    Args:
        forecaster: has observed every state that the mirror has.
        links: forecast of links by the scenario's radio.
    """

    def __init__(self, forecaster: MotionForecaster, links: LinkForecast) -> None:
        self._forecaster = forecaster
        self._links = links

    def links(self, now_s: float, known: Snapshot) -> tuple[FloatArray, Links]:
        """Return forecast positions (V, 2) and the links there; without a position, the links as measured."""
        then = _as_measured(known)
        xy_m = self._forecaster.at(now_s, known.numbers).xy_m
        placed = np.flatnonzero(~np.isnan(known.xy_m[:, 0] + xy_m[:, 0]))
        if len(placed) == len(known):
            return xy_m, self._links.ahead(then, known.xy_m, xy_m)
        ahead = self._links.ahead(then.pick(placed), known.xy_m[placed], xy_m[placed])
        return xy_m, then.replaced(placed, ahead)

    def waits_s(self, now_s: float, sites: SiteState) -> FloatArray:
        """Return the waits (nodes,) in s as far as they have been worked off: a second less each second, at least 0.

        Work that has arrived since is not known here, so that a busy host looks better than it is.
        """
        return queue_ahead(sites.wait_s, np.zeros(1), np.ones(1), now_s - sites.generated_s)


class Belief:
    """The twin as a source of observations.

    Without an outlook: every vehicle's links as it measured them at its last synchronisation, with the candidate sites,
    their order and the serving site of then, and every queue as its site reported it last. With one: what is expected
    of both by now. Speeds and cell loads stay as reported: the twin knows of no trend in them. A vehicle that was off
    the road at its last synchronisation has no coverage. A cell with NOMA is described by one share, like the other
    accesses, although a rate there depends on the other senders.

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
        """Return the believed waits and speeds."""
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
        """Return the rates with the whole cell times the shares last reported, which are not extrapolated.

        Args:
            cells: site numbers, of any shape.
            snr: without effect: it is contained in `alone_bps`.
            alone_bps: rates with the whole cell, in bit/s.
            direction: uplink or downlink.
        """
        sites = self._mirror.sites
        share = sites.up_share if direction == Direction.UPLINK else sites.down_share
        rate_bps: FloatArray = alone_bps * share[cells]
        return rate_bps


def believed(mirror: Mirror, radio: Radio, site_xy_m: FloatArray, forecaster: MotionForecaster | None) -> Belief:
    """Return the source for `decisions.observation`: mirror without a forecaster, forecast with one.

    Args:
        mirror: the twin's state.
        radio: section `radio` of the scenario.
        site_xy_m: (S, 2) positions of the sites.
        forecaster: has observed every state that the mirror has; None: the plain mirror.
    """
    outlook = None if forecaster is None else Outlook(forecaster, LinkForecast(radio, site_xy_m))
    return Belief(mirror, outlook)


def _as_measured(known: Snapshot) -> Links:
    slot = (known.sites == known.serving[:, None]).argmax(axis=1)
    return Links(known.sites, known.snr_per_w, known.clean_snr_per_w, known.down_snr, known.serving, slot)
