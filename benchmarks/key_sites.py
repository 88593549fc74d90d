"""What keys cost on 16, 64 and 225 sites: CPU by layer, on one grid of streets with the same vehicles and tasks.

A mesh of QKD links joins the sites; vehicles are filled at them, draw a fresh key for nearly each transfer, and send
to one of the three nearest sites at random, so that keys are relayed. In `full` pools never run dry. In `short` links
make less than is asked for: pools run dry and come back all the time, transfers wait. `far` has all keys relayed from
one site, across the whole network. A fibre is cut on schedule. CPU milliseconds for each simulated second, medians of
rounds, each in a process of its own; `beside 16` is a row's cost over that of 16 sites, to be held against the number
of sites over 16.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

VEHICLES = 1000
WIDTH_M = 3200.0
"""Of the grid of streets for so many vehicles."""
SIDES = (4, 8, 15)
KEYS: dict[str, dict[str, Any]] = {
    "full": {
        "rate": {"kind": "decoy_bb84"},
        "pool": {"capacity_bit": 10_000_000, "initial_bit": 1_000_000, "expiry_s": 600.0},
        "vehicle": {"kind": "site", "rate_bps": 10e3, "initial_bit": 16_384},
    },
    "short": {
        "rate": {"kind": "qib_vec", "pair_rate_per_s": 3000.0},
        "pool": {"capacity_bit": 1_000_000, "initial_bit": 5000, "low_water_bit": 1000, "expiry_s": 600.0},
        "vehicle": {"kind": "site", "rate_bps": 2e3, "initial_bit": 4096},
    },
    "far": {
        "rate": {"kind": "decoy_bb84", "pulse_hz": 1e6},
        "pool": {"capacity_bit": 1_000_000, "initial_bit": 20_000, "expiry_s": 30.0},
        "vehicle": {"kind": "dock", "site": "rsu0-0", "capacity_bit": 1_000_000},
        "shortage": {"patience_s": 1.0, "then": "downgrade"},
    },
}


def scenario(side: int, pools: str, seconds: float) -> dict[str, Any]:
    """Return a scenario with `side` x `side` sites.

    Args:
        side: sites along a side of the grid.
        pools: one of `KEYS`.
        seconds: simulated time.
    """
    from cosim.maps.generate import grid_in_cache

    places = [(place + 0.5) * WIDTH_M / side for place in range(side)]
    sites = [
        {"name": f"rsu{row}-{column}", "x_m": x_m, "y_m": y_m}
        for row, y_m in enumerate(places)
        for column, x_m in enumerate(places)
    ]
    middle = side // 2
    cut = {"kind": "cut", "ends": [f"rsu{middle}-{middle}", f"rsu{middle}-{middle - 1}"]}
    return {
        "name": f"keys-{side * side}",
        "map": str(grid_in_cache(VEHICLES, seed=1)),
        "duration_s": seconds,
        "statistics": {"warmup_s": 1.0},
        "mobility": {"kind": "libsumo", "begin_s": 600.0},
        "sites": {"kind": "listed", "sites": sites},
        "backhaul": {"kind": "mesh", "neighbours": 4, "bandwidth_bps": 1e9, "latency_s": 0.001},
        "compute": {"edge": {"cores": 16, "core_hz": 3e9}},
        "tasks": {
            "arrivals": {"kind": "poisson", "rate_per_s": 0.5},
            "classes": [{"name": "task", "input_bit": 2e5, "output_bit": 2e4, "cycles": 3e8, "deadline_s": 2.0}],
        },
        "decisions": {"kind": "periodic", "period_s": 0.1, "candidates": 3},
        "policy": "random",
        "keys": {
            "topology": {"shape": "mesh", "neighbours": 4},
            "use": {"kind": "aes256_rekey", "lifetime_byte": 1e6, "lifetime_s": 5.0},
            "attacks": [{**cut, "start_s": seconds / 4, "end_s": seconds / 2}],
            **KEYS[pools],
        },
    }


def measured(side: int, pools: str, seconds: float) -> dict[str, float]:
    """Return CPU milliseconds for each simulated second by layer, and links and keys of one run.

    Args:
        side: sites along a side of the grid.
        pools: one of `KEYS`.
        seconds: simulated time.
    """
    from cosim.profiling import CpuProfile
    from cosim.runner import simulate
    from cosim.scenario.load import load
    from cosim.trace.store.reader import Trace

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "keys.yaml"
        path.write_text(json.dumps(scenario(side, pools, seconds)))
        result = simulate(load(path), Path(folder) / "run", profile=CpuProfile())
        with Trace.open(result.folder) as trace:
            told = trace.sql(
                "SELECT count_if(up_bit > 0) + count_if(down_bit > 0) AS keys, "
                "count_if(up_keyed_s > up_asked_s) AS waited, "
                "(SELECT count(*) FROM key_link_deployed) AS links FROM task_keyed"
            ).iloc[0]
    layers = {layer: spent_s / seconds * 1e3 for layer, spent_s in result.cpu_by_layer_s.items()}
    return layers | {
        "links": float(told.links),
        "keys/s": float(told["keys"]) / seconds,
        "waited/s": float(told.waited) / seconds,
    }


def child(side: int, pools: str, seconds: float) -> dict[str, float]:
    """Return one measurement, made in a process of its own.

    Args:
        side: sites along a side of the grid.
        pools: one of `KEYS`.
        seconds: simulated time.
    """
    command = [sys.executable, __file__, "--child", pools, "--sides", str(side), "--seconds", str(seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    """Print the table, or one measurement as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--child", choices=list(KEYS))
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measured(options.sides[0], options.child, options.seconds)))
        return
    layers = ("keys", "stories", "radio", "observation", "trace", "figures", "SUMO")
    print(f"{VEHICLES} vehicles, CPU ms per simulated second by layer, medians of {options.rounds} rounds")
    print(f"{'pools':>5} {'sites':>5} {'links':>5} {'keys/s':>6} {'waited/s':>8}", end="")
    print("".join(f" {layer:>11}" for layer in layers), f" {'beside 16':>9} {'sites/16':>8}")
    for pools in KEYS:
        first = 0.0
        for side in options.sides:
            rounds = [child(side, pools, options.seconds) for _ in range(options.rounds)]
            found = {name: median(one[name] for one in rounds) for name in rounds[0]}
            first = first or found["keys"]
            print(f"{pools:>5} {side * side:5} {found['links']:5.0f} {found['keys/s']:6.0f}", end="")
            print(f" {found['waited/s']:8.0f}", "".join(f" {found[layer]:11.2f}" for layer in layers)[1:], end="")
            print(f" {found['keys'] / first:9.2f} {side * side / options.sides[0] ** 2:8.2f}", flush=True)


if __name__ == "__main__":
    main()
