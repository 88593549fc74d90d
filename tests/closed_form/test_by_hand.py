"""Few transfers at once, timed by hand: weighted shares, fixed slices, NOMA, wires, and moves between media."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from physics import seen

from cosim.adaptation.curve import ShannonCurve
from cosim.compute import SharingHost
from cosim.kernel.clock import Clock, Story, Wait
from cosim.kernel.fluid import Flow, Fluid
from cosim.radio.cell import NomaCell, OrthogonalCell, make_cell
from cosim.scenario.hosts import Backhaul, Cloud
from cosim.scenario.radio import Fixed
from cosim.topology import Topology, build_topology
from cosim.transport import Wires
from cosim.validation.drive import drive, sojourns_s


def ends_s(clock: Clock, starts_s: Sequence[float], start: Callable[[int], Wait]) -> list[float]:
    """When each of the transfers that start at the given times ends."""
    return (sojourns_s(clock, np.array(starts_s), start) + np.array(starts_s)).tolist()


def test_shares_of_two_to_one() -> None:
    """Weights 2 and 1 split a band 2:1 while both send; the one left has all of it."""
    clock = Clock()
    cell = OrthogonalCell(clock, 1.0, ShannonCurve())
    ends = ends_s(clock, [0.0, 0.0], lambda k: cell.start(Flow(1.0, cell.gain(1.0), (2.0, 1.0)[k])))
    assert ends == pytest.approx([1.5, 2.0], abs=1e-12)
    seen(ends, [1.5, 2.0])


def test_shares_below_one_are_parts_of_the_band() -> None:
    """Shares 0.8 and 0.4 exceed the band and are scaled to 2/3 and 1/3; 0.4 alone keeps to 0.4 of the band."""
    clock = Clock()
    cell = OrthogonalCell(clock, 1.0, ShannonCurve())
    ends = ends_s(clock, [0.0, 0.0], lambda k: cell.start(Flow(1.0, cell.gain(1.0), (0.8, 0.4)[k])))
    assert ends == pytest.approx([1.5, 1.5 + 0.5 / 0.4], abs=1e-12)


def test_shares_of_a_processor() -> None:
    """On two cores shares 1, 1 and 0.5 get 0.8, 0.8 and 0.4 cores; what is left never has more than one core."""
    clock = Clock()
    host = SharingHost(clock, 1.0, 2, 1.0)
    ends = ends_s(clock, [0.0] * 3, lambda k: host.execute((0.8, 1.8, 0.9)[k], share=(1.0, 1.0, 0.5)[k]))
    assert ends == pytest.approx([1.0, 2.0, 2.0], abs=1e-12)
    seen(ends, [1.0, 2.0, 2.0])
    assert host.busy_core_s == pytest.approx(2.0 + 1.5, abs=1e-12)


def test_fixed_slices_do_not_feel_each_other() -> None:
    """A transfer in a slice takes size over slice rate, whoever else sends."""
    clock, size_bit = Clock(), [1e6, 2e6, 5e5]
    cell = make_cell(clock, Fixed(kind="fixed", slice_share=0.1), 10e6, ShannonCurve(), uplink=True)
    ends = ends_s(clock, [0.0, 0.1, 0.2], lambda k: cell.start(Flow(size_bit[k], cell.gain((3.0, 1.0, 15.0)[k]))))
    assert ends == pytest.approx([1e6 / 2e6, 0.1 + 2e6 / 1e6, 0.2 + 5e5 / 4e6], rel=1e-12)
    seen(ends, [1e6 / 2e6, 0.1 + 2e6 / 1e6, 0.2 + 5e5 / 4e6])


def test_noma_without_sic() -> None:
    """Two equal users at 0 dB see 1/2 each, whoever came first; a user left alone is at 0 dB again."""
    clock, band_hz = Clock(), 1e6
    cell = NomaCell(clock, band_hz, ShannonCurve(), sic=False)
    ends = ends_s(clock, [0.0, 0.0], lambda k: cell.start(Flow((1e6, 2e6)[k], 1.0)))
    both_s = 1.0 / math.log2(1.5)
    assert ends == pytest.approx([both_s, both_s + 1.0], rel=1e-12)


def test_noma_with_sic() -> None:
    """Of two equal users at SNR 3 the later is decoded last and has 2 bit/s/Hz, the earlier log2(1.75) until then."""
    clock = Clock()
    cell = NomaCell(clock, 1e6, ShannonCurve(), sic=True)
    ends = ends_s(clock, [0.0, 0.0], lambda _: cell.start(Flow(2e6, 3.0)))
    assert ends == pytest.approx([1.0 + (2.0 - math.log2(1.75)) / 2.0, 1.0], rel=1e-12)


def test_noma_with_sic_while_users_come_and_go() -> None:
    """A weak user is heard without the strong one removed before it; the strong one is slowed while it sends."""
    clock = Clock()
    cell = NomaCell(clock, 1e6, ShannonCurve(), sic=True)
    strong, weak = 63.0, 3.0
    ends = ends_s(clock, [0.0, 0.5], lambda k: cell.start(Flow((6e6, 1e6)[k], (strong, weak)[k])))
    beside = math.log2(1.0 + strong / (1.0 + weak))
    assert ends[1] == pytest.approx(0.5 + 0.5, rel=1e-12)
    assert ends[0] == pytest.approx(1.0 + (6.0 - 0.5 * 6.0 - 0.5 * beside) / 6.0, rel=1e-12)


def test_noma_cap() -> None:
    """The cap bounds each user's own rate."""
    clock = Clock()
    cell = NomaCell(clock, 1e6, ShannonCurve(2.0), sic=True)
    assert ends_s(clock, [0.0, 0.0], lambda k: cell.start(Flow(2e6, (1e6, 15.0)[k]))) == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("sic", [True, False])
