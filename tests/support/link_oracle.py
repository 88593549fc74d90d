"""What a link carries, by written-out tables and plain arithmetic: nothing of the simulator computes any of it.

Sizes of LTE's transport blocks are those at CQI 1 to 15 (MCS 0, 2, ..., 28) of the widths that tests use.
"""

import math

ACCESSES = ({"kind": "ofdma"}, {"kind": "fixed", "slice_share": 0.25}, {"kind": "noma"}, {"kind": "noma", "sic": False})
KINDS = {
    "shannon": {"kind": "shannon"},
    "attenuated": {"kind": "attenuated"},
    "lte": {"kind": "mcs"},
    "nr": {"kind": "mcs", "standard": "nr"},
}
GAP = math.log(1 / 2.5e-4) / 1.5  # of a bit error rate of 5e-5
PAYLOAD = 1250 / 1284
LTE_EFFICIENCY = (0.1523, 0.2344, 0.3770, 0.6016, 0.8770, 1.1758, 1.4766, 1.9141, 2.4063, 2.7305, 3.3223, 3.9023,
                  4.5234, 5.1152, 5.5547)  # fmt: skip
LTE_BIT = {
    ("up", 1e6): (152, 256, 408, 600, 808, 1032, 1192, 1544, 1800, 2152, 2600, 2792, 3240, 3624, 4392),
    ("down", 1e6): (152, 256, 408, 600, 808, 936, 1192, 1544, 1800, 1928, 2344, 2792, 3240, 3624, 4392),
    ("up", 10e6): (1384, 2216, 3624, 5160, 6968, 8760, 9912, 12960, 15264, 18336, 21384, 22920, 27376, 30576, 36696),
    ("up", 20e6): (2792, 4584, 7224, 10296, 14112, 17568, 19848, 25456, 30576, 36696, 43816, 46888, 55056, 61664,
                   75376),
    ("down", 20e6): (2792, 4584, 7224, 10296, 14112, 15840, 19848, 25456, 30576, 32856, 39232, 46888, 55056, 61664,
                     75376),
}  # fmt: skip
LTE_WIDTH_HZ = {1e6: 1.4e6, 10e6: 10e6, 20e6: 20e6}
OCCUPIED_HZ = {"lte": {1e6: 1e6 * 1.08 / 1.4, 10e6: 9e6, 20e6: 18e6}, "nr": {10e6: 24 * 360e3, 20e6: 51 * 360e3}}
NR_EFFICIENCY = (0.1523, 0.3770, 0.8770, 1.4766, 1.9141, 2.4063, 2.7305, 3.3223, 3.9023, 4.5234, 5.1152, 5.5547, 6.2266,
                 6.9141, 7.4063)  # fmt: skip
NR_MCS = ((2, 120), (2, 193), (2, 449), (4, 378), (4, 490), (4, 616), (6, 466), (6, 567), (6, 666), (6, 772), (6, 873),
          (8, 711), (8, 797), (8, 885), (8, 948))  # fmt: skip
NR_BLOCKS = {10e6: 24, 20e6: 51}


def occupied_hz(kind: str, band_hz: float) -> float:
    """The part of a band that noise is counted in."""
    return OCCUPIED_HZ.get(kind, {}).get(band_hz, band_hz)


def plain_bps(kind: str, way: str, band_hz: float, sinr: float) -> float:
    """Rate of a lone link over the whole band.

    Args:
        kind: a key of KINDS.
        way: up, down, or side, which is as up.
        band_hz: nominal.
        sinr: linear.
    """
    shannon = math.log2(1.0 + sinr)
    way = "up" if way == "side" else way
    if kind == "shannon":
        return band_hz * min(7.4063, shannon)
    if kind == "attenuated":
        share, most = {"up": (0.4, 2.0), "down": (0.6, 4.4)}[way]
        if sinr < 0.1:  # n copies of each block, with n times the ratio together
            return band_hz * share * math.log2(1.1) * sinr / 0.1
        return band_hz * min(most, share * shannon)
    table = LTE_EFFICIENCY if kind == "lte" else NR_EFFICIENCY
    cqi = plain_cqi(table, sinr)
    if cqi == 0:
        first = GAP * (2.0 ** table[0] - 1.0)
        return plain_bps(kind, way, band_hz, first * (1.0 + 1e-12)) * sinr / first
    if kind == "lte":
        return LTE_BIT[way, band_hz][cqi - 1] * 1e3 * band_hz / LTE_WIDTH_HZ[band_hz] * PAYLOAD
    elements = 144 if way == "up" else 120
    return plain_nr_bit(NR_BLOCKS[band_hz] * elements, *NR_MCS[cqi - 1]) * 2e3 * PAYLOAD


def plain_cqi(efficiencies: tuple[float, ...], sinr: float) -> int:
    """The highest CQI whose efficiency is below log2(1 + SINR / Gamma); 0: none."""
    return sum(efficiency < math.log2(1.0 + sinr / GAP) for efficiency in efficiencies)


def plain_nr_bit(elements: int, order: int, rate: float) -> int:
    """Bits of an NR transport block by TS 38.214 clause 5.1.3.2, by a search for the sizes that the clause allows.

    Args:
        elements: resource elements for data in the slot.
        order: bits of a symbol.
        rate: code rate x 1024.
    """
    information = elements * order * rate / 1024
    if information <= 3824:
        grain = 8
        while grain * 128 <= information:
            grain *= 2
        wanted = max(24, information // grain * grain)
        sizes = [*range(24, 193, 8), *range(208, 385, 16), *range(408, 577, 24), *range(608, 769, 32)]
        sizes += [808, 848, 888, 928, 984, 1032, 1064, 1128, 1160, 1192, 1224, 1256, 1288, 1320, 1352]
        sizes += [*range(1416, 1929, 64), *range(2024, 2281, 64), *range(2408, 2857, 64), 2976, 3104]
        sizes += [*range(3240, 3753, 128), 3824]
        return min(size for size in sizes if size >= wanted)
    grain = 1
    while grain * 64 <= information - 24:
        grain *= 2
    total = max(3840, math.floor((information - 24) / grain + 0.5) * grain) + 24
    largest = 3816 if rate <= 256 else 8424
    codes = -(-total // largest) if rate <= 256 or total - 24 > 8424 else 1
    return -(-total // (8 * codes)) * 8 * codes - 24
