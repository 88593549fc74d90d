"""Modulation and coding of NR with 256QAM: what one transport block carries at each CQI (3GPP TS 38.214).

A CQI has the modulation and coding scheme of its modulation with the closest code rate (TS 38.214 clause 5.2.2.1): the
same one for CQI 2 to 15, and for CQI 1, whose code rate is below all schemes, the lowest. Overhead: of the 14 symbols
of a slot 2 are control in the downlink (PDCCH) and none in the uplink, and 2 are demodulation reference signals, as a
moving user needs (one front-loaded, one additional, without data beside them: 24 resource elements of a block). No
further overhead (xOverhead 0). One block goes over the whole band each slot, in one spatial layer.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping
from fractions import Fraction
from typing import Final

CQI_BPS_HZ: Final = (
    0.1523, 0.3770, 0.8770, 1.4766, 1.9141, 2.4063, 2.7305, 3.3223, 3.9023, 4.5234, 5.1152, 5.5547, 6.2266, 6.9141,
    7.4063,
)  # fmt: skip
"""Efficiency of CQI 1 to 15 in bit per resource element, TS 38.214 Table 5.2.2.1-3."""
CQI_SCHEME: Final = (
    (2, 78), (2, 193), (2, 449), (4, 378), (4, 490), (4, 616), (6, 466), (6, 567), (6, 666), (6, 772), (6, 873),
    (8, 711), (8, 797), (8, 885), (8, 948),
)  # fmt: skip
"""Bits of a symbol and code rate x 1024 of CQI 1 to 15, TS 38.214 Table 5.2.2.1-3."""
MCS_SCHEME: Final = (
    (2, 120), (2, 193), (2, 308), (2, 449), (2, 602), (4, 378), (4, 434), (4, 490), (4, 553), (4, 616), (4, 658),
    (6, 466), (6, 517), (6, 567), (6, 616), (6, 666), (6, 719), (6, 772), (6, 822), (6, 873), (8, 682.5), (8, 711),
    (8, 754), (8, 797), (8, 841), (8, 885), (8, 916.5), (8, 948),
)  # fmt: skip
"""Bits of a symbol and code rate x 1024 of MCS 0 to 27, TS 38.214 Table 5.1.3.1-2."""
BLOCKS: Final[Mapping[int, Mapping[float, int]]] = {
    15: {
        5e6: 25, 10e6: 52, 15e6: 79, 20e6: 106, 25e6: 133, 30e6: 160, 35e6: 188, 40e6: 216, 45e6: 242, 50e6: 270,
    },
    30: {
        5e6: 11, 10e6: 24, 15e6: 38, 20e6: 51, 25e6: 65, 30e6: 78, 35e6: 92, 40e6: 106, 45e6: 119, 50e6: 133, 60e6: 162,
        70e6: 189, 80e6: 217, 90e6: 245, 100e6: 273,
    },
    60: {
        10e6: 11, 15e6: 18, 20e6: 24, 25e6: 31, 30e6: 38, 35e6: 44, 40e6: 51, 45e6: 58, 50e6: 65, 60e6: 79, 70e6: 93,
        80e6: 107, 90e6: 121, 100e6: 135,
    },
}  # fmt: skip
"""Resource blocks by the channel's width in Hz, for each subcarrier spacing in kHz: TS 38.101-1 Table 5.3.2-1."""
SMALL_TBS_BIT: Final = (
    24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128, 136, 144, 152, 160, 168, 176, 184, 192, 208, 224, 240,
    256, 272, 288, 304, 320, 336, 352, 368, 384, 408, 432, 456, 480, 504, 528, 552, 576, 608, 640, 672, 704, 736, 768,
    808, 848, 888, 928, 984, 1032, 1064, 1128, 1160, 1192, 1224, 1256, 1288, 1320, 1352, 1416, 1480, 1544, 1608, 1672,
    1736, 1800, 1864, 1928, 2024, 2088, 2152, 2216, 2280, 2408, 2472, 2536, 2600, 2664, 2728, 2792, 2856, 2976, 3104,
    3240, 3368, 3496, 3624, 3752, 3824,
)  # fmt: skip
"""Sizes of small transport blocks, TS 38.214 Table 5.1.3.2-1."""
SUBCARRIERS: Final = 12
SLOTS_PER_S_AT_15_KHZ: Final = 1000.0
"""Slots a second at 15 kHz; they shorten as the spacing grows (TS 38.211 Table 4.3.2-1)."""
UPLINK_ELEMENTS: Final = SUBCARRIERS * 14 - 24
DOWNLINK_ELEMENTS: Final = SUBCARRIERS * 12 - 24
"""Resource elements for data in a block and slot."""
_MOST_ELEMENTS: Final = 156
HEADER_BYTE: Final = 28 + 2 + 1 + 3
"""Headers of a packet: IPv4 and UDP 28 (RFC 791, 768), PDCP 2 (12-bit numbers, TS 38.323 clause 6.2.2.2), RLC UM 1 (a
whole packet, TS 38.322 clause 6.2.2.3) and a MAC subheader of 3 (TS 38.321 clause 6.1.2)."""


def scheme(cqi: int) -> tuple[int, Fraction]:
    """Return bits of a symbol and code rate of the MCS that a CQI has.

    >>> scheme(15)[0], float(scheme(15)[1]) * 1024
    (8, 948.0)

    Args:
        cqi: 1 to 15.
    """
    order, wanted = CQI_SCHEME[cqi - 1]
    rate = min((rate for bits, rate in MCS_SCHEME if bits == order), key=lambda rate: abs(rate - wanted))
    return order, Fraction(rate) / 1024


def transport_block_bit(blocks: int, elements: int, order: int, rate: Fraction) -> int:
    """Return the bits of a transport block in one layer, TS 38.214 clause 5.1.3.2.

    >>> transport_block_bit(51, 144, 8, Fraction(948, 1024))
    54296

    Args:
        blocks: resource blocks.
        elements: resource elements for data in each of them; no more than 156 count.
        order: bits of a symbol.
        rate: code rate, 0 to 1.
    """
    information = min(_MOST_ELEMENTS, elements) * blocks * rate * order
    if information <= SMALL_TBS_BIT[-1]:
        step = 2 ** max(3, math.floor(math.log2(information)) - 6)
        rounded = max(SMALL_TBS_BIT[0], step * math.floor(information / step))
        return SMALL_TBS_BIT[bisect_left(SMALL_TBS_BIT, rounded)]
    step = 2 ** (math.floor(math.log2(information - 24)) - 5)
    rounded = max(3840, step * math.floor((information - 24) / step + Fraction(1, 2)))
    if rate <= Fraction(1, 4):
        codes = math.ceil(Fraction(rounded + 24, 3816))
    else:
        codes = math.ceil(Fraction(rounded + 24, 8424)) if rounded > 8424 else 1
    return 8 * codes * math.ceil(Fraction(rounded + 24, 8 * codes)) - 24


def nr_block_bit(cqi: int, blocks: int, *, uplink: bool) -> int:
    """Return the bits of a transport block at a CQI.

    Args:
        cqi: 1 to 15.
        blocks: resource blocks.
        uplink: direction.
    """
    return transport_block_bit(blocks, UPLINK_ELEMENTS if uplink else DOWNLINK_ELEMENTS, *scheme(cqi))
