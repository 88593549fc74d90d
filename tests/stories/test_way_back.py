"""A result on its way to a vehicle that moves: it waits for a cell, and crosses wires to the cell that serves then.

Cells A, B, C, D lie 1 km apart; a path is a letter for each tick, `-` in no cell, and stays at its last. The usual task
is executed at A at 2.5. Over the star 0.5 Mbit takes 1.2 s from site to site (two wires), then 0.5 s on the air.
"""

from pathlib import Path

import numpy as np
import pytest
from crafted import CraftedRun
from effort import rest_long, seeds
from secured import KEY
from stories import Story, scenario, sites, tell
from test_key_sessions import QUICK, keys
from test_neighbours import BESIDE, SIDELINK
from test_wires import WIRE

from cosim.audit.verify import verify
from cosim.cli import main as cli
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


def drive(path, ticks=13):
    """Places by tick."""
    return [(500.0 if cell == "-" else 1000.0 * CELLS.index(cell), 10.0) for cell in path.ljust(ticks, path[-1])]


def told(folder: Path, path: str, policy: str = "A", *, arrival=(0.5, "a"), **changes) -> Story:
    """One car on a path has one task."""
    given = {"sites": LINE, "backhaul": WIRE, "radio": PATIENT, "duration_s": 12.0, **changes}
    return tell(folder, {"a": drive(path)}, [arrival], policy, **given)


def after_execution(story: Story) -> list[str]:
    """What happened to the task since its execution."""
    words = [fact.split() for fact in story.about(0)]
    executed_s = next(float(time) for time, step, *_ in words if step == "executed")
    before = ("uplink", "uplinked", "queued", "started", "executed")
    return [" ".join(fact) for fact in words if float(fact[0]) >= executed_s and fact[1] not in before]


def delivered(story: Story) -> tuple[str, float]:
    """The site from which the downlink started, and what went over wires."""
    site = int(story.number(0, "downlink_from_site"))
    return "-" if site < 0 else CELLS[site], story.number(0, "wire_bit")


def test_no_handover(tmp_path):
    """A result for the cell of its host crosses nothing."""
    story = told(tmp_path, "A")
    assert after_execution(story) == ["2.5 downlink 0", "3 TaskEnded 0 COMPLETED through A"]
    assert delivered(story) == ("A", 0.0)


def test_one_handover(tmp_path):
    """A result for another cell than its host's crosses two wires of the star, once."""
    story = told(tmp_path, "AAB")
    assert after_execution(story) == ["3.7 downlink 0", "4.2 TaskEnded 0 COMPLETED through B"]
    assert delivered(story) == ("B", 2 * BIT)


def test_a_gap(tmp_path):
    """A result waits at its host for a cell, then crosses the wires to it.

    tick      0     1     2     3     4     5     6
    car a     A-----A-----............B------------
    task        |=up==|==edge=|
    result                    |=waits=|A-core-B|down|
    """
    story = told(tmp_path, "AA--B")
    assert after_execution(story) == [
        "2.5 TransferMoved 0 WIRES A->- 500000 bit left",
        "4 TransferMoved 0 WIRES -->B 500000 bit left",
        "5.2 downlink 0",
        "5.7 TaskEnded 0 COMPLETED through B",
    ]
    assert delivered(story) == ("B", 2 * BIT)


def test_a_gap_at_the_cell_of_the_host(tmp_path):
    """A result whose vehicle comes back to the cell of its host goes on the air at that tick."""
    story = told(tmp_path, "AA--A")
    assert after_execution(story)[1:] == [
        "4 TransferMoved 0 WIRES -->A 500000 bit left",
        "4 downlink 0",
        "4.5 TaskEnded 0 COMPLETED through A",
    ]
    assert delivered(story) == ("A", 0.0)


