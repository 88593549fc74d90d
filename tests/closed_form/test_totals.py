"""Running totals on random workloads in which jobs are taken away: Little's law and the integral of power, exactly."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from effort import drawn
from hypothesis import given
from hypothesis import strategies as st
from physics import seen

from cosim.adaptation.curve import ShannonCurve
from cosim.compute import Execution, Host, QueueHost, SharingHost, energy_j
from cosim.kernel.clock import Clock, Story, Wait
from cosim.kernel.fluid import Flow
from cosim.radio.cell import Cell, NomaCell, OrthogonalCell
from cosim.types import Failure
from cosim.validation.drive import drive

EXACT = 1e-9
FAST = drawn(150)


@dataclass(frozen=True, slots=True)
class Job:
    """Comes `gap_s` after the one before, and is taken away after `patience_s` if it is not done by then."""

    gap_s: float
    size: float
    patience_s: float
    priority: float
    share: float


JOBS = st.lists(
    st.builds(
        Job,
        gap_s=st.floats(0.0, 5.0),
        size=st.floats(0.1, 10.0),
        patience_s=st.one_of(st.just(math.inf), st.floats(0.0, 10.0)),
        priority=st.floats(0.0, 1.0),
        share=st.floats(0.1, 1.0),
    ),
    min_size=1,
    max_size=40,
)
HOSTS: dict[str, Callable[[Clock], Host]] = {
    "queue": lambda clock: QueueHost(clock, 2.0, 1, 0.3),
    "cores": lambda clock: QueueHost(clock, 2.0, 3, 0.3),
    "bounded": lambda clock: QueueHost(clock, 2.0, 1, 0.3, 2),
    "priority": lambda clock: QueueHost(clock, 2.0, 2, 0.3, 5, by_priority=True),
    "sharing": lambda clock: SharingHost(clock, 2.0, 1, 0.3),
    "sharing cores": lambda clock: SharingHost(clock, 2.0, 3, 0.3, 4),
}
CELLS: dict[str, Callable[[Clock], Cell]] = {
    "ofdma": lambda clock: OrthogonalCell(clock, 2.0, ShannonCurve(4.0)),
    "fixed": lambda clock: OrthogonalCell(clock, 0.7, ShannonCurve(), shared=False),
    "noma": lambda clock: NomaCell(clock, 2.0, ShannonCurve(4.0), sic=False),
    "noma with sic": lambda clock: NomaCell(clock, 2.0, ShannonCurve(), sic=True),
}


class TakenAway(Failure):
    """By the test."""


def spend(clock: Clock, jobs: list[Job], start: Callable[[Job], Wait]) -> tuple[list[float], list[Wait], int]:
    """Times spent in a part, the waits that were let in, and how many of them were taken away."""
    spent_s: list[float] = []
    waits: list[Wait] = []
    alive: set[int] = set()
    taken = 0

    def take_away(wait: Wait) -> None:
        if id(wait) in alive:
            wait.cancel(TakenAway())

    def story(number: int) -> Story:
        nonlocal taken
        job, entered_s = jobs[number], clock.now
        try:
            wait = start(job)
        except Failure:
            return
        waits.append(wait)
        alive.add(id(wait))
        if job.patience_s < math.inf:
            clock.at(entered_s + job.patience_s, partial(take_away, wait))
        try:
            yield wait
        except TakenAway:
            taken += 1
        alive.discard(id(wait))
        spent_s.append(clock.now - entered_s)

    drive(clock, np.cumsum([job.gap_s for job in jobs]), story)
    return spent_s, waits, taken


@pytest.mark.parametrize("kind", HOSTS)
@FAST
@given(jobs=JOBS)
def test_host(kind: str, jobs: list[Job]) -> None:
    """A host's integral of number is the sum of its sojourns, kappa f^3 times busy time what its jobs paid (1e-9)."""
    clock = Clock()
    host = HOSTS[kind](clock)
    spent_s, waits, taken = spend(clock, jobs, lambda job: host.execute(job.size, job.priority, job.share))
    host.settle()
    executions = [wait for wait in waits if isinstance(wait, Execution)]
    assert host.number_s == pytest.approx(math.fsum(spent_s), rel=EXACT, abs=EXACT)
    paid_j = math.fsum(execution.energy_j for execution in executions)
    assert energy_j(host) == pytest.approx(paid_j, rel=EXACT, abs=EXACT)
    seen([host.number_s, energy_j(host)], [math.fsum(spent_s), paid_j], "s or J")
    assert paid_j == pytest.approx(0.3 * 2.0**2 * math.fsum(e.size - e.left for e in executions), rel=EXACT)
    assert host.served + taken + host.rejected == len(jobs)
    assert (host.running, host.queued, host.wait_s) == (0, 0, 0.0)


@pytest.mark.parametrize("kind", CELLS)
@FAST
@given(jobs=JOBS)
def test_cell(kind: str, jobs: list[Job]) -> None:
    """A cell's integral of number is the sum of its transfers' times, its busy time their union (1e-9)."""
    clock = Clock()
    cell = CELLS[kind](clock)

    def start(job: Job) -> Flow:
        return cell.start(Flow(job.size, cell.gain(0.5 + 20.0 * job.priority), job.share))

    spent_s, waits, _ = spend(clock, jobs, start)
    cell.settle()
    flows = [wait for wait in waits if isinstance(wait, Flow)]
    assert len(flows) == len(spent_s) == len(jobs)
    total_s = math.fsum(spent_s)
    assert cell.number_s == pytest.approx(total_s, rel=EXACT, abs=EXACT)
    assert math.fsum(flow.active_s for flow in flows) == pytest.approx(total_s, rel=EXACT, abs=EXACT)
    assert max(spent_s) - EXACT <= cell.busy_s <= min(total_s, clock.now) + EXACT
    assert cell.done == pytest.approx(math.fsum(flow.size for flow in flows if flow.error is None), rel=EXACT)
    assert cell.active == 0
