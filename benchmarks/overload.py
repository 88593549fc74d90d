"""Cost of a task under overload: `quickstart` with every task sent to the nearest site, beside the greedy rule.

All that `nearest` cannot carry stays in the cells, so that its backlog grows with the length of the run. A round is one
run of each rule by the command; CPU time (user and system) over the released tasks; medians of interleaved rounds.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

RULES = ("greedy-latency", "nearest")
GOAL = 1.3
"""Largest ratio of the two at each length."""


def microseconds(policy: str, seconds: float) -> float:
    """Return the CPU time of one run for each of its tasks, in us."""
    command = str(Path(sys.executable).with_name("cosim"))
    short = ("--set", f"duration_s={seconds}", "--set", f"statistics.warmup_s={seconds / 10}")
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        began_s = _children_s()
        subprocess.run(
            [command, "run", "quickstart", "--policy", policy, "--out", str(run), *short],
            check=True,
            capture_output=True,
        )
        spent_s = _children_s() - began_s
        parts = json.loads((run / "manifest.json").read_text(encoding="utf-8"))["parts"]
    return spent_s / sum(part["rows"] for part in parts if part["kind"] == "task_released") * 1e6


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print the table, and whether the goal is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, nargs="+", default=[300.0, 600.0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"CPU us per task, medians of {options.rounds} rounds")
    print(f"{'simulated s':>11} {RULES[0]:>14} {RULES[1]:>8} {'ratio':>6} {'range':>12}")
    missed = []
    for seconds in options.seconds:
        rounds = [[microseconds(policy, seconds) for policy in RULES] for _ in range(options.rounds)]
        greedy_us, nearest_us = (median(one[side] for one in rounds) for side in (0, 1))
        ratios = [nearest / greedy for greedy, nearest in rounds]
        print(f"{seconds:11.0f} {greedy_us:14.0f} {nearest_us:8.0f} {median(ratios):6.2f}", end="")
        print(f" {min(ratios):.2f} to {max(ratios):.2f}", flush=True)
        if median(ratios) > GOAL:
            missed.append(f"{median(ratios):.2f} at {seconds:.0f} s")
    print(f"goal: at most {GOAL}: {'missed, ' + '; '.join(missed) if missed else 'met'}")


if __name__ == "__main__":
    main()