def test_a_gap_after_the_cloud(tmp_path):
    """From the cloud a result crosses the WAN and one wire of the star, also if its vehicle had no cell for a while.

    Executed at 4; no cell to 6; 0.25 + 0.4 s over the WAN, 0.5 + 0.1 s over the wire, 0.5 s on the air.
    """
    story = told(tmp_path, "AAAA--B", "cloud", cloud=WAN)
    assert after_execution(story) == [
        "4 TransferMoved 0 WIRES cloud->- 500000 bit left",
        "6 TransferMoved 0 WIRES -->B 500000 bit left",
        "7.25 downlink 0",
        "7.75 TaskEnded 0 COMPLETED through B",
    ]
    assert delivered(story) == ("B", 2 * BIT)


def test_a_handover_on_the_wires_from_the_cloud(tmp_path):
    """A result from the cloud whose vehicle has moved on crosses from site to site, not over the WAN again."""
    story = told(tmp_path, "AAAAAB", "cloud", cloud=WAN)
    assert after_execution(story) == [
        "5.25 TransferMoved 0 WIRES A->B 500000 bit left",
        "6.45 downlink 0",
        "6.95 TaskEnded 0 COMPLETED through B",
    ]
    assert delivered(story) == ("B", 4 * BIT)


def test_a_handover_on_the_wires(tmp_path):
    """If another cell serves as the result arrives, it crosses from there, and is one whole crossing later.

    With 1 Mbit and 0.5 s a wire, as in the reported case, a crossing takes 2 x (0.5 + 1) = 3 s: executed at 2.5, at B
    at 5.5, at C at 8.5 and not on the air before.
    """
    given = {"arrival": (0.5, "a", {"output_bit": 1e6}), "backhaul": {**WIRE, "latency_s": 0.5}}
    story = told(tmp_path, "AABC", **given)
    assert after_execution(story) == [
        "5.5 TransferMoved 0 WIRES B->C 1000000 bit left",
        "8.5 downlink 0",
        "9.5 TaskEnded 0 COMPLETED through C",
    ]
    assert delivered(story) == ("C", 4e6)
    (tmp_path / "still").mkdir()
    still = told(tmp_path / "still", "AAB", **given)
    assert story.number(0, "time_s") - still.number(0, "time_s") == pytest.approx(3.0)


def test_two_handovers_on_the_wires(tmp_path):
    """Each handover that happens before the result is there costs one more crossing, from where it is."""
    story = told(tmp_path, "AABCD")
    assert after_execution(story) == [
        "3.7 TransferMoved 0 WIRES B->C 500000 bit left",
        "4.9 TransferMoved 0 WIRES C->D 500000 bit left",
        "6.1 downlink 0",
        "6.6 TaskEnded 0 COMPLETED through D",
    ]
    assert delivered(story) == ("D", 6 * BIT)


def test_away_and_back_on_the_wires(tmp_path):
    """What counts is the cell at the arrival: a vehicle that was elsewhere meanwhile costs nothing."""
    story = told(tmp_path, "AABCB", backhaul={**WIRE, "latency_s": 0.6})
    assert after_execution(story) == ["4.7 downlink 0", "5.2 TaskEnded 0 COMPLETED through B"]
    assert delivered(story) == ("B", 2 * BIT)


@pytest.mark.parametrize(("path", "site", "end_s", "wires"), [("AAB--C", "C", 6.7, 4), ("AAB--B", "B", 5.5, 2)])
def test_a_hole_on_the_wires(tmp_path, path, site, end_s, wires):
    """A result that arrives for a vehicle without a cell waits there, and goes on from there to the cell that comes."""
    story = told(tmp_path, path)
    assert after_execution(story)[:2] == [
        "3.7 TransferMoved 0 WIRES B->- 500000 bit left",
        f"5 TransferMoved 0 WIRES -->{site} 500000 bit left",
    ]
    assert after_execution(story)[-1] == f"{end_s} TaskEnded 0 COMPLETED through {site}"
    assert delivered(story) == (site, wires * BIT)


