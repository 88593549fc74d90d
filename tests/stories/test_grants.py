"""A transfer waits for its grant before its first bit, in each cell anew, and is not there for anybody meanwhile.

A (0)                     B (150)
|---- heard to 100 ----|
      |---- heard from 50 ----|
car:  40 at ticks 0 and 1, then 110

The usual task sends 1 Mbit in 1 s, works 1 s and gets 0.5 Mbit back in 0.5 s.
"""

from itertools import product
from math import log2
from typing import Any

import numpy as np
import pytest
from effort import rest_long
from physics import seen
from stories import FAR, NEAR_A, Told, perform, scenario, sites, tell, write_arrivals
from test_handover import CROSSING
from test_neighbours import BESIDE, BEYOND, SIDELINK

from cosim.audit.verify import verify
from cosim.kernel.clock import Clock
from cosim.radio.channel import Channel
from cosim.trace.facts.run import TransferGranted
from cosim.trace.lateness.causes import attribute_delay, part_names
from cosim.trace.store.reader import Trace
from cosim.trace.store.writer import NullWriter
from cosim.trace.views.timeline import timeline

STAY = [NEAR_A] * 11
PAIR = sites(A=0, B=150)
BIG = [(0.5, "a", {"input_bit": 4e6})]


def waits(**grant_s: float) -> dict[str, Any]:
    """A radio with waits, and an interruption of 0.25 s."""
    return {"grant_s": grant_s, "handover": {"interruption_s": 0.25}}


def numbers(story, task=0, names=("uplinked_s", "downlink_s", "time_s", "transmit_j")):
    """Some numbers of a task."""
    return [story.number(task, name) for name in names]


def spent(story, task=0):
    """The parts of a task's time that are not zero; all parts of all tasks are checked to add up."""
    with Trace.open(story.run) as trace:
        table = attribute_delay(trace, "true")
    parts = table[[f"{name}_s" for name in part_names()]].to_numpy()
    np.testing.assert_allclose(parts.sum(axis=1), table.elapsed_s, rtol=0, atol=1e-9)
    own = {name: round(float(table.loc[task, f"{name}_s"]), 9) for name in part_names()}
    return {name: part_s for name, part_s in own.items() if part_s > 0.0}


ACCESSES = {
    "ofdma": ({"kind": "ofdma"}, 1.0, 1.0),
    "fixed": ({"kind": "fixed", "slice_share": 0.5}, 2.0, 2.0),
    "noma": ({"kind": "noma"}, 1.0, 1.0),
    "noma without sic": ({"kind": "noma", "sic": False}, 1.0, 1.0),
}


EACH_ONCE = [
    ("ofdma", "per_radio", False, "strongest"),
    ("fixed", "per_transfer", True, "target"),
    ("noma", "per_radio", True, "strongest"),
    ("noma without sic", "per_transfer", False, "target"),
]
EVERY = list(product(ACCESSES, ["per_radio", "per_transfer"], [False, True], ["strongest", "target"]))


@pytest.mark.parametrize(
    ("access", "power", "interference", "association"),
    rest_long([*EACH_ONCE, *(one for one in EVERY if one not in EACH_ONCE)], keep=len(EACH_ONCE)),
)
def test_a_lone_task_takes_its_grants_and_its_bits(tmp_path, access, power, interference, association):
    """Up: 0.25 s and bits / rate; down: 0.75 s and bits / rate; joules are those of sending and receiving."""
    kind, up_s, per_bit = ACCESSES[access]
    radio = {
        **waits(uplink=0.25, downlink=0.75), "access": kind, "power": power, "interference": interference,
        "association": association,
    }  # fmt: skip
    story = tell(tmp_path, {"a": STAY}, [(0.5, "a")], radio=radio, energy={"receive_power_w": 0.5})
    up, down = 0.75 + up_s, 1.75 + up_s
    end = down + 0.75 + 0.5 * per_bit
    seen(numbers(story), [up, down, end, up_s + 0.25 * per_bit])
    assert story.of("TransferGranted") == [
        "0.75 TransferGranted 0 UPLINK A after 0.25, 1000000 bit left",
        f"{down + 0.75:g} TransferGranted 0 DOWNLINK A after 0.75, 500000 bit left",
    ]
    expected_s = {"grant": 1.0, "sending": up_s, "execution": 1.0, "receiving": 0.5 * per_bit}
    assert spent(story) == pytest.approx(expected_s)


