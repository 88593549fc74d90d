"""What the presets of a radio hold, each value with its source: data alone, in one place.

What a scenario chooses is in none: access, interference, association, powers as knobs, sidelink. A downlink band is as
wide as the uplink's (paired bands), unless a scenario says otherwise. `min_snr_db` is in none either: with this kind of
link coverage ends where CQI 1 begins, -2.1 dB at a bit error rate of 5e-5, and moves with that rate.

Clauses were read where a text was at hand: TS 36.213 14.1.1.6, TS 38.214 (Tables 5.3-1, 6.4-1 and 8.1.4-2), the use that
TR 37.910 makes of them, TR 36.942 Table 4.6. Cited from knowledge, unread: TR 36.872 A.1, TR 36.881 5.2, TS 36.133
5.1.2.1.2, TS 38.133 6.1.1.2.2.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias

PresetName: TypeAlias = Literal["lte_20mhz", "lte_10mhz", "nr_20mhz_fr1"]


class Sourced(NamedTuple):
    """A value and where it comes from."""

    value: float | str
    source: str


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of values for a radio."""

    title: str
    """What it is, for people."""
    values: Mapping[str, Sourced]
    """By field of `radio`, dotted below a section."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values, each with its source."""
        values = {field: {"value": value, "source": source} for field, (value, source) in self.values.items()}
        return {"title": self.title, "values": values}


_BOTH: Final[Mapping[str, Sourced]] = {
    "vehicle_power_w": Sourced(
        0.199526, "23 dBm: power class 3, TS 36.101 Table 6.2.2-1 and TS 38.101-1 Table 6.2.1-1"
    ),
    "site_power_w": Sourced(
        1.0, "30 dBm: small cell outdoors, TR 36.872 Table A.1-1; medium range may 38 dBm, TS 36.104 6.2"
    ),
    "antenna_gain_db": Sourced(
        5.0, "5 dBi at the site (small cell, TR 36.872 Table A.1-1), 0 dBi at the device (TR 36.942)"
    ),
    "noise_figure_db": Sourced(5.0, "Base station, TR 36.942 Table 4.6"),
    "vehicle_noise_figure_db": Sourced(9.0, "Device, TR 36.942 clause 4"),
    "path_loss.kind": Sourced("umi", "TR 38.901 Table 7.4.1-1, street canyon: antenna at 10 m over the street"),
    "path_loss.frequency_ghz": Sourced(
        2.0, "TR 36.942 4.1; band 1 (n1), 1.92 to 1.98 GHz up and 2.11 to 2.17 GHz down"
    ),
    "link.kind": Sourced("mcs", "Modulation and coding in steps (docs/physics.md); coverage ends where CQI 1 does"),
    "link.bit_error_rate": Sourced(
        5e-5, "Before retransmission: Piro et al., European Wireless 2010, as ns-3's LTE has it"
    ),
}

_LTE: Final[Mapping[str, Sourced]] = {
    **_BOTH,
    "link.standard": Sourced("lte", "TS 36.213 Tables 7.2.3-1, 7.1.7.1-1, 7.1.7.2.1-1 and 8.6.1-1; up to 64QAM"),
    "grant_s.uplink": Sourced(
        0.0115,
        "TR 36.881 5.2 with a chance to request each ms: 0.5 ms until then, request 1, decoding 3, grant 1, "
        "preparation 3, and decoding of the last block 3",
    ),
    "grant_s.downlink": Sourced(
        0.0065, "TR 36.881 5.2: processing 3 ms, 0.5 to the next subframe, decoding of the last 3"
    ),
    "grant_s.sidelink": Sourced(
        0.015,
        "Mode 4, TS 36.213 14.1.1.6: a subframe in [T1, T2] = [4, 20] ms, 12 ms on average, and decoding 3",
    ),
    "handover.interruption_s": Sourced(
        0.05, "TS 36.133 5.1.2.1.2, known cell: 20 ms and up to 30 ms to a random access"
    ),
}

PRESETS: Final[Mapping[str, Preset]] = {
    "lte_20mhz": Preset(
        "LTE, 20 MHz up and 20 MHz down in band 1, street-level sites",
        {"bandwidth_hz": Sourced(20e6, "TS 36.101 Table 5.6-1: 100 resource blocks"), **_LTE},
    ),
    "lte_10mhz": Preset(
        "LTE, 10 MHz up and 10 MHz down in band 1, street-level sites",
        {"bandwidth_hz": Sourced(10e6, "TS 36.101 Table 5.6-1: 50 resource blocks"), **_LTE},
    ),
    "nr_20mhz_fr1": Preset(
        "NR in FR1, 20 MHz up and 20 MHz down in band n1, slots of 0.5 ms, street-level sites",
        {
            "bandwidth_hz": Sourced(20e6, "TS 38.101-1 Table 5.3.2-1: 51 resource blocks at 30 kHz"),
            **_BOTH,
            "link.standard": Sourced("nr", "TS 38.214 Tables 5.2.2.1-3 and 5.1.3.1-2; up to 256QAM"),
            "link.subcarrier_khz": Sourced(30, "TS 38.101-1 Table 5.3.5-1: bands such as n1 have 15, 30 and 60 kHz"),
            "grant_s.uplink": Sourced(
                0.00193,
                "A chance to request each slot of 0.5 ms: half a slot until then, request 1 slot, decoding and grant "
                "by the next slot (Tproc,1/2 + Tproc,2/2 = 0.39 ms), K2 = 1 slot (TS 38.214 Table 6.1.2.1.1-4, N2 = "
                "12 symbols), and decoding of the last block Tproc,1/2 = 0.18 ms (TR 37.910 5.7.1.1, N1 = 10 symbols)",
            ),
            "grant_s.downlink": Sourced(
                0.00064,
                "TR 37.910 5.7.1.1, capability 1: Tproc,2/2 = 0.21 ms, half a slot, decoding Tproc,1/2 = 0.18 ms",
            ),
            "grant_s.sidelink": Sourced(
                0.01143,
                "Mode 2, TS 38.214 8.1.4: a slot in [T1, T2] = [5, 40] slots (Tproc,1 and the longest T2min), 11.25 "
                "ms on average, and decoding 0.18 ms",
            ),
            "handover.interruption_s": Sourced(
                0.062,
                "TS 38.133 6.1.1.2.2, known cell: 20 ms processing, 20 ms to a synchronisation block, 2 ms margin, up "
                "to 20 ms to a random access",
            ),
        },
    ),
}
