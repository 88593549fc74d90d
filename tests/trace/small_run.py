"""A small run made by hand: five vehicles, one edge host with one core in order of arrival, half of the tasks local."""

from dataclasses import dataclass
from pathlib import Path

import crafted
import numpy as np

from cosim.trace.facts.run import (
    CellChanged,
    CellSampled,
    HostSampled,
    SiteDeployed,
    TaskDecided,
    TaskEnded,
    TaskReleased,
    TrafficSampled,
    TransferMoved,
    VehicleEntered,
)
from cosim.trace.store.provenance import Provenance, write_provenance
from cosim.trace.store.writer import TraceWriter
from cosim.types import NOWHERE, Phase, Status, Tier

NAN = float("nan")
END_S = 60.0
EDGE_J = 0.25


@dataclass(frozen=True, slots=True)
class Life:
    """One task of the small run; times after the end did not happen."""

    task: int
    released_s: float
    decided_s: float
    edge: bool
    uplinked_s: float
    started_s: float
    executed_s: float
    time_s: float

    def known(self, time_s: float) -> float:
        """NaN for what lies after the end of the run."""
        return time_s if time_s <= END_S else NAN


def lives(count: int, seed: int) -> list[Life]:
    """Tasks in order of release: 0.05 s up, 0.3 s of service in order at the edge or 0.5 s at home, 0.02 s down."""
    released = np.sort(np.random.default_rng(seed).uniform(0.0, END_S - 0.2, count))
    free_s, made = 0.0, []
    for task, released_s in enumerate(released.tolist()):
        decided_s, edge = np.floor(released_s * 10 + 1) / 10, task % 2 == 0
        queued_s = decided_s + (0.05 if edge else 0.0)
        started_s = max(queued_s, free_s) if edge else queued_s
        executed_s = started_s + (0.3 if edge else 0.5)
        free_s = executed_s if edge else free_s
        made.append(
            Life(task, released_s, decided_s, edge, queued_s, started_s, executed_s, executed_s + (0.02 if edge else 0))
        )
    return made


def ended(life: Life) -> TaskEnded:
    """The row of a task; what lies after the end of the run is left out."""
    done = life.time_s <= END_S
    deadline_s = life.released_s + 0.8
    late = life.time_s > deadline_s
    status = (Status.LATE if late else Status.COMPLETED) if done else Status.IN_FLIGHT
    reached = [life.uplinked_s, life.started_s, life.executed_s, life.time_s]
    phases = [Phase.UPLINK, Phase.QUEUE, Phase.EXECUTION, Phase.DOWNLINK, Phase.DONE]
    return TaskEnded(
        time_s=min(life.time_s, END_S),
        task=life.task,
        vehicle=life.task % 5,
        status=status,
        phase=phases[sum(time_s <= END_S for time_s in reached)],
        tier=Tier.EDGE if life.edge else Tier.LOCAL,
        target=0 if life.edge else NOWHERE,
        uplink_site=0 if life.edge else NOWHERE,
        downlink_site=0 if life.edge else NOWHERE,
        handovers=0,
        released_s=life.released_s,
        deadline_s=deadline_s,
        decided_s=life.decided_s,
        uplink_s=life.decided_s if life.edge else NAN,
        uplinked_s=life.known(life.uplinked_s) if life.edge else NAN,
        queued_s=life.known(life.uplinked_s),
        started_s=life.known(life.started_s),
        executed_s=life.known(life.executed_s),
        downlink_s=life.known(life.executed_s) if life.edge else NAN,
        transmit_j=0.01 if life.edge else 0.0,
        vehicle_cpu_j=0.0 if life.edge else 0.5,
        edge_cpu_j=EDGE_J * (life.edge and life.executed_s <= END_S),
        downlink_from_site=0 if life.edge and life.executed_s <= END_S else NOWHERE,
        wire_bit=0.0,
    )