def test_over_a_mesh(tmp_path):
    """Over a chain of wires the path has as many as there are between the cells: A-B-C, then C-D, 0.6 s each."""
    story = told(tmp_path, "AACD", backhaul=CHAIN)
    assert after_execution(story) == [
        "3.7 TransferMoved 0 WIRES C->D 500000 bit left",
        "4.3 downlink 0",
        "4.8 TaskEnded 0 COMPLETED through D",
    ]
    assert delivered(story) == ("D", 3 * BIT)


def test_a_handover_on_the_air_takes_no_wires(tmp_path):
    """Once on the air a handover moves the rest of the result, which is counted on no wire: this is left out."""
    story = told(tmp_path, "AAAB", arrival=(0.5, "a", {"output_bit": 1e6}))
    assert "3 TransferMoved 0 DOWNLINK A->B 500000 bit left" in after_execution(story)
    assert delivered(story) == ("A", 0.0)
    assert CELLS[int(story.number(0, "downlink_site"))] == "B"


@pytest.mark.parametrize(
    ("path", "arrival", "changes", "end"),
    rest_long(
        [
            ("AA-", (0.5, "a"), {"radio": {"outage_s": 2.0}}, "4.5 TaskEnded 0 NO_COVERAGE in RETURN"),
            (
                "AA-",
                (0.5, "a", {"deadline_s": 3.0}),
                {"tasks": {"on_deadline": "drop"}},
                "3.5 TaskEnded 0 EXPIRED in RETURN",
            ),
            ("AA-", (0.5, "a"), {"duration_s": 3.25}, "3.25 TaskEnded 0 IN_FLIGHT in RETURN"),
            ("AAB", (0.5, "a"), {"duration_s": 3.25}, "3.25 TaskEnded 0 IN_FLIGHT in RETURN"),
        ],
        keep=2,
    ),
)
def test_an_end_on_the_way_back(tmp_path, path, arrival, changes, end):
    """A result that waits for a cell, or is on the wires, ends its task as a transfer would, and came from nowhere."""
    story = told(tmp_path, path, arrival=arrival, **changes)
    assert after_execution(story)[-1] == end
    assert delivered(story) == ("-", 0.0)


@pytest.mark.parametrize(
    ("path", "end"), [("AA--", "4 TaskEnded 0 LEFT in RETURN"), ("AAB", "3.7 TaskEnded 0 LEFT in DOWNLINK")]
)
def test_a_vehicle_that_leaves(tmp_path, path, end):
    """A vehicle that leaves the map loses the result that waits for its cell, and the one on wires as it arrives."""
    given = {"sites": LINE, "backhaul": WIRE, "radio": PATIENT}
    story = tell(tmp_path, {"a": drive(path, len(path))}, [(0.5, "a")], **given)
    assert after_execution(story)[-1] == end
    assert delivered(story) == ("-", 2 * BIT if path == "AAB" else 0.0)


def test_who_needs_no_wires(tmp_path):
    """A task at home or with a neighbour has no way over wires, nor has one whose vehicle is tied to its target."""
    home, neighbour, tied = (tmp_path / name for name in ("home", "neighbour", "tied"))
    for folder in (home, neighbour, tied):
        folder.mkdir()
    assert delivered(told(home, "AB-", "local")) == ("-", 0.0)
    helped = tell(neighbour, {"a": drive("-"), "b": [BESIDE] * 13}, [(0.5, "a")], "b", radio=SIDELINK)
    assert delivered(helped) == ("-", 0.0)
    story = told(tied, "AA-A", radio={**PATIENT, "association": "target"})
    assert after_execution(story)[0] == "2.5 downlink 0"
    assert delivered(story) == ("A", 0.0)


def test_a_handover_while_the_key_is_waited_for(tmp_path):
    """A result whose vehicle changes its cell while its key is waited for crosses under that key: no other is drawn."""
    use = {"kind": "aes256_rekey", "lifetime_byte": 1.25e4}
    plan = keys(pool={"initial_bit": KEY}, use=use)
    story = told(tmp_path, "AB", arrival=(0.25, "a", QUICK), keys=plan, sites=PAIR)
    assert after_execution(story) == [
        "0.45 down_asked 0",
        "1 TransferMoved 0 WIRES A->B 100000 bit left",
        "1 down_keyed 0 256 bit over 1 hops",
        "1.4 downlink 0",
        "1.5 TaskEnded 0 COMPLETED through B",
    ]
    assert story.of("TaskKeyed") == ["1.5 TaskKeyed 0 DRAWN"]
    assert delivered(story) == ("B", 2e5)


