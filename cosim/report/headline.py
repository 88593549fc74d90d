"""The key figures that a person asks for first: key, label, factor and unit of each row, for terminal and page."""

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
