"""Modulation and coding in steps: the curve of a band after the tables of LTE or NR, and what of the band is occupied.

Derived, not fitted. A CQI is chosen where its efficiency is below log2(1 + SINR / Gamma), with the signal-to-noise gap
Gamma = -ln(5 BER) / 1.5 of M-QAM (Qiu and Chawla, IEEE Trans. Commun. 47(6), 1999; used for LTE by Piro et al.,
European Wireless 2010). Its transport block is sent once in each subframe or slot; of its bits the part
payload / (payload + headers) is user data. Left out: retransmissions, further layers (MIMO), resource blocks and
symbols that a cell gives to random access, broadcast and uplink control, and that a block over a part of the band
carries not exactly that part.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from cosim.adaptation import lte, nr
from cosim.adaptation.curve import SteppedCurve

Standard: TypeAlias = Literal["lte", "nr"]
_LTE_KHZ: Final = 15


@dataclass(frozen=True, slots=True)
class Numerology:
    """The frame of a standard at one subcarrier spacing: its channels, and what their transport blocks carry."""

    channels: Mapping[float, int]
    """Resource blocks by the width of the channel in Hz."""
    block_hz: float
    """Width of a resource block."""
    blocks_per_s: float
    """Transport blocks a second."""
    cqi_bps_hz: tuple[float, ...]
    """Efficiency of CQI 1, 2, ..."""
    block_bit: Callable[..., int]
    """Bits of a transport block by CQI, resource blocks and direction."""
    header_byte: int
    """Headers of a packet."""

    def channel_hz(self, band_hz: float) -> float:
        """Return the width of the widest channel that a band has room for; the narrowest one if it has for none."""
        return max((width for width in self.channels if width <= band_hz), default=min(self.channels))

    def occupied_share(self, band_hz: float) -> float:
        """Return the share of a band that is no guard band: that of `channel_hz`."""
        width_hz = self.channel_hz(band_hz)
        return self.channels[width_hz] * self.block_hz / width_hz

    def curve(self, band_hz: float, bit_error_rate: float, packet_byte: int, *, uplink: bool) -> SteppedCurve:
        """Return user data in bit/s per hertz of a band: as much as in its `channel_hz`.

        Args:
            band_hz: the nominal band.
            bit_error_rate: as in `snr_gap`.
            packet_byte: payload of a packet.
            uplink: direction.
        """
        width_hz = self.channel_hz(band_hz)
        payload = packet_byte / (packet_byte + self.header_byte)
        gap, count = snr_gap(bit_error_rate), self.channels[width_hz]
        return SteppedCurve(
            [gap * (2.0**efficiency - 1.0) for efficiency in self.cqi_bps_hz],
            [
                self.block_bit(cqi, count, uplink=uplink) * self.blocks_per_s / width_hz * payload
                for cqi in range(1, len(self.cqi_bps_hz) + 1)
            ],
        )


def numerology(standard: Standard, subcarrier_khz: int) -> Numerology:
    """Return the frame of a standard.

    >>> numerology("lte", 15).occupied_share(20e6), numerology("nr", 30).channel_hz(23e6)
    (0.9, 20000000.0)

    Args:
        standard: LTE or NR.
        subcarrier_khz: subcarrier spacing: 15 in LTE; 15, 30 or 60 in NR below 7 GHz.
    """
    if standard == "lte":
        return Numerology(
            lte.BLOCKS, lte.BLOCK_HZ, lte.BLOCKS_PER_S, lte.CQI_BPS_HZ, lte.lte_block_bit, lte.HEADER_BYTE
        )
    return Numerology(
        nr.BLOCKS[subcarrier_khz],
        nr.SUBCARRIERS * subcarrier_khz * 1e3,
        nr.SLOTS_PER_S_AT_15_KHZ * subcarrier_khz / _LTE_KHZ,
        nr.CQI_BPS_HZ,
        nr.nr_block_bit,
        nr.HEADER_BYTE,
    )


def snr_gap(bit_error_rate: float) -> float:
    """Return Gamma = -ln(5 BER) / 1.5: how many times the SNR of Shannon's bound M-QAM needs for its efficiency.

    >>> round(snr_gap(5e-5), 3)
    5.529

    Args:
        bit_error_rate: before retransmission; at most 0.01, up to which the formula is an approximation.
    """
    return -math.log(5.0 * bit_error_rate) / 1.5
