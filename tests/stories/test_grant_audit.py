"""The audit of grants: rows that are as written and yet are not those of the scenario's waits."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from crafted import CraftedRun, recorded
from stories import NEAR_A, Told, scenario, sites, tell
from test_handover import CROSSING
from test_neighbours import SIDELINK

from cosim.audit.verify import verify
from cosim.scenario.schema import Scenario
from cosim.subjects import fact_kinds
from cosim.trace.facts.run import TaskEnded, TransferGranted
from cosim.trace.store.reader import Trace
from cosim.types import Direction

WAITS = {"uplink": 0.5, "downlink": 0.25, "sidelink": 0.75}
RADIO = {**SIDELINK, "grant_s": WAITS, "handover": {"interruption_s": 0.25}, "power": "per_transfer"}
PLAN = {"radio": RADIO, "sites": sites(A=0, B=150), "energy": {"receive_power_w": 0.5}}
Change = Callable[[type, pd.DataFrame], pd.DataFrame]
MOVING, HELPED = 0, 1
"""A task with a handover in its upload, and one at a neighbour."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Task 0 is handed over from A to B while it sends, task 1 goes to a neighbour; to be read only."""
    paths = {"a": CROSSING, "b": [NEAR_A] * 11, "c": [(20.0, 10.0)] * 11}
    arrivals = [(0.5, "a", {"input_bit": 4e6}), (0.75, "b")]
    return tell(tmp_path_factory.mktemp("grants"), paths, arrivals, Told(["B", "c"]), **PLAN).run


def audited(run: Path, folder: Path, change: Change, plan: Scenario | None = None) -> list[str]:
    """What the audit says of a run whose rows are written anew, some of them otherwise."""
    crafted = CraftedRun(folder)
    with Trace.open(run) as trace:
        for fact in fact_kinds():
            for row in change(fact, recorded(trace, fact).drop(columns="seq")).itertuples(index=False, name=None):
                crafted.add(fact(*row))
        crafted.close(trace.scenario if plan is None else plan, trace.complete_to_s)
    return [finding.why for finding in verify(folder).findings]


def set_in(fact: type, task: int, place: int, **values: float) -> Change:
    """A change of one row of a task; a value that is a function is applied to what was there."""

    def change(kind: type, rows: pd.DataFrame) -> pd.DataFrame:
        if kind is fact:
            row = rows.index[rows.task == task][place]
            for name, value in values.items():
                rows.loc[row, name] = value(rows.loc[row, name]) if callable(value) else value
        return rows

    return change


def without(task: int, place: int) -> Change:
    """A grant of a task is not there."""

    def change(kind: type, rows: pd.DataFrame) -> pd.DataFrame:
        return rows.drop(index=rows.index[rows.task == task][place]) if kind is TransferGranted else rows

    return change


def twice(kind: type, rows: pd.DataFrame) -> pd.DataFrame:
    """The first grant is there twice."""
    return pd.concat([rows.iloc[:1], rows]) if kind is TransferGranted else rows


def unchanged(_kind: type, rows: pd.DataFrame) -> pd.DataFrame:
    """All rows as they are."""
    return rows


def later(by: float) -> Callable[[float], float]:
    """A value and some more."""
    return lambda was: was + by


PLACE = "no transfer of its task began to send there then, after an interruption and the wait of radio.grant_s"
LEFT = "its left_bit is not what was left of its transfer"
CASES: dict[str, tuple[Change, str]] = {
    "another wait": (set_in(TransferGranted, MOVING, 0, waited_s=0.6), "it waited 0.6 s; radio.grant_s says 0.5 s"),
    "too late": (set_in(TransferGranted, MOVING, 0, time_s=later(0.1)), PLACE),
    "no interruption": (set_in(TransferGranted, MOVING, 1, time_s=later(-0.25)), PLACE),
    "another cell": (set_in(TransferGranted, MOVING, 1, site=0), PLACE),
    "another vehicle": (set_in(TransferGranted, MOVING, 0, vehicle=1), PLACE),
    "the helper's": (set_in(TransferGranted, HELPED, 0, vehicle=2), PLACE),
    "no cell": (set_in(TransferGranted, MOVING, 0, site=7), "its site is no deployed site"),
    "over wires": (set_in(TransferGranted, MOVING, 0, direction=int(Direction.WIRES)), "it is one of wires"),
    "other bits": (set_in(TransferGranted, MOVING, 0, left_bit=3e6), LEFT),
    "bits of the whole": (set_in(TransferGranted, MOVING, 1, left_bit=4e6), LEFT),
    "bits of the way out": (set_in(TransferGranted, HELPED, 1, left_bit=1e6), LEFT),
    "none at first": (without(MOVING, 0), "task 0 sent at t=1 s without a grant"),
    "none after the handover": (without(MOVING, 1), "task 0 sent at t=2.75 s without a grant"),
    "none down": (without(MOVING, 2), "task 0 sent at t=7 s without a grant"),
    "none to the neighbour": (without(HELPED, 0), "task 1 sent at t=1.5 s without a grant"),
    "none from the neighbour": (without(HELPED, 1), "task 1 sent at t=4.25 s without a grant"),
    "two": (twice, PLACE),
    "paid for waiting": (
        set_in(TaskEnded, MOVING, 0, transmit_j=later(0.5)),
        "its transmit_j=4.75 is not its power times the time of its sending, 4.25 J",
    ),
    "not paid": (
        set_in(TaskEnded, HELPED, 0, transmit_j=1.0),
        "its transmit_j=1.0 is not its power times the time of its sending, 1.5 J",
    ),
    "too early": (
        set_in(TaskEnded, MOVING, 0, uplinked_s=later(-0.5)),
        "its uplink took 4.75 s, less than its grants and its bits at the best rate, 5 s",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_row_that_cannot_be_is_named(run, tmp_path, case):
    """Each grant and each joule that is not the scenario's is found, with the reason."""
    change, why = CASES[case]
    assert why in audited(run, tmp_path / "run", change)


def test_the_rows_as_they_are_written_anew_are_sound(run, tmp_path):
    """What is found in changed rows is due to the changes."""
    assert audited(run, tmp_path / "run", unchanged) == []


def test_grants_of_a_scenario_without_waits(run, tmp_path):
    """Rows of waits that the scenario does not have are found, one by one."""
    radio = {name: value for name, value in RADIO.items() if name != "grant_s"}
    found = audited(run, tmp_path / "run", unchanged, scenario(**{**PLAN, "radio": radio}))
    assert sorted(why for why in found if "radio.grant_s" in why) == sorted(
        f"it waited {wait_s} s; radio.grant_s says 0 s" for wait_s in (0.5, 0.5, 0.25, 0.75, 0.75)
    )
