"""Cost of keys and the ledger: a key for each transfer, a ledger record for each task, all tasks at the edge.

Rounds of SUMO alone, the co-simulation without and with both are interleaved, each in a process of its own; medians.
`adds` is (with - without) / SUMO alone.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from city import WARM_S, alone, scenario

SECURED: dict[str, Any] = {
    "keys": {
        "rate": {"kind": "decoy_bb84"},
        "topology": {"shape": "mesh", "neighbours": 3},
        "pool": {"capacity_bit": 100_000_000, "initial_bit": 50_000_000},
        "vehicle": {"kind": "site", "rate_bps": 20e3, "initial_bit": 65_536},
        "use": {"kind": "aes256_rekey", "lifetime_byte": 1e9, "lifetime_s": 1e-9},  # a new key for each transfer
    },
    "ledger": {},
}


def plan(vehicles: int, seconds: float, secured: bool) -> dict[str, Any]:
    """Return the benchmark city with every task at the edge, with or without keys and ledger."""
    sites = {"kind": "grid", "spacing_m": 600.0}  # nearly everybody is covered
    base = {**scenario(vehicles, seconds), "policy": "nearest", "sites": sites}
    if secured:
        base |= SECURED | {"ledger": {"validators": [f"rsu{number}" for number in range(8)]}}
    return base


def together(vehicles: int, seconds: float, secured: bool) -> dict[str, float]:
    """Measure the co-simulation with its trace; return with it the keys, records and blocks of the trace."""
    from cosim_agents.registry import make_policy

    from cosim.kernel.rng import stream
    from cosim.scenario.schema import Scenario
    from cosim.simulation import Simulation
    from cosim.trace.store.reader import Trace
    from cosim.trace.store.writer import TraceWriter

    chosen = Scenario.model_validate(plan(vehicles, seconds, secured))
    marks: list[tuple[float, float]] = []

    def mark(now_s: float) -> None:
        if not marks and now_s >= WARM_S:
            marks.append((now_s, time.process_time()))

    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        writer = TraceWriter(run, chosen.trace.part_s)
        simulation = Simulation(chosen, writer)
        simulation.run(make_policy(chosen.policy.name, {}, stream(1, "policy")), mark)
        writer.close(complete=True, end_s=chosen.duration_s)
        ended = time.process_time()
        simulation.close()
        with Trace.open(run) as trace:
            drawn = trace.sql("SELECT count_if(up_bit > 0) + count_if(down_bit > 0) AS n FROM task_keyed").n[0]
            told = trace.sql("SELECT coalesce(sum(records), 0) AS n FROM batch_sealed").n[0]
            blocks = trace.sql("SELECT count(*) AS n FROM block_committed").n[0]
    from_s, began = marks[0]
    return {
        "ms_per_s": (ended - began) / (chosen.duration_s - from_s) * 1e3,
        "keys_per_s": float(drawn) / chosen.duration_s,
        "records_per_s": float(told) / chosen.duration_s,
        "blocks": float(blocks),
    }


def child(mode: str, vehicles: int, seconds: float) -> dict[str, float]:
    """Return one measurement, made in a process of its own."""
    command = [sys.executable, __file__, "--child", mode, "--vehicles", str(vehicles), "--seconds", str(seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    """Print the table, or one measurement as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vehicles", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--child", choices=["alone", "plain", "secured"])
    options = parser.parse_args()
    if options.child == "alone":
        print(json.dumps(alone(options.vehicles, options.seconds)))
        return
    if options.child:
        print(json.dumps(together(options.vehicles, options.seconds, options.child == "secured")))
        return
    plan(options.vehicles, options.seconds, secured=True)
    rounds = [
        [child(mode, options.vehicles, options.seconds) for mode in ("alone", "plain", "secured")]
        for _ in range(options.rounds)
    ]
    added = [(secured["ms_per_s"] - plain["ms_per_s"]) / sumo["ms_per_s"] for sumo, plain, secured in rounds]
    print(f"keys and ledger, CPU ms per simulated second, medians of {options.rounds} rounds")
    print(f"{'vehicles':>8} {'SUMO alone':>10} {'without':>8} {'with':>8} {'adds':>6} {'range':>14}", end="")
    print(f" {'keys/s':>7} {'records/s':>9} {'blocks':>6}")
    sumo_ms, plain_ms, secured_ms = (median(one["ms_per_s"] for one in column) for column in zip(*rounds, strict=True))
    sumo, _, last = rounds[-1]
    print(f"{sumo['vehicles']:8.0f} {sumo_ms:10.1f} {plain_ms:8.1f} {secured_ms:8.1f} {median(added):5.2f}x", end="")
    print(f" {min(added):5.2f} to {max(added):5.2f} {last['keys_per_s']:7.0f} {last['records_per_s']:9.0f}", end="")
    print(f" {last['blocks']:6.0f}")


if __name__ == "__main__":
    main()
