"""A result on its way to a vehicle that moves: it waits for a cell, and crosses wires to the cell that serves then.

Cells A, B, C, D lie 1 km apart; a path is a letter for each tick, `-` in no cell, and stays at its last. The usual task
is executed at A at 2.5. Over the star 0.5 Mbit takes 1.2 s from site to site (two wires), then 0.5 s on the air. Cars
of one run drive one after another, so that none has a part in the time of another; times are since a car's start.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from crafted import CraftedRun
from effort import seeds
from physics import seen
from secured import KEY
from stories import Story, Told, sites, tell
from test_key_sessions import QUICK, keys
from test_neighbours import BESIDE, SIDELINK
from test_wires import WIRE

from cosim.audit.verify import verify
from cosim.cli import main as cli
from cosim.trace.facts.column import columns
from cosim.trace.facts.run import TaskEnded, TransferMoved
from cosim.trace.lateness.causes import attribute_delay
from cosim.trace.store.reader import Trace
from cosim.types import Direction

CELLS = "ABCD"
LINE = sites(A=0.0, B=1000.0, C=2000.0, D=3000.0)
PAIR = sites(A=0.0, B=1000.0)
CHAIN = {**WIRE, "kind": "mesh", "neighbours": 1}
WAN = {"cores": 1, "core_hz": 2e9, "latency_s": 0.4, "bandwidth_bps": 2e6}
PATIENT = {"outage_s": 60.0}
BIT = 5e5
TICKS, SLOT_S = 13, 15


class Drive(NamedTuple):
    """A car and its task, released half a second after its start."""

    path: str
    policy: str = "A"
    task: Mapping[str, Any] = {}
    ticks: int = TICKS
    """Ticks that it is on the map."""


class Way(NamedTuple):
    """What became of a drive."""

    story: Story
    task: int = 0
    start_s: float = 0.0

    def steps(self) -> list[str]:
        """What happened to the task since its execution."""
        before = ("uplink", "uplinked", "queued", "started", "executed")
        executed_s = self.number("executed_s")
        told = []
        for fact in self.story.about(self.task):
            time, step, _, *more = fact.split()
            if float(time) >= executed_s - 1e-6 and step not in before:
                told.append(" ".join([f"{float(time) - self.start_s:.6g}", step, *more]))
        return told

    def delivered(self) -> tuple[str, float]:
        """The site from which the downlink started, and what went over wires."""
        site = int(self.number("downlink_from_site"))
        return "-" if site < 0 else CELLS[site], self.number("wire_bit")

    def number(self, column: str) -> float:
        """A number of the task's end."""
        return self.story.number(self.task, column)


def places(path: str, ticks: int = TICKS) -> list[tuple[float, float]]:
    """Places by tick."""
    return [(500.0 if cell == "-" else 1000.0 * CELLS.index(cell), 10.0) for cell in path.ljust(ticks, path[-1])]


def driven(
    folder: Path, drives: Mapping[str, Drive], slot_s: int = SLOT_S, beside: str = "", **changes: Any
) -> dict[str, Way]:
    """Cars that drive one after another.

    Args:
        folder: an empty one.
        drives: by name of the car.
        slot_s: from start to start.
        beside: name of a car that has a helper 50 m beside its first hole, if there is one.
        changes: to the scenario.
    """
    starts = {car: slot_s * number for number, car in enumerate(drives)}
    paths = {car: [None] * starts[car] + places(one.path, one.ticks) for car, one in drives.items()}
    if beside:
        paths["helper"] = [None] * starts[beside] + [BESIDE] * TICKS
    arrivals = [(starts[car] + 0.5, car, one.task) for car, one in drives.items()]
    given = {"sites": LINE, "backhaul": WIRE, "radio": PATIENT, "duration_s": slot_s * len(drives),
             "trace": {"part_s": 1e4}, **changes}  # fmt: skip
    story = tell(folder, paths, arrivals, Told([one.policy for one in drives.values()]), **given)
    return {car: Way(story, task, starts[car]) for task, car in enumerate(drives)}


