"""Energy of processors and radios, and budgets."""

import math

import pytest
from physics import seen

from cosim.energy import EnergyMeter, cpu_energy_j, cpu_power_w, transmit_energy_j


def test_cpu_energy_of_s1():
    """With kappa 1e-27 a million cycles at 1 GHz cost 1 mJ (S1 eq 16), and the core draws 1 W."""
    assert cpu_energy_j(1e-27, 1e9, 1e6) == pytest.approx(1e-3)
    assert cpu_power_w(1e-27, 1e9) == pytest.approx(1.0)


def test_cpu_energy_is_power_times_time():
    """The energy kappa f^2 C equals the power kappa f^3 times the execution time C / f."""
    assert cpu_energy_j(1e-28, 3e9, 5e8) == pytest.approx(cpu_power_w(1e-28, 3e9) * 5e8 / 3e9)
    seen(cpu_energy_j(1e-28, 3e9, 5e8), cpu_power_w(1e-28, 3e9) * 5e8 / 3e9)


def test_transmit_energy():
    """0.2 W for half a second is 0.1 J (S1 eq 15)."""
    assert transmit_energy_j(0.2, 0.5) == pytest.approx(0.1)


def test_budget_runs_out():
    """A vehicle is exhausted when its budget is spent, and its neighbours are not; what is left is never negative."""
    meter = EnergyMeter(1.0)
    meter.spend(3, 0.6)
    assert meter.left(3) == pytest.approx(0.4)
    assert not meter.exhausted(3)
    meter.spend(3, 0.6)
    assert meter.spent(3) == pytest.approx(1.2)
    assert meter.left(3) == 0.0
    assert meter.exhausted(3)
    assert not meter.exhausted(4)


def test_no_budget_is_never_exhausted():
    """Without a budget nothing runs out."""
    meter = EnergyMeter(None)
    meter.spend(0, 1e12)
    assert meter.left(0) == math.inf
    assert not meter.exhausted(0)
