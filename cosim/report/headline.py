"""The key figures that a person asks for first: key, label, factor and unit of each row."""

from typing import Final

HEADLINE: Final = (
    ("released", "Released", 1.0, "tasks"),
    ("completed_ratio", "Completed in time", 100.0, "%"),
    ("late_ratio", "Late", 100.0, "%"),
    ("throughput", "Throughput", 1.0, "tasks/s"),
    ("latency_mean", "Latency, mean", 1e3, "ms"),
    ("latency_p50", "Latency, p50", 1e3, "ms"),
    ("latency_p95", "Latency, p95", 1e3, "ms"),
    ("latency_p99", "Latency, p99", 1e3, "ms"),
    ("vehicle_energy_per_task", "Vehicle energy", 1.0, "J/task"),
    ("edge_energy_per_task", "Edge energy", 1.0, "J/task"),
    ("semantic_performance", "Semantic performance", 1.0, ""),
    ("delivered", "Delivered by radio", 1e-6, "Mbit/s"),
    ("handovers", "Handovers", 1.0, ""),
    ("coverage_ratio", "Vehicles covered", 100.0, "%"),
    ("utilisation", "Utilisation of the sites", 100.0, "%"),
)
