"""Our BB84 beside an independent photon-by-photon simulator: SeQUeNCe 0.8.5 (`pip install sequence`).

It has no decoys, no dark counts here, and throws away a double click, which our model counts: below 0.3 % of the sifted
bits at these settings. It stops at sifted bits; secret rates have no counterpart there.
"""

import random
from dataclasses import dataclass

import numpy as np
import pytest
from physics import seen
from scipy.stats import binomtest

from cosim.keys.rates.noise import Conditions
from cosim.keys.rates.rates import link_rates
from cosim.scenario.key_rates import DecoyBb84Rate

PULSE_HZ = 1e6
MEAN_PHOTONS = 0.1
EFFICIENCY = 0.9
FIDELITY = 0.94
BLOCK_BIT = 500  # SeQUeNCe sends its pulses in trains of BLOCK_BIT / MEAN_PHOTONS
TRAINS = 20
SEEDS = range(1, 9)
LEVEL = 0.999  # of each interval; ten of them hold together with at least 0.99


@dataclass(frozen=True, slots=True)
class Count:
    """What came out of trains of pulses."""

    pulses: int
    sifted: int
    wrong: int


def simulate(length_km: float, seed: int) -> Count:
    """BB84 without error correction between two nodes, all generators seeded."""
    from sequence.components.optical_channel import ClassicalChannel, QuantumChannel
    from sequence.kernel.timeline import Timeline
    from sequence.qkd.BB84 import pair_bb84_protocols
    from sequence.topology.node import QKDNode

    np.random.seed(seed)  # noqa: NPY002 - SeQUeNCe draws bases and bits from the global generator
    random.seed(seed)
    train_ps = round(BLOCK_BIT / MEAN_PHOTONS / PULSE_HZ * 1e12)
    timeline = Timeline(stop_time=(TRAINS + 2) * train_ps)
    source = {"LightSource": {"frequency": PULSE_HZ, "mean_photon_num": MEAN_PHOTONS}}
    alice = QKDNode("alice", timeline, stack_size=1, seed=2 * seed, component_templates=source)
    bob = QKDNode("bob", timeline, stack_size=1, seed=2 * seed + 1)
    for detector in (0, 1):
        bob.components["bob.qsdetector"].set_detector(detector, efficiency=EFFICIENCY, dark_count=0)
    pair_bb84_protocols(alice.protocol_stack[0], bob.protocol_stack[0])
    for sender, receiver in ((alice, bob), (bob, alice)):
        name = f"{sender.name}-{receiver.name}"
        quantum = QuantumChannel(f"q-{name}", timeline, 2e-4, length_km * 1e3, FIDELITY, frequency=PULSE_HZ)
        quantum.set_ends(sender, receiver.name)
        quantum.owner = sender  # without an owner a channel draws from an unseeded generator
        ClassicalChannel(f"c-{name}", timeline, length_km * 1e3).set_ends(sender, receiver.name)
    timeline.init()
    ours, theirs = alice.protocol_stack[0], bob.protocol_stack[0]
    ours.push(BLOCK_BIT, 10**9, (TRAINS + 0.5) * train_ps)
    timeline.run()
    rest = sum(int(a != b) for a, b in zip(ours.key_bits, theirs.key_bits, strict=True))
    return Count(
        pulses=TRAINS * round(BLOCK_BIT / MEAN_PHOTONS),
        sifted=BLOCK_BIT * len(ours.error_rates) + len(ours.key_bits),
        wrong=round(sum(ours.error_rates) * BLOCK_BIT) + rest,
    )


@pytest.mark.long
@pytest.mark.parametrize("length_km", [1.0, 10.0, 25.0, 50.0, 75.0])
def test_sequence_agrees(length_km: float) -> None:
    """SeQUeNCe's sifted bits per pulse and QBER hold our formulas in their exact 99.9 % binomial intervals."""
    pytest.importorskip("sequence")
    counts = [simulate(length_km, seed) for seed in SEEDS]
    pulses, sifted, wrong = (sum(getattr(count, name) for count in counts) for name in ("pulses", "sifted", "wrong"))
    model = DecoyBb84Rate(
        kind="decoy_bb84",
        fibre_db_per_km=0.2,
        pulse_hz=PULSE_HZ,
        signal_mu=MEAN_PHOTONS,
        dark_count=1e-12,
        misalignment=(1 - FIDELITY) / 2,  # a photon that is disturbed gets a random angle: wrong half the time
    )
    zero = np.zeros(1)
    ours = link_rates(model, zero + length_km, zero + EFFICIENCY, zero, Conditions(zero, zero))
    rate = binomtest(sifted, pulses).proportion_ci(LEVEL, "exact")
    qber = binomtest(wrong, sifted).proportion_ci(LEVEL, "exact")
    print(  # noqa: T201 - the numbers are the finding
        f"{length_km:g} km: {pulses} pulses, {sifted} sifted bits, {wrong} wrong;"
        f" sifted bit/s {sifted / pulses * PULSE_HZ:.1f} in [{rate.low * PULSE_HZ:.1f}, {rate.high * PULSE_HZ:.1f}]"
        f" ours {ours.sifted_bps[0]:.1f}; QBER {wrong / sifted:.5f} in [{qber.low:.5f}, {qber.high:.5f}]"
        f" ours {ours.qber[0]:.5f}"
    )
    assert rate.low * PULSE_HZ <= ours.sifted_bps[0] <= rate.high * PULSE_HZ
    assert qber.low <= ours.qber[0] <= qber.high
    seen([ours.sifted_bps[0], ours.qber[0]], [sifted / pulses * PULSE_HZ, wrong / sifted])
    assert qber.high < 1 - FIDELITY  # the check has teeth: a QBER of 1 - fidelity would be refused