def test_a_lone_task_at_a_neighbour_takes_its_grants_and_its_bits(tmp_path):
    """Both ways over the sidelink wait for the grant of that medium; nothing is paid meanwhile."""
    radio = {**SIDELINK, "grant_s": {"sidelink": 0.25, "uplink": 9.0, "downlink": 9.0}}
    story = tell(tmp_path, {"a": [FAR] * 11, "b": [BESIDE] * 11}, [(0.5, "a")], "b", radio=radio)
    seen(numbers(story), [1.75, 2.75, 3.5, 1.5])
    assert story.of("TransferGranted") == [
        "0.75 TransferGranted 0 SIDELINK A by a after 0.25, 1000000 bit left",
        "3 TransferGranted 0 SIDELINK A by b after 0.25, 500000 bit left",
    ]
    assert spent(story) == pytest.approx({"grant": 0.5, "sending": 1.0, "execution": 1.0, "receiving": 0.5})


@pytest.mark.parametrize(("where", "grants_s"), [("local", 0.0), ("A", 1.0), ("B", 1.0), ("cloud", 1.0), ("b", 1.5)])
def test_a_lone_task_takes_what_was_expected(tmp_path, where, grants_s):
    """The latency that the observation promised for each option, with its grants, is what a task alone takes."""
    paths = {"a": STAY, "b": [(20.0, 10.0)] * 11}
    radio = {**SIDELINK, "grant_s": {"uplink": 0.25, "downlink": 0.75, "sidelink": 0.75}}
    story = tell(tmp_path, paths, [(0.5, "a")], where, radio=radio, cloud={"cores": 1, "core_hz": 2e9})
    with Trace.open(story.run) as trace:
        expected_s = float(trace.sql("SELECT expected_s FROM task_decided").expected_s[0])
    assert expected_s == pytest.approx(story.number(0, "time_s") - 0.5, rel=1e-12)
    assert spent(story).get("grant", 0.0) == pytest.approx(grants_s)


def test_the_observation_has_the_grants_of_each_option(tmp_path):
    """0 in the vehicle, up and down to sites and cloud, out and back to neighbours; without `grant_s` all are 0."""
    seen_s = []

    class Watching(Told):
        def decide(self, observation):
            assert not observation.grant_s.flags.writeable
            seen_s.append(observation.grant_s.tolist())
            return super().decide(observation)

    paths = {"a": STAY, "b": [(20.0, 10.0)] * 11}
    for number, grant_s in enumerate([{"uplink": 0.25, "downlink": 0.75, "sidelink": 2.0}, {}]):
        (tmp_path / str(number)).mkdir()
        radio = {**SIDELINK, "grant_s": grant_s}
        tell(tmp_path / str(number), paths, [(0.5, "a")], Watching("local"), radio=radio, cloud={})
    assert seen_s == [[[0.0, 1.0, 1.0, 1.0, 4.0]], [[0.0] * 5]]


def test_no_rows_and_no_events_without_a_wait(tmp_path):
    """Without `grant_s` there is no grant in the trace, however often cells change."""
    story = tell(tmp_path, {"a": CROSSING}, BIG, "B", sites=PAIR, radio=waits())
    assert story.of("TransferGranted") == []
    assert "4.75 uplinked 0 B" in story.facts


def test_a_grant_in_each_cell(tmp_path):
    """After a handover come the interruption and another wait, and the rest is sent.

    Granted at 1; 1 of 4 Mbit to 2; interruption to 2.25, grant at 2.75; 3 Mbit to 5.75.
    """
    story = tell(tmp_path, {"a": CROSSING}, BIG, "B", sites=PAIR, radio=waits(uplink=0.5))
    assert story.about(0)[:5] == [
        "0.5 uplink 0",
        "1 TransferGranted 0 UPLINK A after 0.5, 4000000 bit left",
        "2 TransferMoved 0 UPLINK A->B 3000000 bit left",
        "2.75 TransferGranted 0 UPLINK B after 0.5, 3000000 bit left",
        "5.75 uplinked 0 B",
    ]
    seen(numbers(story), [5.75, 6.75, 7.25, 4.0])
    parts = {"handover": 0.25, "grant": 1.0, "sending": 4.0, "execution": 1.0, "receiving": 0.5}
    assert spent(story) == pytest.approx(parts)


