"""The cost of the twin for 5,000 vehicles: CPU ms to observe all states, to forecast all, and to mirror all.

Traffic is that of `benchmarks/city.py`. A round is the same ticks again with new forecasters; printed is the least
median of the rounds, which is what an otherwise idle core needs. Mirroring is the extra cost of a run without tasks for
a twin whose vehicles all report their state once a second and which forecasts nothing; the cells' own share is in it.
"""

import argparse
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from city import scenario


def milliseconds(work: Any) -> float:
    """Return the CPU milliseconds of a call."""
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1e3


def run_ms(twin: dict[str, Any] | None, vehicles: int, seconds: int) -> float:
    """Return the CPU ms for each simulated second of a run without tasks on straight roads."""
    from cosim_agents.registry import make_policy

    from cosim.kernel.rng import stream
    from cosim.scenario.schema import Scenario
    from cosim.simulation import Simulation
    from cosim.trace.store.writer import TraceWriter

    plan = Scenario.model_validate(
        {
            "duration_s": seconds,
            "mobility": {"kind": "synthetic", "vehicles": vehicles, "roads": 50, "length_m": 5000, "spacing_m": 100},
            "sites": {"kind": "grid", "spacing_m": 600},
            "tasks": {"arrivals": {"kind": "poisson", "rate_per_s": 0}},
            "twin": twin,
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        writer = TraceWriter(Path(folder) / "run", plan.trace.part_s)
        simulation = Simulation(plan, writer)
        policy = make_policy("local", {}, stream(1, "policy"))
        return milliseconds(lambda: (simulation.run(policy), writer.close(True, plan.duration_s))) / seconds


def main() -> None:
    """Print the tables."""
    from pydantic import TypeAdapter

    from cosim.mobility.catalog import resolve_map
    from cosim.mobility.connect import connect
    from cosim.scenario.schema import Scenario
    from cosim.scenario.twin_forecast import MotionForecast
    from cosim.twin.forecast import KINDS, make_forecaster

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vehicles", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    plan = Scenario.model_validate(scenario(options.vehicles, options.seconds))
    net = resolve_map(plan.map, Path()).net
    with closing(connect(plan.mobility, plan.map, Path(), plan.seed, plan.duration_s)) as source:
        frames = [source.advance(tick) for tick in range(options.seconds + 1)]
    section: TypeAdapter[Any] = TypeAdapter(MotionForecast)

    def costs(kind: str) -> tuple[float, float, float]:
        forecaster = make_forecaster(section.validate_python({"kind": kind}), net)
        seen, soon, later = [], [], []
        for frame in frames:
            forecaster.forget(frame.left)
            state = frame.xy_m, frame.speed_mps, frame.heading_deg
            seen.append(milliseconds(lambda f=frame, s=state: forecaster.observe(f.numbers, f.time_s, *s)))
            soon.append(milliseconds(lambda f=frame: forecaster.at(f.time_s + 1.0, f.numbers)))
            later.append(milliseconds(lambda f=frame: forecaster.at(f.time_s + 5.0, f.numbers)))
        return median(seen), median(soon), median(later)

    count = round(sum(len(frame.numbers) for frame in frames) / len(frames))
    print(f"{count} vehicles on {Path(plan.map).name}, CPU ms a second of traffic, least of {options.rounds} rounds")
    print(f"{'forecaster':18} {'all states':>11} {'all, 1 s ahead':>15} {'all, 5 s ahead':>15}")
    for kind in KINDS:
        seen, soon, later = min((costs(kind) for _ in range(options.rounds)), key=sum)
        print(f"{kind:18} {seen:11.2f} {soon:15.2f} {later:15.2f}")
    told = {"sync": {"kind": "periodic", "period_s": 1}, "forecast": {"kind": "last"}}
    pairs = [[run_ms(twin, options.vehicles, options.seconds) for twin in (None, told)] for _ in range(options.rounds)]
    mirrored = min(with_twin - without for without, with_twin in pairs)
    print(f"mirroring {options.vehicles} vehicles, each heard once a second: {mirrored:.1f} ms a simulated second")


if __name__ == "__main__":
    main()
