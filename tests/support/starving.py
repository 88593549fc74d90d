"""A scenario in which the right detector efficiency of each QKD link and the right proposer are known.

Cars b and c stand at the sites B and C, and their keys lie at A, which has no cars: each task sends as many bits as its
one-time pad takes from the link A-B or A-C. A task is released at n + 0.4 s, decided at n + 0.5 s and gets its key at
n + 1 s, if what the link has made in that second is enough: key is thrown away after 0.9 s, so that nothing is saved.
Who has no key by n + 1.2 s ends NO_KEY. Block n + 1 begins at n + 1 s as well and keeps its proposer's only core for
0.4 s: on B or C a task that has its key queues behind the block and ends 0.4 s later; on A nobody queues.

A task costs 2.5 times its latency from the decision: 1.75 with A as proposer (0.5 s for the key, 0.2 s on the host),
2.75 behind a block, and 6.75 without a key (1.9 s to the deadline, and 2 for the loss). A vehicle's own processor
takes 2 s: 7 with the penalty of 1 for being late.

Key by S3 eq 1-12 with V = 1, efficiencies of 1 beside the detector's, eta, and margin 2 h(Q): s = 1000 eta 10^(-l/50),
N = 20 * 2^((eta - 0.8) / 0.05), Q = N / (2 (s + N)), KGR = (s + N) (1 - 2 h(Q)) bit/s:

    eta     0.4    0.6    0.8    1.0
    A-B     400    587    664      0     0 km, task of 620 bit: 0.8 alone is enough
    A-C     126    179    149      0    25 km, task of 165 bit: 0.6 alone is enough

The lower ones see too little, the higher too much that is not there. The scenario's own efficiency is 1.0.
"""

import json
from pathlib import Path
from typing import Any, Final

from secured import LEDGER
from stories import BASE, merged

from cosim.scenario.load import Loaded, load

RIGHT_DETECTOR: Final = {"A-B": 0.8, "A-C": 0.6}
"""Of the levels that a discrete learner has."""
ENOUGH: Final = {"A-B": (0.645, 0.845), "A-C": (0.55, 0.77)}
"""Efficiencies at which the link makes enough, rounded inwards."""
RIGHT_PROPOSER: Final = "A"
PAD_BIT: Final = {"b": 620, "c": 165}
CARS: Final = {"b": "car00000000", "c": "car00000001"}
SECONDS: Final = 20


def starving(folder: Path, *knobs: str) -> Loaded:
    """Write the scenario and its arrivals into a folder, with these knobs handed over, and load it."""
    _arrivals(folder)
    changes: dict[str, Any] = {
        "name": "starving",
        "duration_s": SECONDS + 0.7,
        "statistics": {"warmup_s": 0.0},
        "trace": {"sample_s": 0.5},
        "mobility": {"vehicles": 2, "roads": 3, "spacing_m": 1000.0, "length_m": 10.0, "speed_mps": 0.0},
        "sites": {
            "kind": "listed",
            "sites": [{"name": name, "x_m": 0.0, "y_m": y_m} for name, y_m in (("B", 0.0), ("C", 1e3), ("A", 2e3))],
        },
        "compute": {"vehicle": {"core_hz": 1e8}},
        "tasks": {"classes": [{"name": "pad", "input_bit": 620, "output_bit": 0, "cycles": 2e8, "deadline_s": 2.0}]},
        "backhaul": {"kind": "star", "bandwidth_bps": 1e15, "latency_s": 1e-4},
        "decisions": {
            "kind": "periodic",
            "period_s": 0.5,
            "candidates": 1,
            "knobs": list(knobs),
            "reward": {"kind": "realised", "scale": 5.0, "discount": 0.1},
        },
        "keys": {
            "rate": {
                "kind": "qib_vec",
                "detector_efficiency": 1.0,
                "sifting": 1.0,
                "pair_rate_per_s": 1000.0,
                "interference_rad": 0.0,
                "phase_noise": 0.0,
                "temperature_coefficient_per_k": 0.0,
                "other_efficiency": 1.0,
                "baseline_noise_per_s": 20.0,
                "noise_doubling": 0.05,
                "error_floor": 0.0,
                "fluctuation": 0.0,
                "entropy_weight": 2.0,
                "security": 0.0,
                "minus_qber": False,
            },
            "environment": {"noise_amplitude_per_s": 0.0, "noise_oscillation_per_s": 0.0},
            "topology": {"links": [{"ends": ["A", "B"], "length_km": 0.0}, {"ends": ["A", "C"], "length_km": 25.0}]},
            "pool": {"expiry_s": 0.9},
            "vehicle": {"kind": "dock", "site": "A", "capacity_bit": 10**6},
            "use": {"kind": "otp"},
            "shortage": {"patience_s": 0.7},
            "abort_qber": 0.5,
        },
        "ledger": merged(
            LEDGER,
            {
                "block": {"interval_s": 1.0, "fixed": True},
                "cost": {"density_cycles_per_bit": 0.4e9 / (8 * 2048 + 512)},
                "credits": {"per_offload": 0},
            },
        ),
    }
    path = folder / "starving.yaml"
    path.write_text(json.dumps(merged(BASE, changes)))
    return load(path)


def _arrivals(folder: Path) -> None:
    rows = [f"{second + 0.4},{car},{PAD_BIT[name]}" for second in range(SECONDS) for name, car in CARS.items()]
    (folder / "arrivals.csv").write_text("\n".join(["time_s,vehicle_id,input_bit", *rows]) + "\n")
