"""What processors and radios draw from a battery: the kappa f^2 C law of mobile computing, and power times airtime."""

import math


def cpu_power_w(kappa: float, hz: float) -> float:
    """Return the power of a busy core in W: kappa f^3 (dynamic CMOS power; idle and static power are left out)."""
    return kappa * hz**3


def cpu_energy_j(kappa: float, hz: float, cycles: float) -> float:
    """Return the energy of `cycles` at `hz` in J: kappa f^2 C, which is power times C / f.

    Paper S1 eq 16 with C = s_c sigma_i.

        >>> cpu_energy_j(kappa=1e-27, hz=1e9, cycles=1e9)
        1.0

    Args:
        kappa: coefficient of the processor, in J per cycle and Hz^2.
        hz: f, cycles per second of the core.
        cycles: C.
    """
    return kappa * hz * hz * cycles


def transmit_energy_j(power_w: float, airtime_s: float) -> float:
    """Return the energy of a transmission in J: p t; amplifier losses are left out.

    Paper S1 eq 15 with t = D sigma_ij / R.
    """
    return power_w * airtime_s


class EnergyMeter:
    """The energy that each vehicle has spent, against one budget for all of them.

        >>> meter = EnergyMeter(budget_j=5.0)
        >>> meter.spend(vehicle=3, energy_j=6.0)
        >>> meter.left(3), meter.exhausted(3)
        (0.0, True)

    Args:
        budget_j: energy that a vehicle may spend in its life, in J; None: no bound.
    """

    def __init__(self, budget_j: float | None) -> None:
        self._budget_j = math.inf if budget_j is None else budget_j
        self._spent_j: dict[int, float] = {}

    def spend(self, vehicle: int, energy_j: float) -> None:
        """Count energy that was used, in J; the last piece of work may exceed the budget."""
        self._spent_j[vehicle] = self._spent_j.get(vehicle, 0.0) + energy_j

    def spent(self, vehicle: int) -> float:
        """Return the energy used so far, in J."""
        return self._spent_j.get(vehicle, 0.0)

    def left(self, vehicle: int) -> float:
        """Return the energy left, in J: never below 0, inf without a budget."""
        return max(0.0, self._budget_j - self._spent_j.get(vehicle, 0.0))

    def exhausted(self, vehicle: int) -> bool:
        """Return whether the budget is spent; the vehicle then neither computes nor sends."""
        return self._spent_j.get(vehicle, 0.0) >= self._budget_j
