"""Traffic live from libsumo and replayed from its own recording: the source alone, and the whole run.

Both in one process after the other, CPU time over the same ticks, medians of interleaved rounds; frames are compared.
"""

import argparse
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from city import scenario


def seconds(work: Any) -> float:
    """Return the CPU seconds of a call."""
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    """Print the table."""
    from cosim_agents.registry import make_policy

    from cosim.kernel.rng import stream
    from cosim.mobility.connect import connect
    from cosim.mobility.record import record_frames
    from cosim.scenario.schema import Scenario
    from cosim.simulation import Simulation

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vehicles", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    described = scenario(options.vehicles, options.seconds)
    live = Scenario.model_validate(described)
    ticks = int(live.duration_s) + 1

    def source(plan: Scenario) -> Any:
        return closing(connect(plan.mobility, plan.map, Path(), plan.seed, plan.duration_s))

    def frames(plan: Scenario) -> float:
        with source(plan) as traffic:
            return seconds(lambda: [traffic.advance(tick) for tick in range(ticks)])

    def whole(plan: Scenario) -> float:
        simulation = Simulation(plan)
        with closing(simulation):
            policy = make_policy(plan.policy.name, {}, stream(1, "policy"))
            return seconds(lambda: simulation.run(policy))

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "traffic.parquet"
        with source(live) as traffic:
            rows = record_frames(traffic, live.duration_s, file)
        replay = Scenario.model_validate({**described, "mobility": {"kind": "replay", "file": str(file)}})
        opened = seconds(lambda: source(replay).__exit__(None, None, None))
        print(f"{rows / ticks:.0f} vehicles, {ticks} ticks, CPU ms per tick, medians of {options.rounds} rounds")
        print(f"{'':14} {'live':>8} {'replay':>8} {'live / replay':>14}")
        for name, measure in (("source alone", frames), ("whole run", whole)):
            pairs = [(measure(live), measure(replay)) for _ in range(options.rounds)]
            ratio = median(one / other for one, other in pairs)
            lived, replayed = (median(pair[side] for pair in pairs) / ticks * 1e3 for side in (0, 1))
            print(f"{name:14} {lived:8.2f} {replayed:8.2f} {ratio:13.1f}x")
        print(f"opening the recording: {opened * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
