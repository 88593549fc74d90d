"""What processors and radios draw from a battery: the kappa f^2 C law of mobile computing and power times airtime."""

import math


def cpu_power_w(kappa: float, hz: float) -> float:
    """Power of a busy core: kappa f^3 (dynamic CMOS power; idle and static power are left out)."""
    return kappa * hz**3


def cpu_energy_j(kappa: float, hz: float, cycles: float) -> float:
    """Energy of `cycles` at `hz`: kappa f^2 C (paper S1 eq 16 with C = s_c sigma_i), which is power times C / f."""
    return kappa * hz * hz * cycles


def transmit_energy_j(power_w: float, airtime_s: float) -> float:
    """Energy of a transmission: p t (paper S1 eq 15 with t = D sigma_ij / R); amplifier losses are left out."""
    return power_w * airtime_s


class EnergyMeter:
    """What each vehicle has spent, against one budget for all of them.

    Args:
        budget_j: energy a vehicle may spend in its life; None: no bound.
    """

    def __init__(self, budget_j: float | None) -> None:
        self._budget_j = math.inf if budget_j is None else budget_j
        self._spent_j: dict[int, float] = {}

    def spend(self, vehicle: int, energy_j: float) -> None:
        """Count energy that was used; the last piece of work may go beyond the budget."""
        self._spent_j[vehicle] = self._spent_j.get(vehicle, 0.0) + energy_j

    def spent(self, vehicle: int) -> float:
        """Energy used so far, in J."""
        return self._spent_j.get(vehicle, 0.0)

    def left(self, vehicle: int) -> float:
        """Energy left, in J: never below 0, inf without a budget."""
        return max(0.0, self._budget_j - self._spent_j.get(vehicle, 0.0))

    def exhausted(self, vehicle: int) -> bool:
        """True once the budget is spent: the vehicle neither computes nor sends."""
        return self._spent_j.get(vehicle, 0.0) >= self._budget_j
