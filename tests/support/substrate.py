"""A run of 20 s with keys and a ledger, made by hand: six tasks, one link, two sites with a core each, two blocks.

Task 0 waits 1 s and 0.5 s for keys, 1 goes without one after 1 s, 2 gets none before its uplink, 3 loses its vehicle
while it waits for its downlink's key, 4 is helped by a neighbour, and 5 queues 1.5 s behind the making of block 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crafted import write_run

from cosim.audit.verify import run_rules
from cosim.trace.facts.keys import (
    KeyBlockDistilled,
    KeyLinkChanged,
    KeyLinkDeployed,
    KeyNodeDeployed,
    KeyPoolSampled,
    TaskKeyed,
    VehicleKeysFilled,
    VehicleKeysSampled,
)
from cosim.trace.facts.ledger import (
    BatchCommitted,
    BatchSealed,
    BlockCommitted,
    BlockProposed,
    ConsensusWorked,
    EvidenceCommitted,
    OffenceFound,
    StakeChanged,
    ValidatorDeployed,
    ValidatorsParted,
    VoteCast,
)
from cosim.trace.facts.run import (
    HostSampled,
    SiteDeployed,
    TaskDecided,
    TaskEnded,
    TaskReleased,
    TrafficSampled,
    VehicleEntered,
)
from cosim.trace.store.reader import Trace
from cosim.types import KeyState, LinkState, Phase, Status, Tier, Work

NAN = float("nan")
END_S = 20
HZ = 1e9
WATT = 0.5
THROWN_AWAY_S = 4
INITIAL_BIT, BLOCK_BIT = 1000, 500
_BIT, _BPS = 1e6, 1e7


@dataclass(frozen=True)
class Life:
    """A task with its times and keys; sizes are equal."""

    released_s: float
    deadline_s: float
    status: Status
    phase: Phase
    end_s: float
    tier: Tier = Tier.EDGE
    target: int = 0
    up: tuple[float, float, int, int] = (NAN, NAN, 0, 0)
    uplink_s: float = NAN
    queued_s: float = NAN
    started_s: float = NAN
    executed_s: float = NAN
    down: tuple[float, float, int, int] = (NAN, NAN, 0, 0)
    downlink_s: float = NAN
    keys: KeyState | None = None


LIVES = (
    Life(2.0, 4.0, Status.LATE, Phase.DONE, 5.0, up=(2.0, 3.0, 256, 2), uplink_s=3.0, queued_s=3.5, started_s=3.5,
         executed_s=4.0, down=(4.0, 4.5, 256, 0), downlink_s=4.5, keys=KeyState.DRAWN),
    Life(5.0, 7.0, Status.LATE, Phase.DONE, 7.5, up=(5.0, NAN, 0, 0), uplink_s=6.0, queued_s=6.5, started_s=6.5,
         executed_s=7.0, downlink_s=7.0, keys=KeyState.DOWNGRADED),
    Life(8.0, 9.5, Status.NO_KEY, Phase.KEY, 9.0, up=(8.0, NAN, 0, 0), keys=KeyState.REFUSED),
    Life(8.0, 12.0, Status.LEFT, Phase.KEY, 10.0, uplink_s=8.0, queued_s=9.0, started_s=9.0, executed_s=9.5,
         down=(9.5, NAN, 0, 0), keys=KeyState.REFUSED),
    Life(10.0, 13.0, Status.COMPLETED, Phase.DONE, 12.0, Tier.NEIGHBOUR, 1, (10.0, 10.0, 32, 1), 10.0, 10.5, 10.5,
         11.5, downlink_s=11.5, keys=KeyState.DRAWN),
    Life(12.0, 14.0, Status.LATE, Phase.DONE, 15.0, uplink_s=12.0, queued_s=12.5, started_s=14.0, executed_s=14.5,
         downlink_s=14.5),
)  # fmt: skip
WORKS = (
    (0, 1, Work.MAKE, 12.25, 12.25, 14.0),
    (1, 1, Work.VERIFY, 14.25, 14.25, 14.75),
    (0, 2, Work.MAKE, 16.0, 16.0, 17.0),
)
"""Site, height, kind, queued, started and ended."""
FILLS = ((1.0, 0, 600), (2.0, 1, 600))
"""Time, vehicle, bits, each over one link."""


def facts() -> list[Any]:
    """All rows of the run, in the order of their recording."""
    rows = [*_deployed(), *_keys(), *_ledger(), *_tasks(), *_samples()]
    return sorted(rows, key=lambda row: (row.time_s, type(row).__name__.endswith("Sampled")))


Broken = tuple[type, int, dict[str, Any], str]
"""Kind of row, its number, columns that are written otherwise, and words of the reason that the audit gives."""


def change(rows: list[Any], kind: type, number: int, **columns: Any) -> list[Any]:
    """The rows with one of a kind written otherwise."""
    place = [at for at, row in enumerate(rows) if type(row) is kind][number]
    return [*rows[:place], replace(rows[place], **columns), *rows[place + 1 :]]


def without(rows: list[Any], kind: type, number: int) -> list[Any]:
    """The rows less one of a kind."""
    gone = [row for row in rows if type(row) is kind][number]
    return [row for row in rows if row is not gone]


def named(run: Path, why: str) -> list[tuple[str, int]]:
    """Kind and `seq` of the rows that break the rules of the audit whose reason has these words."""
    rules = [rule for rule in run_rules(complete=True) if why in rule.why]
    assert rules, why
    with Trace.open(run) as trace:
        return [(rule.kind, seq) for rule in rules for seq in trace.sql(rule.query).seq.tolist()]


def side_by_side(broken: Sequence[Broken]) -> list[list[Broken]]:
    """Spread broken laws over runs so that none changes a row twice."""
    runs: list[list[Broken]] = []
    for law in broken:
        free = (run for run in runs if law[:2] not in [other[:2] for other in run])
        run = next(free, None)
        if run is None:
            runs.append([law])
        else:
            run.append(law)
    return runs


def not_named(folder: Path, broken: Sequence[Broken]) -> list[str]:
    """Break laws in one run, and return the reasons that the audit does not give."""
    rows = facts()
    for kind, number, columns, _ in broken:
        rows = change(rows, kind, number, **columns)
    rules = run_rules(complete=True)
    with Trace.open(write(folder, rows)) as trace:
        return [why for *_, why in broken if not any(len(trace.sql(rule.query)) for rule in rules if why in rule.why)]


def write(folder: Path, rows: Sequence[Any], **changes: Any) -> Path:
    """Store rows as a complete run; `changes` go into its scenario."""
    said = {"duration_s": END_S, "statistics": {"batches": 5}, "keys": {}, "ledger": {}, **changes}
    return write_run(folder, rows, said, float(END_S))


def _deployed() -> list[Any]:
    return [
        SiteDeployed(0.0, 0, "A", 0.0, 0.0, 1, HZ),
        SiteDeployed(0.0, 1, "B", 900.0, 0.0, 1, HZ),
        VehicleEntered(0.0, 0, "a", "car"),
        VehicleEntered(0.0, 1, "b", "car"),
        KeyNodeDeployed(0.0, 0, "A", 0.0, 0.0),
        KeyNodeDeployed(0.0, 1, "B", 900.0, 0.0),
        KeyLinkDeployed(0.0, 0, 0, 1, 1.0, 100_000, INITIAL_BIT),
        ValidatorDeployed(0.0, 0, 0),
        ValidatorDeployed(0.0, 1, 1),
    ]


def _keys() -> list[Any]:
    rows: list[Any] = []
    for at_s in range(1, END_S + 1):
        lost = at_s == THROWN_AWAY_S
        rows.append(KeyBlockDistilled(at_s, 0, BLOCK_BIT, 0 if lost else BLOCK_BIT, 0.25 if lost else 0.01))
    rows.extend(VehicleKeysFilled(at_s, vehicle, 0, bit, 1, 0) for at_s, vehicle, bit in FILLS)
    rows.append(KeyLinkChanged(THROWN_AWAY_S, 0, LinkState.ABORTED))
    rows.append(KeyLinkChanged(THROWN_AWAY_S + 1.0, 0, LinkState.UP))
    return rows


def _ledger() -> list[Any]:
    return [
        StakeChanged(0.0, 1, 0, 1, 1000, 0, 0, 0, 1000),
        StakeChanged(0.0, 1, 1, 1, 1000, 0, 0, 0, 1000),
        BatchSealed(11.0, 0, 0, 3, 800, "aa"),
        BatchSealed(11.0, 1, 0, 2, 800, "bb"),
        BlockProposed(14.0, 1, 0, 0, 2, 16384, "block-1"),
        *(VoteCast(14.75 + phase / 10, 1, 0, who, phase, 1) for phase in (0, 1) for who in (0, 1)),
        OffenceFound(14.9, 1, 0, 1, 0, 1, "block-1", ""),
        BlockCommitted(15.0, 1, 0, 0, 12.0, 14.0, 5, 16384, "s1", 990, 3001, 0, "", "", "block-1"),
        BatchCommitted(15.0, 1, 0, 0, 3, 1, "aa"),
        BatchCommitted(15.0, 1, 1, 0, 2, 0, "bb"),
        StakeChanged(15.0, 2, 0, 1, 1006, 1, 5, 0, 0),
        StakeChanged(15.0, 2, 1, 1, 1005, 0, 5, 0, 0),
        BatchSealed(15.5, 0, 1, 4, 900, "cc"),
        ValidatorsParted(15.6, 1, "A | B"),
        ValidatorsParted(15.8, 0, "A | B"),
        BlockProposed(17.0, 2, 0, 0, 1, 16384, "block-2"),
        BlockCommitted(17.5, 2, 0, 0, 16.0, 17.0, 4, 16384, "s2", 980, 3001, 500, "0 1", "block-1", "block-2"),
        BatchCommitted(17.5, 2, 0, 1, 4, 0, "cc"),
        EvidenceCommitted(17.5, 2, 1, 0, 1, 1, "block-1", ""),
        StakeChanged(17.5, 3, 0, 1, 1011, 0, 5, 0, 0),
        StakeChanged(17.5, 3, 1, 1, 510, 0, 5, 500, 0),
        *(
            ConsensusWorked(ended_s, site, height, work, HZ * (ended_s - started_s), queued_s, started_s,
                            WATT * (ended_s - started_s))
            for site, height, work, queued_s, started_s, ended_s in WORKS
        ),
    ]  # fmt: skip


def _tasks() -> list[Any]:
    rows: list[Any] = []
    for task, life in enumerate(LIVES):
        worked_s = 0.0 if life.executed_s != life.executed_s else life.executed_s - life.started_s
        helped, at_s = life.tier == Tier.NEIGHBOUR, life.released_s
        site, joules = -1 if helped or life.uplink_s != life.uplink_s else 0, WATT * worked_s
        back = life.phase == Phase.DONE and not helped
        rows.append(TaskReleased(at_s, task, 0, 0, life.deadline_s, _BIT, _BIT, 5e8, 1.0, 1.0, 1.0, 1.0))
        rows.append(TaskDecided(at_s, task, life.tier, life.target, 1.0, 0.2, 1.0, 1.0, _BPS, _BPS))
        uplinked_s = life.queued_s
        rows.append(TaskEnded(
            life.end_s, task, 0, life.status, life.phase, life.tier, life.target, site, 0 if back else -1, 0,
            at_s, life.deadline_s, at_s, life.uplink_s, uplinked_s, life.queued_s, life.started_s, life.executed_s,
            life.downlink_s, 0.01, joules if helped else 0.0, 0.0 if helped else joules, 0 if back else -1, 0.0,
        ))  # fmt: skip
        if life.keys is not None:
            rows.append(TaskKeyed(life.end_s, task, 0, life.keys, *life.up, *life.down))
    return rows


def _samples() -> list[Any]:
    rows: list[Any] = []
    for at_s in range(END_S + 1):
        draws = [(keys, life.tier) for life in LIVES for keys in (life.up, life.down) if keys[1] <= at_s]
        filled = sum(bit for fill_s, _, bit in FILLS if fill_s <= at_s)
        relayed = filled + sum(bit * hops for (_, _, bit, hops), _ in draws)
        drawn = sum(bit * (2 if tier == Tier.NEIGHBOUR else 1) for (_, _, bit, _), tier in draws)
        lost, made = BLOCK_BIT * (at_s >= THROWN_AWAY_S), INITIAL_BIT + BLOCK_BIT * at_s
        rows.append(KeyPoolSampled(at_s, 0, made - lost - relayed, made, relayed, lost, 500.0, 0.01, 1.0))
        rows.append(VehicleKeysSampled(at_s, filled - drawn, filled, drawn, 0, 0, 0))
        alive_s = sum(max(0.0, min(life.end_s, at_s) - life.released_s) for life in LIVES)
        rows.append(TrafficSampled(at_s, 2, 2, 0, 10.0, 0, 0, alive_s))
        rows.extend(_host(site, at_s) for site in (0, 1))
    return rows


def _host(site: int, at_s: float) -> HostSampled:
    spans = [(life.queued_s, life.started_s, life.executed_s) for life in LIVES
             if life.tier == Tier.EDGE and life.target == site and life.queued_s == life.queued_s]  # fmt: skip
    spans.extend(work[3:] for work in WORKS if work[0] == site)
    number_s = sum(max(0.0, min(end_s, at_s) - queued_s) for queued_s, _, end_s in spans)
    busy_s = sum(max(0.0, min(end_s, at_s) - started_s) for _, started_s, end_s in spans)
    served = sum(end_s <= at_s for *_, end_s in spans)
    return HostSampled(at_s, site, 0, 0, number_s, busy_s, WATT * busy_s, served, 0)