def test_a_downgraded_result_that_never_arrives(tmp_path):
    """A result that goes without a key and then finds no cell is told as downgraded, in phase RETURN."""
    use = {"kind": "aes256_rekey", "lifetime_byte": 1.25e4}
    plan = keys(pool={"initial_bit": KEY}, use=use, shortage={"patience_s": 1.2, "then": "downgrade"},
                rate={"pulse_hz": 1.0})  # fmt: skip
    story = told(tmp_path, "A-", arrival=(0.25, "a", QUICK), keys=plan, sites=PAIR, radio={"outage_s": 1.0})
    assert story.of("TaskEnded") == ["2.65 TaskEnded 0 NO_COVERAGE in RETURN"]
    assert story.of("TaskKeyed") == ["2.65 TaskKeyed 0 DOWNGRADED"]


def test_the_key_of_a_result_from_the_cloud(tmp_path):
    """The key of a result from the cloud is that of the cell which the wires brought it to: of B, where a has loaded.

    The one of its upload is relayed over A-B.
    """
    use = {"kind": "aes256_rekey", "lifetime_byte": 1.25e4}
    plan = keys(pool={"initial_bit": KEY}, use=use)
    story = told(tmp_path, "A-B", "cloud", arrival=(0.25, "a", QUICK), keys=plan, cloud=WAN, sites=PAIR)
    assert story.of("up_keyed", "down_keyed")[0].endswith("256 bit over 1 hops")
    assert story.of("up_keyed", "down_keyed")[1].endswith("256 bit over 0 hops")
    assert delivered(story) == ("B", 2e5)


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


@pytest.mark.parametrize("seed", seeds(120, least=6))
def test_any_way_back(tmp_path, seed):
    """Whatever cells and holes a vehicle drives through, time, cell and wires of its result are those of the law.

    Of each seed: star or mesh, A's host or the cloud, a drawn path through three cells and their holes, a drawn size.
    """
    rng = np.random.default_rng(seed)
    mesh, cloud, size_bit = bool(rng.integers(2)), bool(rng.integers(2)), float(rng.uniform(1e5, 3e6))
    cells = "AA" + "".join(rng.choice(list("ABC-"), 20)) + "ABC"[rng.integers(3)] * 30
    story = tell(
        tmp_path,
        {"a": drive(cells, 52)},
        [(0.5, "a", {"input_bit": 1e5, "output_bit": size_bit, "deadline_s": 50.0})],
        "cloud" if cloud else "A",
        sites=sites(A=0.0, B=1000.0, C=2000.0),
        backhaul=CHAIN if mesh else WIRE,
        cloud=WAN,
        radio=PATIENT,
        duration_s=50.0,
    )
    executed_s = story.number(0, "executed_s")
    found = tuple(story.number(0, name) for name in ("downlink_s", "downlink_from_site", "wire_bit"))
    at_s, site, wires = brought(cells, "cloud" if cloud else "A", executed_s, size_bit, mesh)
    assert found == pytest.approx((at_s, site, wires * size_bit), rel=1e-12)


def spoilt(story: Story, folder: Path, change) -> list[str]:
    """What the audit finds in a copy of a run with a change, without numbers."""
    crafted = CraftedRun(folder)
    with Trace.open(story.run) as trace:
        crafted.copy(trace, change)
        crafted.close(trace.scenario, trace.complete_to_s)
    return [finding.why for finding in verify(folder).findings]


