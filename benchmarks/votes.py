"""Cost of the vote at hundreds of validators: processor seconds of a simulated hour with a block each 10 s.

A committee of 31, and all 200, along trees; each in a process of its own, user and system time of that process with
trace and audit's tables left out. Beside it, over a shorter time, what the same vote costs with a transfer for each
copy of a vote (`direct`). One vehicle, hardly a task, so that the vote is all there is.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

COMMITTEE = 31
LIMITS_S = {"committee": 60.0, "all": 600.0}
"""Most processor seconds for the hour."""
LEDGERS: dict[str, dict[str, Any]] = {
    "committee": {"committee": COMMITTEE, "dissemination": "tree"},
    "all": {"dissemination": "tree"},
    "direct": {"dissemination": "direct"},
}


def plan(mode: str, validators: int, seconds: float, backhaul: str) -> dict[str, Any]:
    """Return a scenario with that many sites in a square, all of them validators.

    Args:
        mode: one of `LEDGERS`.
        validators: number of sites.
        seconds: simulated time.
        backhaul: star or mesh.
    """
    side = math.ceil(math.sqrt(validators))
    places = [{"name": f"s{n}", "x_m": 300.0 * (n % side), "y_m": 300.0 * (n // side)} for n in range(validators)]
    return {
        "name": f"votes-{mode}",
        "duration_s": seconds,
        "policy": "nearest",
        "mobility": {"kind": "synthetic", "vehicles": 1, "roads": 8 * side, "length_m": 300.0 * side},
        "sites": {"kind": "listed", "sites": places},
        "backhaul": {"kind": backhaul},
        "tasks": {"arrivals": {"kind": "poisson", "rate_per_s": 0.01}},
        "ledger": LEDGERS[mode],
    }


def measured(mode: str, validators: int, seconds: float, backhaul: str) -> dict[str, float]:
    """Run it, and return processor seconds of the run and what the trace says of blocks and votes.

    Args:
        mode: one of `LEDGERS`.
        validators: number of sites.
        seconds: simulated time.
        backhaul: star or mesh.
    """
    from cosim_agents.registry import make_policy

    from cosim.kernel.rng import stream
    from cosim.scenario.schema import Scenario
    from cosim.simulation import Simulation
    from cosim.trace.store.reader import Trace
    from cosim.trace.store.writer import TraceWriter

    chosen = Scenario.model_validate(plan(mode, validators, seconds, backhaul))
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        began = time.process_time()
        writer = TraceWriter(run, chosen.trace.part_s)
        simulation = Simulation(chosen, writer)
        simulation.run(make_policy(chosen.policy.name, {}, stream(1, "policy")))
        writer.close(complete=True, end_s=chosen.duration_s)
        cpu_s = time.process_time() - began
        simulation.close()
        with Trace.open(run) as trace:
            blocks, finality_s, last = trace.sql(
                "SELECT count(*), avg(time_s - began_s), max(round) FROM block_committed"
            ).iloc[0]
            votes = trace.sql("SELECT count(*) AS n FROM vote_cast").n.iloc[0]
    heard = float(votes) * (validators - 1) / max(1.0, float(blocks))
    return {
        "cpu_s": cpu_s,
        "blocks": float(blocks),
        "finality_s": float(finality_s),
        "round": float(last),
        "heard": heard,
    }


def child(mode: str, validators: int, seconds: float, backhaul: str) -> dict[str, float]:
    """Return one measurement, made in a process of its own.

    Args:
        mode: one of `LEDGERS`.
        validators: number of sites.
        seconds: simulated time.
        backhaul: star or mesh.
    """
    options = ["--validators", str(validators), "--seconds", str(seconds), "--backhaul", backhaul]
    command = [sys.executable, __file__, "--child", mode, *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> int:
    """Print the table, or one measurement as JSON; return 1 if a limit for the hour is passed."""
    parser = argparse.ArgumentParser(description="Cost of the vote at hundreds of validators.")
    parser.add_argument("--validators", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--direct-seconds", type=float, default=60.0)
    parser.add_argument("--backhaul", choices=["star", "mesh"], default="star")
    parser.add_argument("--child", choices=list(LEDGERS))
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measured(given.child, given.validators, given.seconds, given.backhaul)))
        return 0
    from cosim.ledger.committee import faulty_third

    late = False
    print(f"{given.validators} validators, wires as a {given.backhaul}, a block each 10 s; CPU seconds of one process")
    print(f"{'who votes':>14} {'simulated s':>11} {'CPU s':>7} {'limit':>6} {'for 1 h':>8} {'blocks':>6} ", end="")
    print(f"{'votes heard a block':>19} {'finality s':>10} {'last round':>10}")
    for mode, seconds in (("committee", given.seconds), ("all", given.seconds), ("direct", given.direct_seconds)):
        one = child(mode, given.validators, seconds, given.backhaul)
        limit_s = LIMITS_S.get(mode, math.nan) * seconds / 3600.0
        late = late or one["cpu_s"] > limit_s
        name = {"committee": f"{COMMITTEE} by tree", "all": "all by tree", "direct": "all, direct"}[mode]
        print(
            f"{name:>14} {seconds:11.0f} {one['cpu_s']:7.1f} {limit_s:6.0f} {one['cpu_s'] * 3600 / seconds:8.0f} ",
            end="",
        )
        print(f"{one['blocks']:6.0f} {one['heard']:19.0f} {one['finality_s']:10.3f} {one['round']:10.0f}")
    stake = (1000,) * given.validators
    for percent in (10, 20, 25, 30):
        faulty = given.validators * percent // 100
        chance = faulty_third(stake, range(faulty), COMMITTEE)
        print(
            f"{percent} % of equal stakes faulty: a third or more of {COMMITTEE} seats at {chance:.2e} of the heights"
        )
    return int(late)


if __name__ == "__main__":
    raise SystemExit(main())
