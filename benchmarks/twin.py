"""The cost of the twin's forecasts for 5,000 vehicles: CPU ms for each synchronisation and for each forecast of all.

Traffic is that of `benchmarks/city.py`. A round is the same ticks again with new forecasters; printed is the least
median of the rounds, which is what an otherwise idle core needs.
"""

import argparse
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from city import scenario


def milliseconds(work: Any) -> float:
    """CPU milliseconds of a call."""
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1e3


def main() -> None:
    """Print the table."""
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
    print(f"{count} vehicles on {plan.map}, CPU ms a second of traffic, least of {options.rounds} rounds")
    print(f"{'forecaster':18} {'all states':>11} {'all, 1 s ahead':>15} {'all, 5 s ahead':>15}")
    for kind in KINDS:
        seen, soon, later = min((costs(kind) for _ in range(options.rounds)), key=sum)
        print(f"{kind:18} {seen:11.2f} {soon:15.2f} {later:15.2f}")


if __name__ == "__main__":
    main()
