"""Ten million facts: writing them, and the summary and audit that read them back, with peak memory.

The tasks are made up (all local, 5,500 a second for ten minutes); the writer and the readers are the product's.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SECONDS = 600


def write(folder: Path, facts: int) -> int:
    """Write a run folder with about `facts` facts, and return their number."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))
    from crafted import CraftedRun

    from cosim.trace.facts.run import TaskDecided, TaskEnded, TaskReleased

    rng = np.random.default_rng(1)
    run = CraftedRun(folder)
    writer = run.writer
    released, decided, ended = writer.batch(TaskReleased), writer.batch(TaskDecided), writer.batch(TaskEnded)
    count = facts // 3 // SECONDS
    unknown = dict.fromkeys(("uplink_s", "uplinked_s", "downlink_s"), np.nan)
    for second in range(SECONDS):
        time_s = np.sort(second + rng.random(count) * 0.5)
        task = np.arange(second * count, (second + 1) * count)
        vehicle = rng.integers(0, 5000, count)
        done_s = time_s + rng.exponential(0.1, count)
        who = {"task": task, "vehicle": vehicle}
        released(
            time_s=time_s, **who, task_class=0, deadline_s=time_s + 0.3, input_bit=1e6, output_bit=1e5, cycles=1e8,
            priority=0.0, efficiency=1.0, vehicle_accuracy=1.0, edge_accuracy=1.0,
        )  # fmt: skip
        decided(
            time_s=time_s, task=task, tier=0, target=-1, share=1.0, power_w=0.2, cpu_share=1.0, expected_s=0.1,
            alone_bps=np.inf, clean_bps=np.inf,
        )  # fmt: skip
        ended(
            time_s=done_s, **who, status=(done_s > time_s + 0.3).astype(int), phase=7, tier=0, target=-1,
            uplink_site=-1, downlink_site=-1, handovers=0, released_s=time_s, deadline_s=time_s + 0.3,
            decided_s=time_s, queued_s=time_s, started_s=time_s, executed_s=done_s, **unknown, transmit_j=0.0,
            vehicle_cpu_j=0.1, edge_cpu_j=0.0, downlink_from_site=-1, wire_bit=0.0,
        )  # fmt: skip
        writer.tick(float(second))
    run.close({"duration_s": SECONDS + 10}, SECONDS + 10.0, policy="local")
    return writer.facts


def main() -> None:
    """Print the table."""
    from cosim.audit.verify import verify
    from cosim.trace.metrics.tasks import kpis
    from cosim.trace.store.reader import Trace

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--facts", type=int, default=10_000_000)
    options = parser.parse_args()
    print(f"{'step':10} {'wall s':>8} {'peak MB so far':>15}")

    def told(step: str, began: float) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{step:10} {time.perf_counter() - began:8.2f} {peak:15.0f}")

    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "run"
        began = time.perf_counter()
        facts = write(folder, options.facts)
        told("write", began)
        began = time.perf_counter()
        with Trace.open(folder) as trace:
            kpis(trace)
        told("summary", began)
        began = time.perf_counter()
        verify(folder)
        told("verify", began)
        size = sum(file.stat().st_size for file in folder.rglob("*.parquet"))
        print(f"{facts:,} facts, {size / facts:.1f} bytes a fact on disk")


if __name__ == "__main__":
    main()