DRIVES = {
    "still": Drive("A"),
    "over": Drive("AAB"),
    "hole": Drive("AA--B"),
    "back": Drive("AA--A"),
    "cloud": Drive("AAAA--B", "cloud"),
    "cloud, over": Drive("AAAAAB", "cloud"),
    "over twice": Drive("AABCD"),
    "hole on wires": Drive("AAB--C"),
    "hole on wires, back": Drive("AAB--B"),
    "on the air": Drive("AAAB", task={"output_bit": 1e6}),
    "leaves": Drive("AA--", ticks=4),
    "leaves on wires": Drive("AAB", ticks=3),
    "home": Drive("AB-", "local"),
    "helped": Drive("-", "helper"),
    "long": Drive("AAB--CD"),
    "late": Drive("AA------B", task={"deadline_s": 4.0}),
}


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Way]:
    """All drives over a star with a cloud."""
    radio = {**PATIENT, **SIDELINK}
    return driven(tmp_path_factory.mktemp("ways"), DRIVES, beside="helped", cloud=WAN, radio=radio)


def test_no_handover(ways):
    """A result for the cell of its host crosses nothing."""
    assert ways["still"].steps() == ["2.5 downlink", "3 TaskEnded COMPLETED through A"]
    assert ways["still"].delivered() == ("A", 0.0)


def test_one_handover(ways):
    """A result for another cell than its host's crosses two wires of the star, once."""
    assert ways["over"].steps() == ["3.7 downlink", "4.2 TaskEnded COMPLETED through B"]
    assert ways["over"].delivered() == ("B", 2 * BIT)


def test_a_gap(ways):
    """A result waits at its host for a cell, then crosses the wires to it.

    tick      0     1     2     3     4     5     6
    car       A-----A-----............B------------
    task        |=up==|==edge=|
    result                    |=waits=|A-core-B|down|
    """
    assert ways["hole"].steps() == [
        "2.5 TransferMoved WIRES A->- 500000 bit left",
        "4 TransferMoved WIRES -->B 500000 bit left",
        "5.2 downlink",
        "5.7 TaskEnded COMPLETED through B",
    ]
    assert ways["hole"].delivered() == ("B", 2 * BIT)


def test_a_gap_at_the_cell_of_the_host(ways):
    """A result whose vehicle comes back to the cell of its host goes on the air at that tick."""
    assert ways["back"].steps()[1:] == [
        "4 TransferMoved WIRES -->A 500000 bit left",
        "4 downlink",
        "4.5 TaskEnded COMPLETED through A",
    ]
    assert ways["back"].delivered() == ("A", 0.0)


def test_a_gap_after_the_cloud(ways):
    """From the cloud a result crosses the WAN and one wire of the star, also if its vehicle had no cell for a while.

    Executed at 4; no cell to 6; 0.25 + 0.4 s over the WAN, 0.5 + 0.1 s over the wire, 0.5 s on the air.
    """
    assert ways["cloud"].steps() == [
        "4 TransferMoved WIRES cloud->- 500000 bit left",
        "6 TransferMoved WIRES -->B 500000 bit left",
        "7.25 downlink",
        "7.75 TaskEnded COMPLETED through B",
    ]
    assert ways["cloud"].delivered() == ("B", 2 * BIT)


def test_a_handover_on_the_wires_from_the_cloud(ways):
    """A result from the cloud whose vehicle has moved on crosses from site to site, not over the WAN again."""
    assert ways["cloud, over"].steps() == [
        "5.25 TransferMoved WIRES A->B 500000 bit left",
        "6.45 downlink",
        "6.95 TaskEnded COMPLETED through B",
    ]
    assert ways["cloud, over"].delivered() == ("B", 4 * BIT)


def test_two_handovers_on_the_wires(ways):
    """Each handover that happens before the result is there costs one more crossing, from where it is."""
    assert ways["over twice"].steps() == [
        "3.7 TransferMoved WIRES B->C 500000 bit left",
        "4.9 TransferMoved WIRES C->D 500000 bit left",
        "6.1 downlink",
        "6.6 TaskEnded COMPLETED through D",
    ]
    assert ways["over twice"].delivered() == ("D", 6 * BIT)


@pytest.mark.parametrize(
    ("car", "site", "end_s", "wires"), [("hole on wires", "C", 6.7, 4), ("hole on wires, back", "B", 5.5, 2)]
)
def test_a_hole_on_the_wires(ways, car, site, end_s, wires):
    """A result that arrives for a vehicle without a cell waits there, and goes on from there to the cell that comes."""
    assert ways[car].steps()[:2] == [
        "3.7 TransferMoved WIRES B->- 500000 bit left",
        f"5 TransferMoved WIRES -->{site} 500000 bit left",
    ]
    assert ways[car].steps()[-1] == f"{end_s} TaskEnded COMPLETED through {site}"
    assert ways[car].delivered() == (site, wires * BIT)


