"""A run folder with keys and a ledger that nobody simulated: a plain run's facts, and those that a test makes up."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from crafted import CraftedRun

from cosim.trace.facts.keys import (
    KeyLinkChanged,
    KeyLinkDeployed,
    KeyNodeDeployed,
    KeyPoolSampled,
    TaskKeyed,
    VehicleKeysSampled,
)
from cosim.trace.facts.ledger import (
    BlockCommitted,
    ConsensusWorked,
    OffenceFound,
    StakeChanged,
    ValidatorDeployed,
    ValidatorsParted,
)
from cosim.trace.facts.run import TaskEnded
from cosim.trace.store.reader import Trace
from cosim.types import KeyState, LinkState, Phase, Status

PLAIN = """\
name: plain
duration_s: 20
mobility: {kind: synthetic, vehicles: 8}
sites: {kind: listed, sites: [{name: a, x_m: 300, y_m: 20}, {name: b, x_m: 700, y_m: 20}, {name: c, x_m: 500, y_m: 45}]}
radio: {path_loss: {kind: power_law}}
statistics: {batches: 3, warmup_s: 5}
trace: {positions: true}
"""
CAPACITY_BIT = 2_000_000
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Setting:
    """What is made up; nodes beside those of the sites, and links from each node to the next so many."""

    nodes: int = 1
    reach: int = 1
    block_s: float = 1.0
    idle: bool = False
    """The scenario has keys and a ledger, but nothing came of them before the run was stopped."""


class _Story:
    """Facts of keys and ledger over a plain run."""

    def __init__(self, trace: Trace, run: CraftedRun, setting: Setting) -> None:
        self._run, self._writer = run, run.writer
        self._setting = setting
        self._draw = np.random.default_rng(7)
        self._end_s = trace.complete_to_s
        self._sites = trace.sql("SELECT * FROM site_deployed WHERE x_m IS NOT NULL ORDER BY site")
        self._tasks = trace.table(TaskEnded)

    def keys(self) -> None:
        """Pools that wander, a link that aborts, one that is cut, vehicles' pools and the keys of tasks."""
        links = self._net()
        stored = np.zeros(links, dtype=np.int64)
        record = self._writer.recorder(KeyPoolSampled)
        for second in range(1, int(self._end_s) + 1):
            for link in range(links):
                state = self._state(link, second)
                rate_bps = 0.0 if state else 20e3 / (1 + link) * self._draw.uniform(0.8, 1.2)
                used = int(self._draw.integers(0, 30_000 // (1 + link)))
                stored[link] = np.clip(stored[link] + int(rate_bps) - used * (stored[link] > used), 0, CAPACITY_BIT)
                noise = self._draw.uniform(-0.01, 0.01)
                qber = (0.03 + 0.004 * link + noise, 0.24 + noise, NAN)[state]
                record(float(second), link, int(stored[link]), 0, 0, 0, rate_bps, qber, 0.1)
        self._vehicles()
        self._tasks_keyed()

    def _net(self) -> int:
        places = [(row.name, row.x_m, row.y_m) for row in self._sites.itertuples(index=False)]
        low, high = self._sites[["x_m", "y_m"]].min(), self._sites[["x_m", "y_m"]].max()
        for extra in range(self._setting.nodes):
            x_m, y_m = (float(self._draw.uniform(low[axis], high[axis] + 150.0)) for axis in ("x_m", "y_m"))
            places.append((f"q{extra}", x_m, y_m))
        for node, place in enumerate(places):
            self._writer.recorder(KeyNodeDeployed)(0.0, node, *place)
        pairs = {
            tuple(sorted((node, (node + step) % len(places))))
            for node in range(len(places))
            for step in range(1, self._setting.reach + 1)
        }
        for link, (one, other) in enumerate(sorted(pairs)):
            self._writer.recorder(KeyLinkDeployed)(0.0, link, one, other, 1.5, CAPACITY_BIT, 0)
        for time_s, link, state in (
            (0.3, 0, LinkState.ABORTED),
            (0.5, 0, LinkState.UP),
            (0.6, 1, LinkState.CUT),
            (0.7, len(pairs) - 1, LinkState.ABORTED),
            (0.75, len(pairs) - 1, LinkState.UP),
        ):
            self._writer.recorder(KeyLinkChanged)(time_s * self._end_s, link, state)
        return len(pairs)

    def _state(self, link: int, second: float) -> int:
        part = second / self._end_s
        if link == 0 and 0.3 < part <= 0.5:
            return LinkState.ABORTED
        return LinkState.CUT if link == 1 and part > 0.6 else LinkState.UP

    def _vehicles(self) -> None:
        record, stored = self._writer.recorder(VehicleKeysSampled), 0
        for second in range(1, int(self._end_s) + 1):
            stored = max(0, stored + int(self._draw.integers(-20_000, 40_000)))
            filling, waiting = self._draw.poisson((6.0, 2.0))
            record(float(second), stored, stored, 0, 0, int(filling), int(waiting))

    def _tasks_keyed(self) -> None:
        record = self._writer.recorder(TaskKeyed)
        for row in self._tasks.itertuples(index=False):
            wait_s = self._draw.exponential(0.02, 2)
            refused, downgraded = row.task % 17 == 0, row.task % 11 == 0
            state = KeyState.REFUSED if refused else KeyState.DOWNGRADED if downgraded else KeyState.DRAWN
            up_s = NAN if refused else row.released_s + wait_s[0]
            asked_s = NAN if downgraded else row.released_s + 0.1
            down = (asked_s, asked_s + wait_s[1], 256, 2)
            record(row.time_s, row.task, row.vehicle, state, row.released_s, up_s, 256, 1, *down)

    def ledger(self) -> None:
        """Blocks with a gap, later rounds, an offence, a partition, stakes and work at the hosts."""
        names, end_s = list(self._sites.name), self._end_s
        for number, site in enumerate(self._sites.site):
            self._writer.recorder(ValidatorDeployed)(0.0, number, int(site))
        credit, height, time_s = np.full(len(names), 1000), 1, 0.0
        while (time_s := time_s + self._setting.block_s) < end_s - 1.0:
            self._stake(height, credit)
            if not 0.4 < time_s / end_s < 0.55:  # parted
                self._block(height, time_s, height % len(names), int(height % 7 == 0))
                height, credit = height + 1, credit + self._draw.integers(-20, 40, len(names))
        self._stake(height, credit)
        for by in (1, 0):
            self._writer.recorder(OffenceFound)(0.7 * end_s + by, 9, 0, 1, by, 1, "aa", "bb")
        for begins, part in ((1, 0.4), (0, 0.55), (1, 0.97)):
            self._writer.recorder(ValidatorsParted)(part * end_s, begins, f"{names[0]} | {', '.join(names[1:])}")

    def _stake(self, height: int, credit: Any) -> None:
        record = self._writer.recorder(StakeChanged)
        for number, own in enumerate(credit):
            record(0.0, height, number, int((height, number) != (3, 1)), int(own), 0, 0, 0, 0)

    def _block(self, height: int, time_s: float, proposer: int, later: int) -> None:
        took_s = self._draw.uniform(0.05, 0.15) + later * 0.6
        values = {
            "time_s": time_s + took_s,
            "height": height,
            "round": later,
            "proposer": proposer,
            "began_s": time_s - 0.9,
            "proposed_s": time_s,
            "records": int(self._draw.poisson(40.0)),
        }
        self._run.record(BlockCommitted, **values)
        record = self._writer.recorder(ConsensusWorked)
        for site in self._sites.site:
            record(time_s + took_s, int(site), height, 2, 1e8, time_s, time_s if height != 2 else NAN, 0.1)


def craft(plain: Path, out: Path, setting: Setting, keys: bool = True, ledger: bool = True) -> Path:
    """A copy of a plain run with keys and a ledger; of its tasks each 17th ended NO_KEY."""
    with Trace.open(plain) as trace:
        scenario = {**trace.provenance.scenario}
        scenario |= {"keys": {}} if keys else {}
        scenario |= {"ledger": {"block": {"interval_s": setting.block_s}}} if ledger else {}
        run = CraftedRun(out)
        run.copy(trace, _refused if keys else lambda _fact, _rows: None)
        story = _Story(trace, run, setting)
        if keys and not setting.idle:
            story.keys()
        if ledger and not setting.idle:
            story.ledger()
        return run.close(scenario, trace.complete_to_s, not setting.idle)


def _refused(fact: type, rows: pd.DataFrame) -> None:
    if fact is TaskEnded:
        rows.loc[rows.task % 17 == 0, ["status", "phase"]] = (Status.NO_KEY, Phase.KEY)