class Recorder:
    """Writes the small run tick by tick, as a simulation would."""

    def __init__(self, folder: Path, part_s: float, count: int, seed: int) -> None:
        self.folder = folder
        self.writer = TraceWriter(folder, part_s)
        self.lives = lives(count, seed)
        self.release = self.writer.batch(TaskReleased)
        self.decide = self.writer.recorder(TaskDecided)
        self.end = self.writer.recorder(TaskEnded)

    def start(self) -> None:
        """Provenance, sites, vehicles, and the first coverage."""
        self.writer.belong_to(provenance(self.writer, "running"))
        site = self.writer.recorder(SiteDeployed)
        site(0.0, 0, "rsu-0", 0.0, 0.0, 1, 3e9)
        site(0.0, 1, "cloud", NAN, NAN, 0, 3e9)
        entered = self.writer.recorder(VehicleEntered)
        for vehicle in range(5):
            entered(time_s=0.0, vehicle=vehicle, vehicle_id=f"veh{vehicle}", vehicle_type="car")
        changed = self.writer.recorder(CellChanged)
        changed(0.0, 0, NOWHERE, 0)

    def tick(self, tick: int) -> None:
        """All facts of the second before `tick`, and the samples at it."""
        now_s = float(tick)
        past = [life for life in self.lives if now_s - 1.0 <= life.released_s < now_s]
        if past:
            self._released(past)
        for life in self.lives:
            if now_s - 1.0 <= life.decided_s < now_s:
                tier, target = (Tier.EDGE, 0) if life.edge else (Tier.LOCAL, NOWHERE)
                self.decide(life.decided_s, life.task, tier, target, 1.0, 0.2, 1.0, 0.4, 8e6, 9e6)
            if now_s - 1.0 <= life.time_s < now_s or (tick == END_S and life.time_s >= END_S):
                row = ended(life)
                self.end(*(getattr(row, name) for name in TaskEnded.__slots__))
        self._sampled(now_s)
        self.writer.tick(now_s)

    def _released(self, past: list[Life]) -> None:
        released = np.array([life.released_s for life in past])
        task = np.array([life.task for life in past])
        self.release(
            time_s=released,
            task=task,
            vehicle=task % 5,
            task_class=0,
            deadline_s=released + 0.8,
            input_bit=1e6,
            output_bit=1e4,
            cycles=1e9,
            priority=1.0,
            efficiency=1.0,
            vehicle_accuracy=1.0,
            edge_accuracy=1.0,
        )

    def _sampled(self, now_s: float) -> None:
        edge = [life for life in self.lives if life.edge]
        number_s = sum(max(0.0, min(life.executed_s, now_s) - life.uplinked_s) for life in edge)
        busy_s = sum(max(0.0, min(life.executed_s, now_s) - life.started_s) for life in edge)
        alive_s = sum(max(0.0, min(life.time_s, now_s) - life.decided_s) for life in self.lives)
        served = sum(life.executed_s <= now_s for life in edge)
        sample = self.writer.recorder(HostSampled)
        sample(now_s, 0, 0, 0, number_s, busy_s, EDGE_J * served, served, 0)
        cell = self.writer.recorder(CellSampled)
        cell(now_s, 0, 0, 0, 0.0, 0.0, 1e6 * served)
        traffic = self.writer.recorder(TrafficSampled)
        traffic(now_s, 5, 4, 0, 10.0, 0, 0, alive_s)
        if now_s == 5.0:
            handover = self.writer.recorder(CellChanged)
            handover(now_s, 1, 0, 1)
            moved = self.writer.recorder(TransferMoved)
            moved(now_s, 0, 0, 0, NOWHERE, 10.0)


def provenance(writer: TraceWriter, status: str) -> Provenance:
    """What the small run says of itself."""
    said = {"duration_s": END_S, "statistics": {"batches": 5}, "policy": "alternating"}
    return crafted.provenance(writer, said, status=status)


def write_small_run(folder: Path, part_s: float = 20.0, count: int = 240, seed: int = 1) -> TraceWriter:
    """Write the small run and its provenance; gives the closed writer."""
    recorder = Recorder(folder, part_s, count, seed)
    recorder.start()
    for tick in range(1, int(END_S) + 1):
        recorder.tick(tick)
    recorder.writer.close(complete=True, end_s=END_S)
    write_provenance(folder, provenance(recorder.writer, "complete"))
    return recorder.writer