def test_a_drowned_user_goes_on_when_the_strong_one_is_gone(sic: bool) -> None:
    """A user 170 dB below another has a rate above 0, and the whole band once it is alone."""
    clock = Clock()
    cell = NomaCell(clock, 1e6, ShannonCurve(), sic=sic)
    strong, weak = 1e17, 1.0
    ends = ends_s(clock, [0.0, 0.0], lambda k: cell.start(Flow((1e6, 1e6)[k], (strong, weak)[k])))
    alone_s = 1.0 / math.log2(1.0 + strong / (1.0 + weak))
    assert ends == pytest.approx([alone_s, 1.0] if sic else [alone_s, alone_s + 1.0], rel=1e-9)


def carried_s(topology: Topology, size_bit: float, routes: Sequence[tuple[int, int]]) -> list[float]:
    """When each of the messages that are sent at once over the wires has arrived."""
    clock = Clock()
    wires = Wires(clock, topology)
    arrived_s = [math.nan] * len(routes)

    def story(number: int) -> Story:
        yield from wires.carry(size_bit, *routes[number])
        arrived_s[number] = clock.now

    drive(clock, np.zeros(len(routes)), story)
    return arrived_s


def test_wires_store_and_forward() -> None:
    """A message takes size over bandwidth and the latency of each wire on its way, over a star and up to the cloud."""
    size_bit = 8e6
    backhaul = Backhaul(bandwidth_bps=1e9, latency_s=0.001)
    cloud = Cloud(bandwidth_bps=1e8, latency_s=0.04)
    topology = build_topology(np.array([[0.0, 0.0], [100.0, 0.0], [200.0, 0.0]]), backhaul, cloud)
    assert topology.cloud is not None
    between_s = 2.0 * (size_bit / 1e9 + 0.001)
    up_s = size_bit / 1e9 + 0.001 + size_bit / 1e8 + 0.04
    for route, expected_s in (((0, 1), between_s), ((2, topology.cloud), up_s)):
        took_s = carried_s(topology, size_bit, [route])
        assert took_s == pytest.approx([expected_s], rel=1e-12)
        seen(took_s, [expected_s])
        table_s = topology.latency_s[route] + size_bit * topology.per_bit_s[route]
        assert table_s == pytest.approx(expected_s, rel=1e-12)


def test_wires_are_shared_in_one_direction() -> None:
    """Two messages on one route halve each wire's rate; one the other way is not in their way."""
    topology = build_topology(np.array([[0.0, 0.0], [100.0, 0.0]]), Backhaul(bandwidth_bps=1e9, latency_s=0.001), None)
    arrived_s = carried_s(topology, 8e6, [(0, 1), (0, 1), (1, 0)])
    assert arrived_s == pytest.approx([0.034, 0.034, 0.018], rel=1e-12)
    seen(arrived_s, [0.034, 0.034, 0.018])


def test_a_flow_that_moved_is_no_longer_in_its_first_medium() -> None:
    """A flow that goes on in another medium ends there, once, when its bits are through; those it left lose nothing."""
    clock = Clock()
    first, second = Fluid(clock, 1.0), Fluid(clock, 1.0)
    ends: dict[str, float] = {}

    def begin(medium: Fluid, name: str, flow: Flow) -> Flow:
        flow.resume = lambda _: ends.update({name: clock.now})
        return medium.start(flow)

    begin(second, "long there", Flow(3000.0))
    begin(first, "short", Flow(4.0))
    moved = begin(first, "moved", Flow(20.0))
    begin(first, "long", Flow(1000.0))

    def move() -> None:
        first.withdraw(moved)
        second.start(moved)

    clock.at(3.0, move)  # a third of the rate until then: 19 are left, which take 38 s at half the rate
    clock.advance()
    assert ends == pytest.approx({"short": 9.0, "moved": 41.0, "long": 1005.0, "long there": 3019.0}, abs=1e-9)
    assert first.active == second.active == 0