@pytest.mark.parametrize(
    ("column", "value", "why"),
    rest_long(
        [
            ("wire_bit", 2 * BIT, "its wire_bit=1000000 is not that of the path from its host to its cell, 2000000"),
            ("wire_bit", 6 * BIT, "its wire_bit=3000000 is not that of the path from its host to its cell, 2000000"),
            ("wire_bit", -1.0, "its wire_bit is negative or no number"),
            (
                "downlink_from_site",
                0,
                "its downlink ended in another cell than it started in, without a row that tells it",
            ),
            ("downlink_from_site", -1, "its result is back from no site"),
            ("downlink_from_site", 9, "its downlink_from_site is no deployed site"),
            ("downlink_s", float("nan"), "its downlink did not start and has a site that it came from"),
        ],
        keep=2,
    ),
)
def test_the_audit_finds_other_wires(tmp_path, column, value, why):
    """A task whose wires are not the path from its host to the cell that delivered is named, with both numbers."""
    story = told(tmp_path, "AABC")
    assert spoilt(story, tmp_path / "sound", lambda _fact, _rows: None) == []

    def change(fact, rows):
        if fact is TaskEnded:
            rows[column] = value

    assert why in spoilt(story, tmp_path / "spoilt", change)


def test_the_audit_finds_a_crossing_that_was_not_told(tmp_path):
    """A second crossing without its row is found: the path over the rows that are there has fewer wires."""
    story = told(tmp_path, "AABC")

    def change(fact, rows):
        if fact is TransferMoved:
            rows["direction"] = Direction.DOWNLINK

    assert spoilt(story, tmp_path / "spoilt", change) == [
        "its wire_bit=2000000 is not that of the path from its host to its cell, 1000000"
    ]


def test_a_task_at_home_has_no_wires(tmp_path):
    """A task that was executed at home and has bits on wires is named."""
    story = told(tmp_path, "A", "local")

    def change(fact, rows):
        if fact is TaskEnded:
            rows["wire_bit"] = 1.0

    found = spoilt(story, tmp_path / "spoilt", change)
    assert found == ["its result crossed wires or came from a site, and no host had it"]


def test_the_way_back_in_words(tmp_path, capsys):
    """`trace task` tells the wait for a cell, a second crossing and what had gone over wires; its time is split so."""
    story = told(tmp_path, "AAB--CD")
    assert cli.status(["trace", "task", str(story.run), "0"]) == 0
    printed = capsys.readouterr().out
    assert "result waits at B for a cell of its vehicle" in printed
    assert "result goes on to cell C" in printed
    assert "result is at C and crosses wires again, to cell D" in printed
    assert "downlink starts in cell D, after 3.000 Mbit x wires" in printed
    with Trace.open(story.run) as trace:
        parts = attribute_delay(trace, "true").iloc[0]
    assert (parts.coverage_s, parts.backhaul_s) == pytest.approx((1.3, 3.6))
    assert parts.receiving_s == pytest.approx(0.5)


def test_a_wait_on_wires_is_no_time_of_another_task(tmp_path):
    """The wait of a result for a cell is its own: the next task, whose result was not held up, has none of it."""
    paths = {"a": drive("AA--B"), "b": drive("A")}
    given = {"sites": LINE, "backhaul": WIRE, "radio": PATIENT, "compute": {"edge": {"cores": 2}}}
    story = tell(tmp_path, paths, [(0.5, "a"), (1.5, "b", {"cycles": 2e9})], duration_s=12.0, **given)
    with Trace.open(story.run) as trace:
        parts = attribute_delay(trace, "true")
    assert story.number(1, "downlink_s") < 5.2
    assert parts.coverage_s.tolist() == pytest.approx([1.5, 0.0])
    assert parts.receiving_s.tolist() == pytest.approx([0.5, 0.5])


def test_a_wait_for_a_cell_makes_late(tmp_path):
    """A task that is late because its result found no cell has the cause `coverage`."""
    story = told(tmp_path, "AA------B", arrival=(0.5, "a", {"deadline_s": 4.0}))
    with Trace.open(story.run) as trace:
        assert list(attribute_delay(trace).cause) == ["coverage"]
    assert scenario().radio.outage_s < 5.5
