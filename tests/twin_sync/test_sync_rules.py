"""Who speaks when: on change, within a budget, never without a cell; and what is lost."""

import numpy as np
import pytest
from stories import AWAY, FAR, NEAR_A, NEAR_B, Told
from twin_runs import mirrored

from cosim.errors import InputError
from cosim.trace.facts.run import VehicleLeft
from cosim.trace.store.reader import Trace
from cosim.twin.digital_twin import DigitalTwin

STAY = [NEAR_A] * 13


def budget(messages_per_s, **more):
    """A twin of budgeted synchronisation."""
    return {"sync": {"kind": "budget", "messages_per_s": messages_per_s}, **more}


def told_at(run, vehicle):
    """When the states that came of a vehicle were true."""
    return run.synced[run.synced.vehicle == vehicle].generated_s.tolist()


def test_no_budget_no_news(tmp_path):
    """With a budget of zero each twin's age is the time since its vehicle entered, without bound, and is told so."""
    paths = {"a": STAY, "b": [None] * 4 + [NEAR_A] * 9}
    run = mirrored(tmp_path, paths, budget(0.0), [(0.5, "a")], duration_s=12.0)
    assert run.last.sent == 0
    assert run.synced.empty
    for at_s, age_s, oldest_s in run.sampled[["time_s", "mean_age_s", "max_age_s"]].itertuples(index=False):
        assert oldest_s == pytest.approx(at_s)
        assert age_s == pytest.approx(at_s if at_s < 4.0 else at_s - 2.0)
    assert run.last.age_s2 == pytest.approx(12.0**2 / 2 + 8.0**2 / 2, rel=1e-12)
    assert run.last.twin_s == pytest.approx(20.0, rel=1e-12)


def test_the_oldest_first(tmp_path):
    """One message every two seconds of each cell goes to the oldest twin there, and fractions are carried."""
    paths = {"a": [NEAR_A] * 14, "b": [NEAR_A] * 14, "c": [NEAR_A] * 14, "far": [NEAR_B] * 14}
    run = mirrored(tmp_path, paths, budget(0.5), duration_s=13.0)
    here = run.synced[run.synced.node == 0]
    assert here.vehicle.tolist() == [0, 1, 2, 0, 1, 2]
    assert here.generated_s.tolist() == [1.0, 3.0, 5.0, 7.0, 9.0, 11.0]
    assert told_at(run, 3) == [1.0, 3.0, 5.0, 7.0, 9.0, 11.0]


def test_a_state_on_its_way_is_not_asked_for_again(tmp_path):
    """While a vehicle's message is on the air for 1.5 s, the next grant goes to another vehicle."""
    paths = {"a": [NEAR_A] * 9, "b": [NEAR_A] * 9}
    run = mirrored(tmp_path, paths, budget(1.0, message_bit=7e5), duration_s=8.0)
    assert run.synced.vehicle.tolist()[:4] == [0, 1, 0, 1]


def test_who_was_lost_is_asked_again(tmp_path):
    """A cell that hears nothing of whom it asked asks it again: with all messages lost always the first vehicle."""
    paths = {"a": [NEAR_A] * 9, "b": [NEAR_A] * 9}
    run = mirrored(tmp_path, paths, budget(1.0, loss=1.0), duration_s=8.5)
    assert run.synced.empty
    assert run.last.lost == run.last.sent == 8
    assert (run.uplinked.lost == run.uplinked.vehicles).all()


def test_a_share_of_the_messages_is_lost(tmp_path):
    """Losses are drawn by vehicle and tick, in the stated share, and the same again in another run."""
    paths = {f"v{k:02d}": [NEAR_A] * 31 for k in range(40)}
    twin = {"message_bit": 100.0, "loss": 0.3, "sync": {"kind": "periodic"}}
    runs = [mirrored(tmp_path / name, paths, twin, duration_s=30.5) for name in ("one", "two")]
    last = runs[0].last
    assert last.sent == 1200
    assert last.received + last.lost == last.sent
    assert abs(last.lost / last.sent - 0.3) < 2.576 * (0.3 * 0.7 / 1200) ** 0.5  # 99 %
    assert runs[0].digest == runs[1].digest


