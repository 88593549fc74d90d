"""Rates of the links slot by slot: those of a whole computation, bit for bit, and no more work than what changed."""

import numpy as np
import pytest
from effort import seeds

from cosim.keys.rates import slots
from cosim.keys.rates.noise import conditions
from cosim.keys.rates.rates import link_rates
from cosim.keys.rates.slots import SlotRates
from cosim.scenario.keys import Keys

KINDS = ("decoy_bb84", "bbm92", "finite_key", "qib_vec")
FIELDS = ("key_bps", "sifted_bps", "qber")


@pytest.mark.parametrize("kind", KINDS)
def test_rates_are_those_of_all_links_at_once(kind: str) -> None:
    """While some detectors turn and some links are listened to, every slot has the rates of a whole computation."""
    for seed in seeds(100, least=5):
        draw = np.random.default_rng(seed)
        links = int(draw.integers(1, 70))
        plan = Keys(rate={"kind": kind}, slot_s=0.5)
        length_km = draw.uniform(0.001, 60.0, links)
        rates = SlotRates(plan, length_km, seed)
        detector, intercepted = np.full(links, 0.1), np.zeros(links)
        for slot in range(12):
            if draw.random() < 0.5:
                detector = np.where(draw.random(links) < 0.2, draw.uniform(1e-6, 1.0, links), detector)
            intercepted = np.where(draw.random(links) < 0.1, draw.random(links), np.where(slot % 3, intercepted, 0.0))
            found = rates.at(slot, detector, intercepted)
            drawn = conditions(plan.environment, seed, np.arange(links), slot, plan.slot_s)
            whole = link_rates(plan.rate, length_km, detector, intercepted, drawn)
            for name in FIELDS:
                np.testing.assert_array_equal(getattr(found, name), getattr(whole, name), strict=True)


@pytest.mark.parametrize("kind", KINDS[:3])
def test_only_links_that_changed_are_worked_out(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All links in the first slot, then none, then the two whose detector or share of intercepted pulses changed."""
    worked_out: list[int] = []

    def counted(model, length_km, *rest):  # type: ignore[no-untyped-def]
        worked_out.append(len(length_km))
        return link_rates(model, length_km, *rest)

    monkeypatch.setattr(slots, "link_rates", counted)
    rates = SlotRates(Keys(rate={"kind": kind}), np.linspace(1.0, 50.0, 400), 1)
    detector, none = np.full(400, 0.1), np.zeros(400)
    rates.at(0, detector, none)
    rates.at(1, detector.copy(), none.copy())
    turned, heard = detector.copy(), none.copy()
    turned[7] = 0.2
    heard[300] = 0.5
    rates.at(2, turned, heard)
    rates.at(3, turned, heard)
    assert worked_out == [400, 2]
