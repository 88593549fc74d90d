"""How a vehicle moves on from its last known state: standing still, straight on, or along a circle.

The usual dynamic models of target tracking: constant position, constant velocity (CV), constant turn rate and velocity
(CTRV). Headings are SUMO's, clockwise from north in degrees.
"""

import numpy as np

from cosim.types import FloatArray

_STRAIGHT_RAD = 1e-6
"""A turn below this leaves the chord and the arc equal to a few picometres; the closed form would divide by it."""


def constant_position(xy_m: FloatArray) -> FloatArray:
    """Where it was (V, 2)."""
    return xy_m.copy()


def velocity(speed_mps: FloatArray, heading_deg: FloatArray) -> FloatArray:
    """(V, 2) change of x and y in m/s."""
    heading_rad = np.radians(heading_deg)
    return np.stack((speed_mps * np.sin(heading_rad), speed_mps * np.cos(heading_rad)), axis=1)


def constant_velocity(
    xy_m: FloatArray, speed_mps: FloatArray, heading_deg: FloatArray, ahead_s: FloatArray
) -> FloatArray:
    """Straight on, x + v t; (V, 2)."""
    moved: FloatArray = xy_m + velocity(speed_mps, heading_deg) * ahead_s[:, None]
    return moved


def constant_turn(
    xy_m: FloatArray, speed_mps: FloatArray, heading_deg: FloatArray, turn_dps: FloatArray, ahead_s: FloatArray
) -> FloatArray:
    """Along the circle of a constant turn rate (V,) in degrees per second, clockwise positive; (V, 2).

    The chord of an arc of length v t that turns by w t has the length v t sin(w t / 2) / (w t / 2) and the direction
    of half the turn.
    """
    half_rad = np.radians(turn_dps) * ahead_s / 2.0
    bent = np.abs(half_rad) > _STRAIGHT_RAD
    shorter = np.where(bent, np.sin(half_rad) / np.where(bent, half_rad, 1.0), 1.0)
    return constant_velocity(xy_m, speed_mps * shorter, heading_deg + np.degrees(half_rad), ahead_s)


def turned_deg(before_deg: FloatArray, after_deg: FloatArray) -> FloatArray:
    """(V,) smallest turn from one heading to another, in [-180, 180)."""
    turned: FloatArray = (after_deg - before_deg + 180.0) % 360.0 - 180.0
    return turned
