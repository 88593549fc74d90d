"""Modulation and coding of LTE: what one transport block carries at each channel quality indicator (3GPP TS 36.213).

A CQI has the modulation and coding scheme (MCS) with its efficiency: the 29 schemes of Tables 7.1.7.1-1 and 8.6.1-1
are the 15 efficiencies of the CQI table and one between each two, so that CQI k is MCS 2 (k - 1) (3GPP R1-081483, the
contribution in which these tables were laid out; TS 36.213 leaves the choice to the base station). The MCS names a row
of the transport block table, whose sizes leave room for reference signals and control. One block goes over the whole
band each millisecond, in one spatial layer.
"""

from collections.abc import Mapping
from typing import Final

CQI_BPS_HZ: Final = (
    0.1523, 0.2344, 0.3770, 0.6016, 0.8770, 1.1758, 1.4766, 1.9141, 2.4063, 2.7305, 3.3223, 3.9023, 4.5234, 5.1152,
    5.5547,
)  # fmt: skip
"""Efficiency of CQI 1 to 15 in bit per resource element, TS 36.213 Table 7.2.3-1."""
UPLINK_TBS_ROW: Final = (
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22, 23, 24, 25, 26,
)  # fmt: skip
"""I_TBS of MCS 0 to 28, TS 36.213 Table 8.6.1-1 (PUSCH)."""
DOWNLINK_TBS_ROW: Final = (
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 10, 11, 12, 13, 14, 15, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
)  # fmt: skip
"""I_TBS of MCS 0 to 28, TS 36.213 Table 7.1.7.1-1 (PDSCH)."""
BLOCKS: Final[Mapping[float, int]] = {1.4e6: 6, 3e6: 15, 5e6: 25, 10e6: 50, 15e6: 75, 20e6: 100}
"""Resource blocks of 180 kHz by the channel's width in Hz, TS 36.101 Table 5.6-1."""
TBS_BIT: Final[Mapping[int, tuple[int, ...]]] = {
    6: (
        152, 208, 256, 328, 408, 504, 600, 712, 808, 936, 1032, 1192, 1352, 1544, 1736, 1800, 1928, 2152, 2344, 2600,
        2792, 2984, 3240, 3496, 3624, 3752, 4392,
    ),
    15: (
        392, 520, 648, 872, 1064, 1320, 1544, 1800, 2088, 2344, 2664, 2984, 3368, 3880, 4264, 4584, 4968, 5352, 5992,
        6456, 6968, 7480, 7992, 8504, 9144, 9528, 11064,
    ),
    25: (
        680, 904, 1096, 1416, 1800, 2216, 2600, 3112, 3496, 4008, 4392, 4968, 5736, 6456, 7224, 7736, 7992, 9144, 9912,
        10680, 11448, 12576, 13536, 14112, 15264, 15840, 18336,
    ),
    50: (
        1384, 1800, 2216, 2856, 3624, 4392, 5160, 6200, 6968, 7992, 8760, 9912, 11448, 12960, 14112, 15264, 16416,
        18336, 19848, 21384, 22920, 25456, 27376, 28336, 30576, 31704, 36696,
    ),
    75: (
        2088, 2728, 3368, 4392, 5352, 6712, 7736, 9144, 10680, 11832, 12960, 15264, 16992, 19080, 21384, 22920, 24496,
        27376, 29296, 32856, 35160, 37888, 40576, 43816, 45352, 46888, 55056,
    ),
    100: (
        2792, 3624, 4584, 5736, 7224, 8760, 10296, 12216, 14112, 15840, 17568, 19848, 22920, 25456, 28336, 30576, 32856,
        36696, 39232, 43816, 46888, 51024, 55056, 57336, 61664, 63776, 75376,
    ),
}  # fmt: skip
"""Bits of a transport block by resource blocks, for I_TBS 0 to 26: TS 36.213 Table 7.1.7.2.1-1, of whose 110 columns
those of the channel widths."""
BLOCK_HZ: Final = 180e3
BLOCKS_PER_S: Final = 1000.0
"""Transport blocks a second: one a subframe of 1 ms (TS 36.211 clause 4)."""
HEADER_BYTE: Final = 28 + 2 + 2 + 2
"""Headers of a packet: IPv4 and UDP 28 (RFC 791, 768), PDCP 2 (12-bit numbers, TS 36.323 clause 6.2.3), RLC UM 2 (TS
36.322 clause 6.2.1.3) and a MAC subheader of 2 (TS 36.321 clause 6.1.2)."""


def lte_block_bit(cqi: int, blocks: int, *, uplink: bool) -> int:
    """Return the bits of a transport block at a CQI.

    >>> lte_block_bit(15, 100, uplink=True), lte_block_bit(9, 100, uplink=True)
    (75376, 30576)

    Args:
        cqi: 1 to 15.
        blocks: resource blocks of a standard channel: 6, 15, 25, 50, 75 or 100.
        uplink: direction.
    """
    row = (UPLINK_TBS_ROW if uplink else DOWNLINK_TBS_ROW)[2 * (cqi - 1)]
    return TBS_BIT[blocks][row]
