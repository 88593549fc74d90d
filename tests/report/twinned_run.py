"""A run folder with twins that nobody simulated: a plain run's facts, and those that a test makes up."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from crafted import CraftedRun

from cosim.trace.facts.twin import TwinHostSampled, TwinMoved, TwinSampled, TwinSynced
from cosim.trace.store.reader import Trace

PLAIN = """\
name: plain
duration_s: 20
mobility: {kind: synthetic, vehicles: 8}
sites: {kind: listed, sites: [{name: a, x_m: 300, y_m: 20}, {name: b, x_m: 700, y_m: 20}, {name: c, x_m: 500, y_m: 45}]}
radio: {path_loss: {kind: power_law}}
statistics: {batches: 3, warmup_s: 5}
trace: {positions: true}
"""
CAPACITY = (5, 4, 12)
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Setting:
    """What is made up."""

    placed: bool = True
    sample_s: float = 1.0
    forecast: bool = True
    """Somebody forecasts, places and arrivals."""
    idle: bool = False
    """The scenario has twins, but nothing came of them before the run was stopped."""


class _Story:
    """Facts of twins over a plain run."""

    def __init__(self, trace: Trace, run: CraftedRun, setting: Setting) -> None:
        self._run = run
        self._setting = setting
        self._draw = np.random.default_rng(11)
        self._end_s = trace.complete_to_s
        self._sites = int(trace.sql("SELECT count(*) AS n FROM site_deployed WHERE x_m IS NOT NULL").n.iloc[0])
        left = trace.sql("SELECT vehicle, time_s AS left_s FROM vehicle_left")
        entered = trace.sql("SELECT vehicle, time_s AS entered_s FROM vehicle_entered ORDER BY vehicle")
        stays = entered.merge(left, how="left", on="vehicle").fillna({"left_s": self._end_s})
        self._stays = list(stays.itertuples(index=False, name=None))

    def news(self) -> None:
        """Messages of each vehicle at uneven times, some of them heard by another site than the last one."""
        for vehicle, entered_s, left_s in self._stays:
            time_s, node = entered_s + self._draw.uniform(0.1, 2.0), int(self._draw.integers(self._sites))
            while time_s < left_s:
                old_s = min(time_s - entered_s, self._draw.uniform(0.01, 0.3))
                node = int(self._draw.integers(self._sites)) if self._draw.random() < 0.3 else node
                generated_s = time_s - old_s
                values = {"time_s": time_s, "vehicle": vehicle, "generated_s": generated_s, "node": node}
                self._run.record(TwinSynced, **values)
                time_s += self._draw.uniform(0.5, 1.5)

    def samples(self) -> None:
        """Running totals that grow, errors that wander, and nothing known at the first sample."""
        totals = dict.fromkeys(("twin_s", "age_s2", "sent", "received", "lost", "sent_bit"), 0)
        for number in range(1, round(self._end_s / self._setting.sample_s) + 1):
            sent, mean_s = int(self._draw.poisson(6.0 * self._setting.sample_s)), self._draw.uniform(0.5, 1.5)
            lost = int(self._draw.binomial(sent, 0.2))
            twin_s = 0.0 if number == 1 else 8.0 * self._setting.sample_s
            growth = (twin_s, twin_s * mean_s * 0.9, sent, sent - lost, lost, sent * 2400.0)
            totals = {name: totals[name] + by for name, by in zip(totals, growth, strict=True)}
            known = number > 1
            forecast = known and self._setting.forecast
            values = {
                "time_s": number * self._setting.sample_s,
                "twins": 8 * known,
                "mean_age_s": mean_s if known else NAN,
                "max_age_s": mean_s * 2.5 if known else NAN,
                **totals,
                "mirror_error_m": self._draw.uniform(10, 20) if known else NAN,
                "mean_error_m": self._draw.uniform(2, 5) if forecast else NAN,
                "p95_error_m": self._draw.uniform(6, 11) if forecast else NAN,
                "inside_ratio": self._draw.uniform(0.84, 0.95) if forecast else NAN,
                "demand_error_per_s": self._draw.uniform(0.1, 0.6) if forecast else NAN,
                "demand_bound_per_s": 0.7 if forecast else NAN,
            }
            self._run.record(TwinSampled, **values)

    def moves(self) -> None:
        """Each twin is made, one of them late for want of room, and moves now and then; hosts fill up."""
        for vehicle, entered_s, left_s in self._stays:
            began_s, node, time_s = entered_s, -1, entered_s + self._draw.uniform(0.1, 0.4)
            if vehicle == 1:
                self._moved(1.0, vehicle, (-1, -1), (1.0, 1.0))
                began_s, time_s = 3.0, 3.4
            while time_s < left_s:
                to_node = int((node + self._draw.integers(1, self._sites)) % self._sites)
                still_s = began_s + (time_s - began_s) * (0.0 if node < 0 else 0.6)
                self._moved(time_s, vehicle, (node, to_node), (began_s, still_s))
                node, began_s = to_node, time_s + self._draw.uniform(2.0, 7.0)
                time_s = began_s + self._draw.uniform(0.05, 1.2)
        for number in range(1, round(self._end_s / self._setting.sample_s) + 1):
            for node, capacity in enumerate(CAPACITY[: self._sites]):
                twins = int(self._draw.integers(0, capacity + 1))
                time_s = number * self._setting.sample_s
                values = {"time_s": time_s, "node": node, "twins": twins, "capacity": capacity}
                self._run.record(TwinHostSampled, **values)

    def _moved(self, time_s: float, vehicle: int, nodes: tuple[int, int], since_s: tuple[float, float]) -> None:
        values = {"time_s": time_s, "vehicle": vehicle, "from_node": nodes[0], "to_node": nodes[1]}
        self._run.record(TwinMoved, **values, began_s=since_s[0], still_s=since_s[1], bit=8e6)


def craft(plain: Path, out: Path, setting: Setting) -> Path:
    """A copy of a plain run with twins."""
    with Trace.open(plain) as trace:
        scenario = {**trace.provenance.scenario, "twin": {"placement": {} if setting.placed else None}}
        run = CraftedRun(out)
        run.copy(trace)
        story = _Story(trace, run, setting)
        if not setting.idle:
            story.news()
            story.samples()
            if setting.placed:
                story.moves()
        return run.close(scenario, trace.complete_to_s, not setting.idle)