def test_all_is_sent_again_after_a_grant(tmp_path):
    """With `restart` the second wait is followed by the whole input; what was sent before counts as handover."""
    radio = {**waits(uplink=0.5), "handover": {"interruption_s": 0.25, "transfer": "restart"}}
    story = tell(tmp_path, {"a": CROSSING}, BIG, "B", sites=PAIR, radio=radio)
    assert story.about(0)[2:5] == [
        "2 TransferMoved 0 UPLINK A->B 4000000 bit left",
        "2.75 TransferGranted 0 UPLINK B after 0.5, 4000000 bit left",
        "6.75 uplinked 0 B",
    ]
    assert story.number(0, "transmit_j") == pytest.approx(5.0)
    parts = {"handover": 1.25, "grant": 1.0, "sending": 4.0, "execution": 1.0, "receiving": 0.5}
    assert spent(story) == pytest.approx(parts)


@pytest.mark.parametrize("transfer", ["continue", "restart"])
def test_a_handover_while_it_waits(tmp_path, transfer):
    """The wait begins anew in the new cell after the interruption: 2 + 0.25 + 2, then 4 Mbit."""
    radio = {"grant_s": {"uplink": 2.0}, "handover": {"interruption_s": 0.25, "transfer": transfer}}
    story = tell(tmp_path, {"a": CROSSING}, BIG, "B", sites=PAIR, radio=radio)
    assert story.about(0)[:4] == [
        "0.5 uplink 0",
        "2 TransferMoved 0 UPLINK A->B 4000000 bit left",
        "4.25 TransferGranted 0 UPLINK B after 2, 4000000 bit left",
        "8.25 uplinked 0 B",
    ]
    assert story.number(0, "handovers") == 1
    parts = {"handover": 0.25, "grant": 3.5, "sending": 4.0, "execution": 1.0, "receiving": 0.5}
    assert spent(story) == pytest.approx(parts)
    assert story.number(0, "transmit_j") == pytest.approx(4.0)


def test_a_handover_at_the_instant_of_the_grant(tmp_path):
    """Vehicles move first: the grant that would come at the tick of the handover does not come."""
    story = tell(tmp_path, {"a": CROSSING}, BIG, "B", sites=PAIR, radio={"grant_s": {"uplink": 1.5}})
    assert story.of("TransferGranted")[0] == "3.5 TransferGranted 0 UPLINK B after 1.5, 4000000 bit left"


def test_a_second_handover_in_interruption_and_wait(tmp_path):
    """Back at 3, within the wait in B, which has no grant: 3 + 0.25 + 1, and 3.5 Mbit in A to 7.75."""
    there_and_back = [(40.0, 0.0)] * 2 + [(110.0, 0.0)] + [(40.0, 0.0)] * 8
    story = tell(tmp_path, {"a": there_and_back}, BIG, "A", sites=PAIR, radio=waits(uplink=1.0))
    assert story.of("TransferGranted") == [
        "1.5 TransferGranted 0 UPLINK A after 1, 4000000 bit left",
        "4.25 TransferGranted 0 UPLINK A after 1, 3500000 bit left",
    ]
    parts = {"handover": 0.5, "grant": 2.75, "sending": 4.0, "execution": 1.0, "receiving": 0.5}
    assert spent(story) == pytest.approx(parts)


def test_a_grant_after_a_hole(tmp_path):
    """Coverage lost at 2 and back at 4: the rest waits for a grant again, without an interruption."""
    path = [NEAR_A] * 2 + [FAR] * 2 + [NEAR_A] * 8
    radio = {**waits(uplink=0.5), "outage_s": 3.0}
    story = tell(tmp_path, {"a": path}, BIG, radio=radio, duration_s=12.0)
    assert story.about(0)[1:6] == [
        "1 TransferGranted 0 UPLINK A after 0.5, 4000000 bit left",
        "2 TransferMoved 0 UPLINK A->- 3000000 bit left",
        "4 TransferMoved 0 UPLINK -->A 3000000 bit left",
        "4.5 TransferGranted 0 UPLINK A after 0.5, 3000000 bit left",
        "7.5 uplinked 0 A",
    ]
    parts = {"coverage": 2.0, "grant": 1.0, "sending": 4.0, "execution": 1.0, "receiving": 0.5}
    assert spent(story) == pytest.approx(parts)


