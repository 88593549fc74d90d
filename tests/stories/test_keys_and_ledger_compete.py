"""Keys, blocks and tasks share processors and wires; what the ledger takes is the cause `block`, or a longer way."""

from dataclasses import replace

import numpy as np
import pytest
from secured import KEY, KEYS, LEDGER, RATE, WIRE
from stories import NEAR_A, Told, merged, sites, tell

from cosim.cli import main as cli
from cosim.ledger.block import HEADER_BYTE
from cosim.trace.lateness.ranking import lateness
from cosim.trace.store.reader import Trace

NEAR = {"a": [NEAR_A] * 11}
FOUR = sites(A=0.0, B=1000.0, C=2000.0, D=3000.0)
EMPTY_BLOCK_BIT = 8 * HEADER_BYTE + 512
"""Of the first block, without batches and voters: its header and its maker's signature (Ed25519)."""
HEAVY = merged(LEDGER, {"cost": {"density_cycles_per_bit": 1e9 / EMPTY_BLOCK_BIT}, "timeouts": {"propose_s": 3.0}})
"""Eq 18: A's only core makes the first block from 2 to 3 s."""


def said(capsys, *arguments):
    """What `cosim trace` prints."""
    capsys.readouterr()
    assert cli.status(["trace", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_a_task_queues_behind_a_block(tmp_path, capsys):
    """A task that comes to the host while it makes a block waits for the block, is late, and the trace names the block.

    host A   |==block 1==|
    task      1.25-2.25 up   2.25-3 queue, 3-4 executed, 4-4.5 down, deadline 4
    """
    arrivals = [(1.25, "a", {"deadline_s": 2.75})]
    story = tell(
        tmp_path,
        NEAR,
        arrivals,
        ledger=HEAVY,
        backhaul=WIRE,
        sites=FOUR,
        duration_s=5.5,
    )
    assert story.about(0) == [
        "1.25 uplink 0",
        "2.25 uplinked 0 A",
        "2.25 queued 0",
        "3 started 0",
        "4 executed 0",
        "4 downlink 0",
        "4.5 TaskEnded 0 LATE through A",
    ]
    assert story.of("ConsensusWorked", "BlockProposed", "BlockCommitted")[:3] == [
        "3 ConsensusWorked A 1 MAKE",
        "3 BlockProposed 1.0 A 0 batches",
        "3.6 BlockCommitted 1.0 A 0 records",
    ]
    with Trace.open(story.run) as trace:
        causes = {one.cause: (one.tasks, one.delay_s) for one in lateness(trace).causes}
    assert causes["block"] == (1, pytest.approx(0.75))
    told = said(capsys, "task", story.run, 0)
    assert "reason: block: its host was busy with the ledger's blocks" in told
    assert "ledger: block 1 used its host meanwhile" in told
    assert "block" in said(capsys, "late", story.run)


def test_a_block_queues_behind_a_task(tmp_path):
    """The other way round the block waits for the core: executed until 2.9, then the block is made until 3.9."""
    story = tell(tmp_path, NEAR, [(0.9, "a")], ledger=HEAVY, backhaul=WIRE, sites=FOUR, duration_s=5.5)
    assert story.of("executed") == ["2.9 executed 0"]
    assert story.of("BlockProposed", "BlockCommitted") == [
        "3.9 BlockProposed 1.0 A 0 batches",
        "4.5 BlockCommitted 1.0 A 0 records",
    ]


@pytest.mark.parametrize("voting", [True, False])
def test_batches_hold_up_a_task_on_its_wire(tmp_path, voting):
    """Three copies of a batch leave A beside a task for B: they share the wire, and it comes later by all of them.

    A task of 1e5 bit on a wire of 1e5 bit/s, twice: queued at 4 without a ledger.
    """
    thin = {"kind": "star", "bandwidth_bps": 1e5, "latency_s": 0.0}
    quick = {"input_bit": 1e5, "output_bit": 0.0, "cycles": 1e8}
    plan = merged(LEDGER, {"signature": "ml_dsa_44", "block": {"interval_s": 4.0}}) if voting else None
    story = tell(
        tmp_path,
        NEAR,
        [(0.25, "a", quick), (1.9, "a", quick)],
        Told(["A", "B"]),
        ledger=plan,
        backhaul=thin,
        sites=FOUR,
        duration_s=5.5,
    )
    batch_bit = 0
    if voting:
        assert story.of("BatchSealed")[0] == "2 BatchSealed A 0 with 1 records"
        with Trace.open(story.run) as trace:
            batch_bit = int(trace.sql("SELECT bit FROM batch_sealed ORDER BY time_s").bit[0])
        assert batch_bit > 19_360
    assert story.number(1, "queued_s") == pytest.approx(4.0 + 3 * batch_bit / 1e5)


class Turns(Told):
    """Sets the detectors' efficiency at each decision."""

    def __init__(self, efficiency):
        super().__init__("A")
        self._efficiency = efficiency

    def decide(self, observation):
        """As told, with the knob."""
        self.seen = observation.keys.detector.tolist()
        return replace(super().decide(observation), detector=np.array(self._efficiency))


NOISY = merged(RATE, {"dark_count": 1e-3})
LINKED = merged(KEYS, {"rate": NOISY, "topology": {"links": [{"ends": ["A", "B"], "length_km": 1}]}})


def samples(story):
    """Rate, error rate and detector of the link at each second."""
    with Trace.open(story.run) as trace:
        return trace.sql("SELECT time_s, key_bps, qber, detector FROM key_pool_sampled ORDER BY time_s")


def test_a_policy_turns_the_detectors(tmp_path):
    """From the slot that is running on: half the efficiency gives less key and more errors; the samples tell it."""
    policy = Turns([0.5])
    story = tell(
        tmp_path, NEAR, [(2.5, "a")], policy, keys=LINKED, decisions={"knobs": ["target", "detector"]}, duration_s=6.0
    )
    told = samples(story)
    assert told.time_s.tolist() == [1, 2, 3, 4, 5, 6]
    assert told.detector.tolist() == [1.0, 1.0, 0.5, 0.5, 0.5, 0.5]
    assert told.key_bps.nunique() == told.qber.nunique() == 2
    assert 0 < told.key_bps[2] < told.key_bps[1] < KEY
    assert 0 < told.qber[1] < told.qber[2] < 0.11
    assert policy.seen == [1.0]
    assert [note for note in policy.simulation.notes() if "interference" not in note] == []


def test_a_detector_that_is_not_handed_over(tmp_path):
    """Without the knob the detectors stay as they are, and a note says so."""
    policy = Turns([0.5])
    story = tell(tmp_path, NEAR, [(2.5, "a")], policy, keys=LINKED, duration_s=6.0)
    assert samples(story).detector.unique().tolist() == [1.0]
    assert [note for note in policy.simulation.notes() if "interference" not in note] == [
        "the policy turned detector, which decisions.knobs does not hand over; add detector to it"
    ]


def test_the_ledger_keeps_what_keys_did(tmp_path):
    """Blocks of key and fillings of vehicles are records as well: a link's at its lower site, a filling at its node.

    Until 3 s A writes down a filling and 3 blocks of the link, B nothing; the task of A ends at 3.75 as its own record.
    """
    plan = merged(LINKED, {"rate": RATE})
    story = tell(
        tmp_path, NEAR, [(1.25, "a")], keys=plan, ledger=merged(LEDGER, {"block": {"interval_s": 6.0}}), duration_s=7.0
    )
    assert story.of("BatchSealed")[0] == "3 BatchSealed A 0 with 3 records"
    assert story.of("BlockCommitted")[0].endswith("A 3 records")
