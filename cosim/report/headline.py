"""The key figures that a person asks for first, and figures as text to the digits that their intervals support."""

import math
from typing import Final

SUMMARY: Final = (
    ("released", "released", 1.0, "tasks"),
    ("completed_ratio", "completed in time", 100.0, "%"),
    ("late_ratio", "late", 100.0, "%"),
    ("throughput", "throughput", 1.0, "tasks/s"),
    ("latency_mean", "latency, mean", 1e3, "ms"),
    ("latency_p50", "latency, p50", 1e3, "ms"),
    ("latency_p95", "latency, p95", 1e3, "ms"),
    ("latency_p99", "latency, p99", 1e3, "ms"),
    ("vehicle_energy_per_task", "vehicle energy", 1.0, "J/task"),
    ("edge_energy_per_task", "edge energy", 1.0, "J/task"),
    ("semantic_performance", "semantic performance", 1.0, ""),
    ("delivered", "delivered by radio", 1e-6, "Mbit/s"),
    ("handovers", "handovers", 1.0, ""),
    ("coverage_ratio", "vehicles covered", 100.0, "%"),
    ("utilisation", "utilisation of the sites", 100.0, "%"),
    ("key_rate_mean", "key rate of a link", 1.0, "bit/s"),
    ("qber_mean", "QBER", 100.0, "%"),
    ("kgr_delivered", "key used by a vehicle", 1.0, "bit/s"),
    ("key_wait_mean", "wait for keys", 1e3, "ms"),
    ("downgraded_ratio", "without a quantum key", 100.0, "%"),
    ("blocks", "blocks", 1.0, ""),
    ("finality_mean", "time to finality, mean", 1.0, "s"),
    ("finality_p95", "time to finality, p95", 1.0, "s"),
    ("records_per_s", "records in blocks", 1.0, "1/s"),
    ("ledger_cpu_share", "ledger's part of the CPU work", 100.0, "%"),
)
"""As the terminal writes it."""
HEADLINE: Final = tuple((key, label[0].upper() + label[1:], factor, unit) for key, label, factor, unit in SUMMARY)
"""As the page writes it."""


def rounded(value: float, half_width: float = math.nan) -> tuple[str, str]:
    """Value and half width with the same decimals: the half width has one significant digit, two if it starts with 1.

    A half width that is only the rounding of equal values counts as 0.
    `-` stands for what is not finite; a value without an interval has four significant digits, a whole one all of them.
    """
    if not math.isfinite(value):
        return "-", "-"
    if half_width <= 1e-12 * abs(value):
        half_width = 0.0
    if not math.isfinite(half_width) or half_width <= 0.0:
        whole = value == int(value) and abs(value) < 1e15
        return f"{value:,.0f}" if whole else _plain(value, 4), "-" if not math.isfinite(half_width) else "0"
    place = math.floor(math.log10(half_width))
    first = half_width / 10.0**place
    decimals = max(0, (1 if first < 1.95 else 0) - place)
    return f"{value:,.{decimals}f}", f"{half_width:,.{decimals}f}"


def _plain(value: float, digits: int) -> str:
    """So many significant digits, not as a power of ten where that can be avoided."""
    if value == 0.0 or not 1e-4 <= abs(value) < 1e15:
        return f"{value:.{digits}g}"
    return f"{value:,.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"
