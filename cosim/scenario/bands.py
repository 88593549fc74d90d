"""The bands of a scenario's radio, each with the noise of its receivers and its link adaptation."""

from dataclasses import dataclass
from typing import assert_never

from cosim.adaptation.curve import AttenuatedCurve, LinkCurve, ShannonCurve
from cosim.adaptation.mcs import Numerology, numerology
from cosim.scenario.radio import AttenuatedLink, McsLink, Radio, ShannonLink, Sidelink
from cosim.units import db_to_linear

_NR_KHZ = 30
_INFINITE = float("inf")


@dataclass(frozen=True, slots=True)
class AirBand:
    """The band of one medium: uplink, downlink or sidelink."""

    band_hz: float
    """Nominal width, over which spectral efficiencies are."""
    occupied_hz: float
    """Width without guard bands, over which power and noise are."""
    noise_figure_db: float
    """Of the receivers."""
    noise_dbm: float | None
    """Total noise power where the scenario sets it."""
    curve: LinkCurve
    """Link adaptation."""


def uplink_band(radio: Radio) -> AirBand:
    """Return the band from vehicles to sites.

    >>> uplink_band(Radio()).curve.efficiency(1.0)
    1.0
    """
    return _band(radio, radio.bandwidth_hz, radio.noise_figure_db, uplink=True)


def downlink_band(radio: Radio) -> AirBand:
    """Return the band from sites to vehicles."""
    return _band(radio, radio.downlink_bandwidth_hz or radio.bandwidth_hz, _vehicle_db(radio), uplink=False)


def sidelink_band(radio: Radio, sidelink: Sidelink) -> AirBand:
    """Return the band between vehicles, with the link adaptation of an uplink: a vehicle's transmitter sends."""
    return _band(radio, sidelink.bandwidth_hz, _vehicle_db(radio), uplink=True)


def channels(link: McsLink) -> Numerology:
    """Return the channels of a link with modulation and coding in steps."""
    return numerology(link.standard, link.subcarrier_khz or (_NR_KHZ if link.standard == "nr" else 15))


def _vehicle_db(radio: Radio) -> float:
    return radio.noise_figure_db if radio.vehicle_noise_figure_db is None else radio.vehicle_noise_figure_db


def _band(radio: Radio, band_hz: float, noise_figure_db: float, *, uplink: bool) -> AirBand:
    occupied_hz = band_hz
    curve: LinkCurve
    match radio.link:
        case ShannonLink():
            curve = ShannonCurve(radio.max_efficiency_bps_hz or _INFINITE)
        case AttenuatedLink() as link:
            alpha, most_bps_hz = (
                (link.uplink_alpha, link.uplink_max_bps_hz)
                if uplink
                else (link.downlink_alpha, link.downlink_max_bps_hz)
            )
            curve = AttenuatedCurve(alpha, most_bps_hz, db_to_linear(link.min_sinr_db))
        case McsLink() as link:
            frame = channels(link)
            occupied_hz = band_hz * frame.occupied_share(band_hz)
            curve = frame.curve(band_hz, link.bit_error_rate, link.packet_byte, uplink=uplink)
        case _:
            assert_never(radio.link)
    return AirBand(band_hz, occupied_hz, noise_figure_db, radio.noise_dbm, curve)