@pytest.mark.parametrize("first", [NEAR_A, FAR])
def test_no_coverage_before_the_grant(tmp_path, first):
    """A wait that a hole cuts short, or that could not begin, begins when coverage is there."""
    path = [NEAR_A, first, FAR] + [NEAR_A] * 8
    story = tell(tmp_path, {"a": path}, [(1.5, "a")], radio={"grant_s": {"uplink": 1.0}, "outage_s": 3.0})
    assert story.of("TransferGranted", "uplinked") == [
        "4 TransferGranted 0 UPLINK A after 1, 1000000 bit left",
        "5 uplinked 0 A",
    ]


def test_an_outage_in_the_wait(tmp_path):
    """A transfer that loses coverage while it waits is given up after the outage, without a grant or a joule."""
    story = tell(tmp_path, {"a": [NEAR_A] * 2 + [FAR] * 9}, BIG, radio=waits(uplink=2.0))
    assert story.about(0)[-2:] == [
        "2 TransferMoved 0 UPLINK A->- 4000000 bit left",
        "3 TaskEnded 0 NO_COVERAGE in UPLINK",
    ]
    assert story.number(0, "transmit_j") == 0.0
    assert spent(story) == {"coverage": 1.0, "grant": 1.5}


def test_a_result_that_waited_for_a_cell(tmp_path):
    """A result that waits at its site for a cell of its vehicle has its downlink's wait after that."""
    path = [NEAR_A] * 2 + [FAR] * 2 + [NEAR_A] * 7
    story = tell(tmp_path, {"a": path}, [(0.5, "a")], radio={"grant_s": {"downlink": 0.75}, "outage_s": 3.0})
    assert story.about(0)[-4:] == [
        "4 TransferMoved 0 WIRES -->A 500000 bit left",
        "4 downlink 0",
        "4.75 TransferGranted 0 DOWNLINK A after 0.75, 500000 bit left",
        "5.25 TaskEnded 0 COMPLETED through A",
    ]


def test_who_waits_is_no_load(tmp_path):
    """Released at 0.5 and 1, granted at 1 and 1.5: a is alone from 1 to 1.5, then they share, then b is alone.

    a: 0.5 Mbit to 1.5, the rest at half to 2.5. b: 0.5 Mbit to 2.5, the rest to 3.
    """
    paths = {"a": STAY, "b": STAY}
    radio = {"grant_s": {"uplink": 0.5}}
    story = tell(tmp_path, paths, [(0.5, "a"), (1.0, "b")], radio=radio, compute={"edge": {"cores": 2}})
    seen([story.number(task, "uplinked_s") for task in (0, 1)], [2.5, 3.0])
    assert spent(story, 0)["shared_cell"] == pytest.approx(0.5 + (story.number(0, "time_s") - 3.5 - 0.5))
    for task in (0, 1):
        assert spent(story, task)["grant"] == pytest.approx(0.5)


def test_who_waits_is_not_heard(tmp_path):
    """Car b asks for its grant while a sends in the next cell: a's link stays clean. Heard, b would cost it a tenth.

    a at 0 dB: granted at 3.5, 2 Mbit to 5.5; b waits from 3.4 to 6.4.
    """
    paths = {"a": [(0.0, 100.0)] * 31, "b": [(300.0, 100.0)] * 31}
    arrivals = [(0.5, "a", {"input_bit": 2e6}), (3.4, "b", {"input_bit": 2e6})]
    radio = {
        "max_efficiency_bps_hz": None, "min_snr_db": -20.0, "interference": True, "grant_s": {"uplink": 3.0},
    }  # fmt: skip
    story = tell(tmp_path, paths, arrivals, "A", duration_s=30.0, sites=sites(A=0, B=300), radio=radio)
    assert story.number(0, "uplinked_s") == pytest.approx(5.5, rel=1e-12)


