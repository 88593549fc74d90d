"""What a task costs beside a backlog, in steps of the interpreter: these are counted, so that no clock is asked."""

import math
import sys
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from scripted import Place, ScriptedMobility
from stories import scenario, write_arrivals

from cosim.compute import VehicleHosts
from cosim.decision import Action, Observation
from cosim.kernel.clock import Clock
from cosim.scenario.hosts import VehicleCompute
from cosim.simulation import Simulation
from cosim.types import Tier

FEW, MANY = 100, 10_000
CARRIERS = 20
"""Vehicles that the backlog belongs to."""
FROM_S, UNTIL_S = 3.0, 5.5
BACKLOGS: Mapping[str, tuple[Mapping[str, float], Tier]] = {
    "cell": ({"input_bit": 1e12}, Tier.EDGE),
    "vehicles": ({"cycles": 1e15}, Tier.LOCAL),
    "host": ({"input_bit": 1.0, "cycles": 1e15}, Tier.EDGE),
}
"""Sizes of the tasks that wait, and where they do."""
SLICES = {"access": {"kind": "fixed", "slice_share": 1.0}}
"""However many send, each has its slice: what is counted ends beside any backlog."""


class BySize:
    """Sends tasks with large numbers where the backlog is, the others to site B."""

    def __init__(self, tier: Tier) -> None:
        self.tier = tier

    def decide(self, observation: Observation) -> Action:
        """Column 0 is the vehicle, 1 the site that is near, 2 the other."""
        large = (observation.input_bit > 1e9) | (observation.cycles > 1e12)
        return Action(np.where(large, 0 if self.tier == Tier.LOCAL else 1, 2))


class Counter:
    """A count of the steps that the interpreter takes in cosim's own code, one for each operation of its byte code.

    What numpy and heaps do in one such step counts as one.
    """

    def __init__(self) -> None:
        self.steps = 0

    def __enter__(self) -> "Counter":
        """Begin to count."""
        self._before = sys.gettrace()
        sys.settrace(self._step)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        sys.settrace(self._before)

    def _step(self, frame: FrameType, event: str, _: Any) -> Any:
        if "/cosim/" not in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        self.steps += event == "opcode"
        return self._step


def steps(folder: Path, backlog: str, size: int, deadline_s: float) -> tuple[int, int]:
    """Return the steps of cosim's own code in which 100 tasks come and end, and how many tasks were there all along.

    Vehicles move at each tick, one leaves, and neither changes a cell.
    """
    sizes, tier = BACKLOGS[backlog]
    names = [f"c{number}" for number in range(CARRIERS)]
    paths: dict[str, list[Place]] = {
        name: [(float(number + tick), 10.0) for tick in range(12)] for number, name in enumerate([*names, "task"])
    }
    paths |= {f"leaves {tick}": [(0.0, 20.0)] * tick for tick in range(3, 7)}
    waiting: list[tuple[Any, ...]] = [
        (0.5 * number / size, names[number % CARRIERS], {"deadline_s": 99.0, **sizes}) for number in range(size)
    ]
    counted = [
        (
            FROM_S + number / 40.0,
            "task",
            {"input_bit": 1e5, "deadline_s": deadline_s, "cycles": 1e5, "output_bit": 1e4},
        )
        for number in range(120)
    ]
    write_arrivals(folder, waiting + counted)
    chosen = scenario(
        radio=SLICES,
        decisions={"kind": "periodic", "period_s": 0.1},
        tasks={"on_deadline": "drop"},
        duration_s=8.0,
    )
    source = ScriptedMobility(chosen.mobility.step_s, paths)
    source.bounds_m = (-1e4, -1e4, 1e4, 1e4)
    run = Simulation(chosen, folder=folder, source=source)
    policy, counter = BySize(tier), Counter()
    with closing(run), ExitStack() as stack:
        while (epoch := run.advance()) is not None and epoch.time_s < UNTIL_S:
            if epoch.time_s >= FROM_S and not counter.steps:
                stack.enter_context(counter)
            run.decide(policy.decide(epoch.observation))
    return counter.steps, len(run._run.offloading.alive)


@pytest.mark.parametrize("deadline_s", [9.0, 0.15])
@pytest.mark.parametrize("backlog", BACKLOGS)
def test_a_task_costs_no_more_beside_a_backlog(tmp_path: Path, backlog: str, deadline_s: float) -> None:
    """Beside 10,000 tasks that wait, those that come and end, or are dropped, cost at most log n / log n' as much."""
    few, there = steps(tmp_path, backlog, FEW, deadline_s)
    assert FEW <= there < FEW + 50
    many, there = steps(tmp_path, backlog, MANY, deadline_s)
    assert MANY <= there < MANY + 50
    assert many <= few * math.log(MANY) / math.log(FEW), (few, many)


def test_a_process_queues_work_in_a_vehicle_beside_a_backlog() -> None:
    """An execution that a SimPy process queues in a vehicle costs no more behind 10,000 than behind 100 of them."""

    def taken(size: int) -> int:
        hosts = VehicleHosts(Clock(), VehicleCompute(), seed=1)
        hosts.enter([0])
        for _ in range(size):
            hosts.execute(0, 1e15)
        with Counter() as counter:
            for _ in range(size):
                hosts.execute(0, 1e15)
        return counter.steps // size

    assert taken(MANY) <= taken(FEW) * math.log(MANY) / math.log(FEW)
