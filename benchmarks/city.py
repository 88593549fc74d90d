"""Cost of the co-simulation over SUMO alone: one task per vehicle and second, greedy policy, trace on.

Rounds of the two are interleaved, each in a process of its own, CPU time over the same traffic seconds; medians.
`own cost` is (co-simulation - SUMO alone) / SUMO alone. The last row has NOMA cells that disturb each other, where each
flow alters the rate of all in its cell. With `--beside CHECKOUT` each round runs the co-simulation of another checkout
too, and `beside` is the ratio of this one to that one.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

BEGIN_S = 600.0
WARM_S = 3.0
RADIOS: dict[str, dict[str, Any]] = {"ofdma": {}, "noma": {"access": {"kind": "noma"}, "interference": True}}
NOMA_VEHICLES = 1000


def scenario(vehicles: int, seconds: float, radio: str = "ofdma") -> dict[str, Any]:
    """Return a scenario on a Manhattan grid with about `vehicles` at once, and a site every 800 m.

    Args:
        vehicles: vehicles at once.
        seconds: seconds that are measured.
        radio: one of `RADIOS`.
    """
    from cosim.maps.generate import grid_in_cache

    return {
        "name": f"bench-{vehicles}",
        "map": str(grid_in_cache(vehicles, seed=1)),
        "duration_s": WARM_S + seconds,
        "mobility": {"kind": "libsumo", "begin_s": BEGIN_S},
        "sites": {"kind": "map"},
        "radio": RADIOS[radio],
        "compute": {"edge": {"cores": 32, "core_hz": 3e9}},
        "tasks": {
            "arrivals": {"kind": "poisson", "rate_per_s": 1.0},
            "classes": [{"name": "task", "input_bit": 2e5, "output_bit": 2e4, "cycles": 3e8, "deadline_s": 1.0}],
        },
        "policy": "greedy-latency",
    }


def alone(vehicles: int, seconds: float) -> dict[str, float]:
    """Measure SUMO alone, stepped through libsumo."""
    from cosim.mobility.catalog import resolve_map
    from cosim.mobility.sumo import sumo_options
    from cosim.scenario.schema import Scenario

    plan = Scenario.model_validate(scenario(vehicles, seconds))
    files = resolve_map(plan.map, Path())
    import libsumo

    options = sumo_options(files, plan.mobility, plan.seed)  # type: ignore[arg-type]  # it is libsumo mobility
    libsumo.start(["sumo", *options])
    for _ in range(int(BEGIN_S + WARM_S)):
        libsumo.simulationStep()
    began = time.process_time()
    for _ in range(int(seconds)):
        libsumo.simulationStep()
    cpu_s = time.process_time() - began
    return {"ms_per_s": cpu_s / seconds * 1e3, "vehicles": libsumo.vehicle.getIDCount()}


def together(vehicles: int, seconds: float, radio: str) -> dict[str, float]:
    """Measure the co-simulation with its trace.

    Args:
        vehicles: vehicles at once.
        seconds: seconds that are measured.
        radio: one of `RADIOS`.
    """
    from cosim_agents.registry import make_policy

    from cosim.kernel.rng import stream
    from cosim.scenario.schema import Scenario
    from cosim.simulation import Simulation
    from cosim.trace.store.writer import TraceWriter

    plan = Scenario.model_validate(scenario(vehicles, seconds, radio))
    marks: list[tuple[float, float]] = []

    def mark(now_s: float) -> None:
        if not marks and now_s >= WARM_S:
            marks.append((now_s, time.process_time()))

    with tempfile.TemporaryDirectory() as folder:
        writer = TraceWriter(Path(folder) / "run", plan.trace.part_s)
        simulation = Simulation(plan, writer)
        simulation.run(make_policy(plan.policy.name, {}, stream(1, "policy")), mark)
        writer.close(complete=True, end_s=plan.duration_s)
        ended = time.process_time()
        simulation.close()
    from_s, began = marks[0]
    span_s = plan.duration_s - from_s
    return {
        "ms_per_s": (ended - began) / span_s * 1e3,
        "facts_per_s": writer.facts / plan.duration_s,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def child(mode: str, vehicles: int, seconds: float, checkout: Path | None = None) -> dict[str, float]:
    """Return one measurement, made in a process of its own.

    Args:
        mode: "alone" or one of `RADIOS`.
        vehicles: vehicles at once.
        seconds: seconds that are measured.
        checkout: folder with another version of the packages; None for this one.
    """
    command = [sys.executable, __file__, "--child", mode, "--vehicles", str(vehicles), "--seconds", str(seconds)]
    env = dict(os.environ)
    if checkout is not None:
        env["PYTHONPATH"] = os.pathsep.join((str(checkout), str(checkout / "agents")))
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def row(vehicles: int, radio: str, options: argparse.Namespace) -> None:
    """Print one row of the table.

    Args:
        vehicles: vehicles at once.
        radio: one of `RADIOS`.
        options: the command line.
    """
    scenario(vehicles, options.seconds)
    rounds: list[tuple[dict[str, float], dict[str, float]]] = []
    besides: list[float] = []
    for _ in range(options.rounds):
        rounds.append((child("alone", vehicles, options.seconds), child(radio, vehicles, options.seconds)))
        if options.beside is not None:
            other = child(radio, vehicles, options.seconds, options.beside.resolve())
            besides.append(rounds[-1][1]["ms_per_s"] / other["ms_per_s"])
    ratios = [both["ms_per_s"] / sumo["ms_per_s"] - 1.0 for sumo, both in rounds]
    sumo_ms = median(sumo["ms_per_s"] for sumo, _ in rounds)
    both_ms = median(both["ms_per_s"] for _, both in rounds)
    present = median(sumo["vehicles"] for sumo, _ in rounds)
    own_us = median((both["ms_per_s"] - sumo["ms_per_s"]) * 1e3 / sumo["vehicles"] for sumo, both in rounds)
    facts = median(both["facts_per_s"] for _, both in rounds)
    memory = median(both["rss_mb"] for _, both in rounds)
    print(f"{present:8.0f} {radio:>6} {sumo_ms:10.1f} {both_ms:8.1f} {median(ratios):8.2f}x", end="")
    print(f" {min(ratios):5.2f} to {max(ratios):4.2f} {1e3 / both_ms:6.1f} {own_us:16.1f}", end="")
    print(f" {facts:8.0f} {memory:7.0f}", end="")
    print(f" {median(besides):7.3f} ({min(besides):.3f} to {max(besides):.3f})" if besides else "", flush=True)


def main() -> None:
    """Print the table, or one measurement as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vehicles", type=int, nargs="+", default=[1000, 5000, 10000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--beside", type=Path, help="folder of another checkout")
    parser.add_argument("--child", choices=["alone", *RADIOS])
    options = parser.parse_args()
    if options.child:
        vehicles, seconds = options.vehicles[0], options.seconds
        found = alone(vehicles, seconds) if options.child == "alone" else together(vehicles, seconds, options.child)
        print(json.dumps(found))
        return
    print(f"one task per vehicle and second, trace on, CPU ms per simulated second, medians of {options.rounds} rounds")
    print(f"{'vehicles':>8} {'radio':>6} {'SUMO alone':>10} {'cosim':>8} {'own cost':>9} {'range':>13}", end="")
    print(f" {'RTF':>6} {'own us/vehicle-s':>16} {'facts/s':>8} {'RSS MB':>7}", end="")
    print(f" {'beside':>7}" if options.beside is not None else "")
    for vehicles in options.vehicles:
        row(vehicles, "ofdma", options)
    row(NOMA_VEHICLES, "noma", options)


if __name__ == "__main__":
    main()