def test_a_radio_that_waits_has_its_power_to_itself(tmp_path):
    """A transfer whose bearer was shared while it waited sends with the whole power of the radio afterwards.

    a at 0 dB sends up from 1.5, and to b from 1 on: half of the power each, until both are over by 2.3. Its second
    upload, which asked at 1.6 and waited through that, has the radio alone: 1 Mbit from 2.6 to 3.6.
    """
    paths = {"a": [(0.0, 100.0)] * 11, "b": [(0.0, 90.0)] * 11}
    arrivals = [(0.5, "a", {"input_bit": 2e5}), (1.0, "a", {"input_bit": 8e6}), (1.6, "a")]
    radio = {
        **SIDELINK, "max_efficiency_bps_hz": None, "min_snr_db": -20.0, "grant_s": {"uplink": 1.0},
    }  # fmt: skip
    story = tell(tmp_path, paths, arrivals, Told(["A", "b", "A"]), radio=radio)
    alone_bit = 0.5e6 * log2(101.0)
    first_s = 0.2 / log2(1.5)
    assert story.number(0, "uplinked_s") == pytest.approx(1.5 + first_s)
    rest_s = (8e6 - alone_bit - first_s * 1e6 * log2(51.0)) / (1e6 * log2(101.0))
    assert story.number(1, "uplinked_s") == pytest.approx(1.5 + first_s + rest_s)
    assert story.number(1, "uplinked_s") < 2.6
    assert story.number(2, "uplinked_s") == pytest.approx(3.6, rel=1e-12)
    assert story.number(2, "transmit_j") == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(
    ("path", "changes", "end"),
    [
        (STAY, {"tasks": {"on_deadline": "drop"}}, "1.5 TaskEnded 0 EXPIRED in UPLINK"),
        ([NEAR_A] * 2, {}, "2 TaskEnded 0 LEFT in UPLINK"),
        (STAY, {"duration_s": 2.25}, "2.25 TaskEnded 0 IN_FLIGHT in UPLINK"),
    ],
    ids=["deadline", "left", "end of run"],
)
@pytest.mark.parametrize("where", ["A", "b"])
def test_an_end_in_the_wait(tmp_path, path, changes, end, where):
    """A deadline, leaving the map and the end of the run end a task that waits as one that sends, for free."""
    grant_s = {"uplink": 3.0, "sidelink": 3.0}
    paths = {"a": path, "b": [(20.0, 10.0)] * 11}
    arrivals = [(0.5, "a", {"deadline_s": 1.0}), (5.0, "b", {"input_bit": 1e5})][: 1 if "duration_s" in changes else 2]
    policy = Told([where, "A"])
    story = tell(tmp_path, paths, arrivals, policy, radio={**SIDELINK, "grant_s": grant_s}, **changes)
    assert end in story.facts
    assert not [fact for fact in story.of("TransferGranted") if fact.split()[2] == "0"]
    assert story.number(0, "transmit_j") == 0.0
    with Trace.open(story.run) as trace:
        table = attribute_delay(trace, "true")
    assert table.grant_s[0] == pytest.approx(table.elapsed_s[0])


def test_a_neighbour_drives_off_in_the_wait(tmp_path):
    """A helper that is out of range at a tick is lost, also to a transfer that waits."""
    paths = {"a": [FAR] * 11, "b": [BESIDE] + [BEYOND] * 10}
    story = tell(tmp_path, paths, [(0.5, "a")], "b", radio={**SIDELINK, "grant_s": {"sidelink": 2.0}})
    assert story.facts[-1] == "1 TaskEnded 0 HELPER_LOST in UPLINK"
    assert story.of("TransferGranted") == []


def test_a_sidelink_sends_at_the_rate_of_where_it_is_granted(tmp_path):
    """What counts is where the two are when the wait is over: 10 m apart as it asks, 50 m as it sends."""
    paths = {"a": [FAR] * 11, "b": [(510.0, 10.0)] + [(550.0, 10.0)] * 10}
    radio = {**SIDELINK, "max_efficiency_bps_hz": None, "grant_s": {"sidelink": 1.0}}
    story = tell(tmp_path, paths, [(0.5, "a", {"input_bit": 4e6})], "b", radio=radio)
    assert story.number(0, "uplinked_s") == pytest.approx(1.5 + 4.0 / log2(1.0 + 1e4 / 50.0**2))