def test_a_handover_on_the_air_takes_no_wires(ways):
    """Once on the air a handover moves the rest of the result, which is counted on no wire: this is left out."""
    assert "3 TransferMoved DOWNLINK A->B 500000 bit left" in ways["on the air"].steps()
    assert ways["on the air"].steps()[-1].endswith("COMPLETED through B")
    assert ways["on the air"].delivered() == ("A", 0.0)


@pytest.mark.parametrize(
    ("car", "end", "wire_bit"),
    [("leaves", "4 TaskEnded LEFT in RETURN", 0.0), ("leaves on wires", "3.7 TaskEnded LEFT in DOWNLINK", 2 * BIT)],
)
def test_a_vehicle_that_leaves(ways, car, end, wire_bit):
    """A vehicle that leaves the map loses the result that waits for its cell, and the one on wires as it arrives."""
    assert ways[car].steps()[-1] == end
    assert ways[car].delivered() == ("-", wire_bit)


@pytest.mark.parametrize("car", ["home", "helped"])
def test_who_needs_no_wires(ways, car):
    """A task at home or with a neighbour has no way over wires."""
    assert " COMPLETED" in ways[car].steps()[-1]
    assert ways[car].delivered() == ("-", 0.0)


def test_a_vehicle_that_is_tied_to_its_target_needs_no_wires(tmp_path):
    """With `association: target` a result goes on the air at its host, and waits there for a vehicle in a hole."""
    way = driven(tmp_path, {"a": Drive("AA-A")}, radio={**PATIENT, "association": "target"})["a"]
    assert way.steps()[0] == "2.5 downlink"
    assert way.delivered() == ("A", 0.0)


def test_a_handover_on_the_wires(tmp_path):
    """If another cell serves as the result arrives, it crosses from there, and is one whole crossing later.

    With 1 Mbit and 0.5 s a wire, as in the reported case, a crossing takes 2 x (0.5 + 1) = 3 s: executed at 2.5, at B
    at 5.5, at C at 8.5 and not on the air before. What counts is the cell at the arrival: a vehicle that was elsewhere
    meanwhile costs nothing.
    """
    large = {"output_bit": 1e6}
    drives = {"moves on": Drive("AABC", task=large), "stays": Drive("AAB", task=large), "returns": Drive("AABCCB")}
    ways = driven(tmp_path, drives, backhaul={**WIRE, "latency_s": 0.5})
    assert ways["moves on"].steps() == [
        "5.5 TransferMoved WIRES B->C 1000000 bit left",
        "8.5 downlink",
        "9.5 TaskEnded COMPLETED through C",
    ]
    assert ways["moves on"].delivered() == ("C", 4e6)
    assert ways["stays"].steps() == ["5.5 downlink", "6.5 TaskEnded COMPLETED through B"]
    assert ways["returns"].steps() == [
        "4.5 TransferMoved WIRES B->C 500000 bit left",
        "6.5 TransferMoved WIRES C->B 500000 bit left",
        "8.5 downlink",
        "9 TaskEnded COMPLETED through B",
    ]


@pytest.mark.long
def test_over_a_mesh(tmp_path):
    """Over a chain of wires the path has as many as there are between the cells: A-B-C, then C-D, 0.6 s each."""
    way = driven(tmp_path, {"a": Drive("AACD")}, backhaul=CHAIN)["a"]
    assert way.steps() == [
        "3.7 TransferMoved WIRES C->D 500000 bit left",
        "4.3 downlink",
        "4.8 TaskEnded COMPLETED through D",
    ]
    assert way.delivered() == ("D", 3 * BIT)


def test_an_end_on_the_way_back(tmp_path):
    """A result that waits for a cell, or is on the wires, ends its task as a transfer would, and came from nowhere."""
    drives = {
        "lost": Drive("AA-"),
        "expired": Drive("AA-", task={"deadline_s": 3.0}),
        "on wires": Drive("AAB"),
    }
    more = {"radio": {"outage_s": 2.0}, "tasks": {"on_deadline": "drop"}, "duration_s": 2 * SLOT_S + 3.25}
    ways = driven(tmp_path, drives, **more)
    assert [ways[car].steps()[-1] for car in drives] == [
        "4.5 TaskEnded NO_COVERAGE in RETURN",
        "3.5 TaskEnded EXPIRED in RETURN",
        "3.25 TaskEnded IN_FLIGHT in RETURN",
    ]
    assert {ways[car].delivered() for car in drives} == {("-", 0.0)}