def test_silence_while_the_twin_is_right(tmp_path):
    """At constant speed a vehicle is silent up to its heartbeat; as it stops it speaks at the next tick."""
    path = [(10.0 * min(k, 6), 0.0) for k in range(13)]
    twin = {"sync": {"kind": "on_change", "error_m": 5.0, "heartbeat_s": 4.0}}
    run = mirrored(tmp_path, {"a": path}, twin, duration_s=12.0)
    # 1: it enters standing and moves; 5: heartbeat; 7: it stands still and its twin drives on; 11: heartbeat.
    assert told_at(run, 0) == [1.0, 5.0, 7.0, 11.0]
    assert run.sampled.set_index("time_s").mirror_error_m[4.0] == pytest.approx(30.0)


def test_nobody_speaks_without_a_cell(tmp_path):
    """Out of coverage or off the road a vehicle's turns pass, and its twin ages."""
    path = [NEAR_A] * 2 + [FAR] * 3 + [AWAY] * 3 + [NEAR_B] * 5
    run = mirrored(tmp_path, {"a": path}, {"sync": {"kind": "periodic"}}, duration_s=12.0)
    assert told_at(run, 0) == [1.0, 8.0, 9.0, 10.0, 11.0]
    assert run.synced.node.tolist() == [0, 1, 1, 1, 1]
    at = run.sampled.set_index("time_s")
    assert at.mirror_error_m[4.0] == pytest.approx(500.0)
    assert np.isnan(at.mirror_error_m[6.0])


def test_who_leaves_is_forgotten(tmp_path):
    """A message whose vehicle leaves before it has come is neither received nor lost, and no twin is left."""
    run = mirrored(tmp_path, {"a": [NEAR_A] * 3}, {"message_bit": 1.5e6, "sync": {"kind": "periodic"}}, duration_s=8.0)
    with Trace.open(run.run) as trace:
        assert trace.table(VehicleLeft).time_s.tolist() == [3.0]
    assert (run.last.sent, run.last.received, run.last.lost, run.last.twins) == (2, 0, 0, 0)
    assert run.last.age_s2 == pytest.approx(4.5)
    assert run.last.twin_s == pytest.approx(3.0)


def test_what_is_on_the_air_at_the_end(tmp_path):
    """A bundle that the end of the run cuts off is told with all its messages lost."""
    run = mirrored(tmp_path, {"a": [NEAR_A] * 6}, {"message_bit": 8e5, "sync": {"kind": "periodic"}}, duration_s=5.5)
    cut = run.uplinked.iloc[-1]
    assert (cut.time_s, cut.began_s, cut.vehicles, cut.lost) == (5.5, 5.0, 1, 1)
    assert run.last.sent == 5


def test_a_period_between_ticks(tmp_path):
    """A period that is no multiple of the step is refused with the one that is nearest."""
    with pytest.raises(InputError, match=r"twin.sync.period_s=1.6 .* use 2"):
        mirrored(tmp_path, {"a": STAY}, {"sync": {"kind": "periodic", "period_s": 1.6}})


class _Looks(Told):
    """Notes what the mirror of the sites has at each epoch."""

    def __init__(self) -> None:
        super().__init__("B")
        self.seen = []

    def decide(self, observation):
        """As told."""
        sites = self.simulation.part(DigitalTwin).mirror.sites
        self.seen.append((sites.generated_s.tolist(), sites.wait_s.tolist(), sites.up_share.tolist()))
        return super().decide(observation)


def test_sites_are_known_late(tmp_path):
    """A site's queue is known after its message came over the wires, two hops of 0.1 s, to the node that decides."""
    looks = _Looks()
    long = {"cycles": 5e9, "deadline_s": 9.0, "input_bit": 1e5}
    arrivals = [(0.5, "a", long), (2.1, "a", long), (2.3, "a", long), (2.95, "a", {**long, "input_bit": 9e5})]
    backhaul = {"kind": "star", "latency_s": 0.1, "bandwidth_bps": 1e15}
    mirrored(
        tmp_path, {"a": [NEAR_B] * 13}, budget(0.0), [*arrivals, (3.3, "a", long)], looks, duration_s=12.0,
        backhaul=backhaul,
    )  # fmt: skip
    times, waits, shares = zip(*looks.seen, strict=True)
    assert times == ([0.0, 0.0], [2.0, 1.0], [2.0, 2.0], [2.0, 2.0], [3.0, 3.0])
    # The first task is at B from 0.6 s on; at 2 s it is the whole backlog, and at 3 s two more are behind it.
    assert [wait[1] for wait in waits] == [0.0, 5.0, 5.0, 5.0, 15.0]
    assert [share[1] for share in shares] == [1.0, 1.0, 1.0, 1.0, 0.5]