class Air:
    """A channel with vehicles that stand, and its clock."""

    def __init__(self, **radio: Any) -> None:
        plan = scenario(radio=radio)
        self.clock = Clock()
        self.channel = Channel(self.clock, plan.radio, np.zeros((1, 2)), 1, NullWriter())
        self.clock.every(1.0, self._tick)

    def _tick(self, tick: int) -> None:
        self.channel.tick(np.arange(2), np.array([(0.0, 10.0), (0.0, 20.0)]), np.zeros(0, np.int64), tick)

    def until(self, time_s: float) -> None:
        """Run on."""
        self.clock.at(time_s, self.clock.halt)
        self.clock.advance()


@pytest.mark.parametrize("access", ACCESSES)
@pytest.mark.parametrize("interference", [False, True])
def test_joint_messages_wait_once(access, interference):
    """Messages of two vehicles in one flow wait for one grant, are no load until then, and end bits / rate later."""
    kind, up_s, _ = ACCESSES[access]
    air = Air(access=kind, grant_s={"uplink": 0.25}, interference=interference)
    air.until(0.5)
    ended = []
    flow = air.channel.carry_up(0, 1e6, np.arange(2), np.array([100.0, 25.0]))
    flow.resume = lambda _: ended.append(air.clock.now)
    air.until(0.7)
    assert air.channel.up[0].active == 0
    air.until(0.8)
    assert air.channel.up[0].active == 1
    air.until(9.0)
    assert ended == pytest.approx([0.75 + up_s], rel=1e-12)
    assert flow.active_s == pytest.approx(up_s, rel=1e-12)


def test_joint_messages_that_are_cancelled_while_they_wait():
    """A flow that was cancelled in the wait does not begin."""
    air = Air(grant_s={"uplink": 0.25})
    air.until(0.5)
    air.channel.carry_up(0, 1e6, np.arange(2), np.array([100.0, 25.0])).cancel(RuntimeError())
    air.until(2.0)
    assert air.channel.up[0].busy_s == 0.0


def test_the_messages_of_twins_wait(tmp_path):
    """State messages come a grant later, slow a task's upload only from then on, and `late` knows it.

    Messages of 0.5 Mbit at 4 s are on the air from 4.5; the task asks at 4 and has its grant at 4.5: shared to 5.5.
    """
    twin = {"message_bit": 5e5, "sync": {"kind": "periodic", "period_s": 4.0, "staggered": False}}
    chosen = scenario(radio={"grant_s": {"uplink": 0.5}}, twin=twin)
    write_arrivals(tmp_path, [(4.0, "a", {"input_bit": 2e6})])
    perform(chosen, tmp_path / "run", tmp_path, {"a": STAY}, Told("A"))
    audit = verify(tmp_path / "run")
    assert audit.ok, audit.lines
    with Trace.open(tmp_path / "run") as trace:
        came_s = trace.sql("SELECT time_s FROM twin_uplinked WHERE began_s = 4").time_s.tolist()
        parts = attribute_delay(trace, "true")
        uplinked_s = float(trace.sql("SELECT uplinked_s FROM task_ended").uplinked_s[0])
    assert came_s == pytest.approx([5.5])
    assert uplinked_s == pytest.approx(7.0)
    assert (parts.grant_s[0], parts.shared_cell_s[0]) == pytest.approx((0.5, 0.5))


def test_the_life_of_a_task_tells_its_grants(tmp_path):
    """`trace task` names each grant with its cell and its wait, beside the handover that it followed."""
    story = tell(tmp_path, {"a": CROSSING}, BIG, "B", sites=PAIR, radio=waits(uplink=0.5))
    with Trace.open(story.run) as trace:
        told = [f"{time_s:g} {text}" for time_s, text in timeline(trace.sql, 0)]
        rows = trace.table(TransferGranted)
    assert "1 uplink is granted in cell A after 500.0 ms: 4.000 Mbit to send" in told
    assert "2.75 uplink is granted in cell B after 500.0 ms: 3.000 Mbit to send" in told
    assert rows.waited_s.tolist() == [0.5, 0.5]
    assert rows.vehicle.tolist() == [0, 0]