REKEYED = {"pool": {"initial_bit": KEY}, "use": {"kind": "aes256_rekey", "lifetime_byte": 1.25e4}}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Way]:
    """Drives with quick tasks between two sites that share keys, of which there is one at the start."""
    drives = {"over": Drive("AB", task=QUICK), "cloud": Drive("A-B", "cloud", QUICK)}
    return driven(tmp_path_factory.mktemp("keyed"), drives, sites=PAIR, cloud=WAN, keys=keys(**REKEYED))


def test_a_handover_while_the_key_is_waited_for(keyed):
    """A result whose vehicle changes its cell while its key is waited for crosses under that key: no other is drawn."""
    assert keyed["over"].steps() == [
        "0.7 down_asked",
        "1 TransferMoved WIRES A->B 100000 bit left",
        "1 down_keyed 256 bit over 1 hops",
        "1.4 downlink",
        "1.5 TaskEnded COMPLETED through B",
    ]
    assert keyed["over"].story.of("TaskKeyed")[0] == "1.5 TaskKeyed 0 DRAWN"
    assert keyed["over"].delivered() == ("B", 2e5)


def test_the_key_of_a_result_from_the_cloud(keyed):
    """The key of a result from the cloud is that of the cell which the wires brought it to: of B, where a has loaded.

    The one of its upload is relayed over A-B.
    """
    drawn = [fact.split("_keyed 1 ")[1] for fact in keyed["cloud"].story.about(1) if "_keyed" in fact]
    assert drawn == ["256 bit over 1 hops", "256 bit over 0 hops"]
    assert keyed["cloud"].delivered() == ("B", 2e5)


def test_a_downgraded_result_that_never_arrives(tmp_path):
    """A result that goes without a key and then finds no cell is told as downgraded, in phase RETURN."""
    shortage = {"patience_s": 1.2, "then": "downgrade"}
    plan = keys(**REKEYED, shortage=shortage, rate={"pulse_hz": 1.0})
    way = driven(tmp_path, {"a": Drive("A-", task=QUICK)}, sites=PAIR, keys=plan, radio={"outage_s": 1.0})["a"]
    assert way.steps()[-1] == "2.9 TaskEnded NO_COVERAGE in RETURN"
    assert way.story.of("TaskKeyed") == ["2.9 TaskKeyed 0 DOWNGRADED"]


def brought(cells: str, at: int | str, begin_s: float, size_bit: float, mesh: bool) -> tuple[float, int, int]:
    """When a result is at the cell of its vehicle, which one, and how many wires it has crossed, from the law alone."""
    now, wires, gate = begin_s, 0, 1
    while (cell := cells[int(now)]) != at:
        if cell == "-":
            now = float(int(now) + 1)
            continue
        here, there = at if at == "cloud" else CELLS.index(at), CELLS.index(cell)
        start = gate if here == "cloud" else here
        between = abs(start - there) if mesh else 2 - (here == "cloud")
        now += between * (size_bit / WIRE["bandwidth_bps"] + WIRE["latency_s"])
        if here == "cloud":
            now += size_bit / WAN["bandwidth_bps"] + WAN["latency_s"]
        wires, at = wires + between + (here == "cloud"), cell
    return now, CELLS.index(at), wires


@pytest.mark.parametrize("mesh", [False, True], ids=["star", "mesh"])
def test_any_way_back(tmp_path, mesh):
    """Whatever cells and holes a vehicle drives through, time, cell and wires of its result are those of the law.

    Of each seed: A's host or the cloud, a drawn path through three cells and their holes, a drawn size.
    """
    drives = {}
    for seed in seeds(60, least=3):
        rng = np.random.default_rng(seed)
        task = {"input_bit": 1e5, "output_bit": float(rng.uniform(1e5, 3e6)), "deadline_s": 50.0}
        cells = "AA" + "".join(rng.choice(list("ABC-"), 20)) + "ABC"[rng.integers(3)] * 30
        drives[f"car{seed}"] = Drive(cells, ("A", "cloud")[rng.integers(2)], task, 52)
    line = sites(A=0.0, B=1000.0, C=2000.0)
    ways = driven(tmp_path, drives, 52, sites=line, backhaul=CHAIN if mesh else WIRE, cloud=WAN)
    for car, (cells, policy, task, _) in drives.items():
        way, size_bit = ways[car], task["output_bit"]
        found = tuple(way.number(name) for name in ("downlink_s", "downlink_from_site", "wire_bit"))
        at_s, site, wires = brought(cells, policy, way.number("executed_s") - way.start_s, size_bit, mesh)
        assert found == pytest.approx((way.start_s + at_s, site, wires * size_bit), rel=1e-12)
        seen(found, (way.start_s + at_s, site, wires * size_bit))


SPOILT = {
    "over": ("wire_bit", BIT, "its wire_bit=500000 is not that of the path from its host to its cell, 1000000"),
    "over twice": (
        "wire_bit",
        8 * BIT,
        "its wire_bit=4000000 is not that of the path from its host to its cell, 3000000",
    ),
    "hole": ("wire_bit", -1.0, "its wire_bit is negative"),
    "back": ("wire_bit", float("nan"), "has no wire_bit, which every row has"),
    "hole on wires": (
        "downlink_from_site",
        0,
        "its downlink ended in another cell than it started in, without a row that tells it",
    ),
    "still": ("downlink_from_site", -1, "its result is back from no site"),
    "cloud": ("downlink_from_site", 9, "its downlink_from_site is no deployed site"),
    "hole on wires, back": (
        "downlink_s",
        float("nan"),
        "its downlink did not start and has a site that it came from",
    ),
    "cloud, over": (
        "no row of its second crossing",
        0,
        "its wire_bit=2000000 is not that of the path from its host to its cell, 1000000",
    ),
    "home": ("wire_bit", 1.0, "its result crossed wires or came from a site, and no host had it"),
}
"""By car: what is changed, into what, and what the audit says of it."""


@pytest.fixture(scope="module")
def findings(ways: dict[str, Way], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What the audit finds of the task of each car in a copy of the run that is changed as SPOILT says."""

    def spoil(fact: type, rows: pd.DataFrame) -> None:
        for car, (what, value, _) in SPOILT.items():
            if fact is TaskEnded and what in rows:
                rows.loc[rows.task == ways[car].task, what] = value
            elif fact is TransferMoved and what not in columns(TaskEnded):
                rows.loc[rows.task == ways[car].task, "direction"] = Direction.DOWNLINK

    crafted = CraftedRun(tmp_path_factory.mktemp("spoilt") / "run", part_s=1e4)
    with Trace.open(ways["still"].story.run) as trace:
        crafted.copy(trace, spoil)
        crafted.close(trace.scenario, trace.complete_to_s)
    with Trace.open(crafted.folder) as trace:
        seq = trace.sql("SELECT seq FROM task_ended ORDER BY task").seq
    found = verify(crafted.folder).findings
    return {car: [one.why for one in found if one.seq == seq[way.task]] for car, way in ways.items()}


@pytest.mark.parametrize("car", SPOILT)
def test_the_audit_finds_other_wires(findings, car):
    """A task whose wires are not the path from its host to the cell that delivered is named, with both numbers."""
    assert SPOILT[car][2] in findings[car]


def test_the_audit_finds_nothing_else(findings):
    """The tasks of the same copy that were not changed are sound."""
    assert {car: found for car, found in findings.items() if found and car not in SPOILT} == {}


def test_the_way_back_in_words(ways, capsys):
    """`trace task` tells the wait for a cell, a second crossing and what had gone over wires."""
    way = ways["long"]
    assert cli.status(["trace", "task", str(way.story.run), str(way.task)]) == 0
    printed = capsys.readouterr().out
    assert "result waits at B for a cell of its vehicle" in printed
    assert "result goes on to cell C" in printed
    assert "result is at C and crosses wires again, to cell D" in printed
    assert "downlink starts in cell D, after 3.000 Mbit x wires" in printed


def test_what_the_way_back_took(ways):
    """The wait of a result for a cell counts as coverage and its crossings as backhaul, of its own task and no other.

    A task that is late because its result found no cell has the cause `coverage`.
    """
    with Trace.open(ways["still"].story.run) as trace:
        parts, late = attribute_delay(trace, "true"), attribute_delay(trace)
    waits_s = {car: parts.coverage_s[way.task] for car, way in ways.items()}
    wires_s = {car: parts.backhaul_s[way.task] for car, way in ways.items()}
    waited_s = {"hole": 1.5, "back": 1.5, "cloud": 2.0, "hole on wires": 1.3, "hole on wires, back": 1.3, "leaves": 1.5,
                "long": 1.3, "late": 5.5}  # fmt: skip
    assert waits_s == pytest.approx({car: waited_s.get(car, 0.0) for car in DRIVES})
    assert [wires_s[car] for car in ("still", "over", "long", "home")] == pytest.approx([0.0, 1.2, 3.6, 0.0])
    assert parts.receiving_s[ways["long"].task] == pytest.approx(0.5)
    assert late.cause[ways["late"].task] == "coverage"
