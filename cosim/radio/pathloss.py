"""Path loss by distance and line of sight, after 3GPP TR 38.901 and TR 37.885.

Losses in dB, distances in m, frequencies in GHz. Each function takes one distance or an array of any shape. Vehicles
and sites stand on a plane: terrain, buildings of the map and antenna patterns are left out.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol, TypeAlias, assert_never

import numpy as np

from cosim.errors import InputError
from cosim.plugins import make_plugin
from cosim.scenario.radio import PathLoss, PluginPathLoss, PowerLaw, Umi, V2vHighway, V2vUrban
from cosim.types import BoolArray, FloatArray
from cosim.user_code import GuardedObject

_LIGHT_MPS = 299_792_458.0  # TR 38.901 rounds it to 3.0e8, which is 0.006 dB more beyond the break point
_FLOOR_M = 1.0

Distance: TypeAlias = float | FloatArray


class PathLossModel(Protocol):
    """The path loss of a scenario, evaluated for all (vehicle, site) pairs at once, in arrays of any shape."""

    @property
    def shadowed(self) -> bool:
        """Whether `sigma_db` can be above 0; else no shadowing is drawn."""
        ...

    @property
    def los_drawn(self) -> bool:
        """Whether `los_probability` can be other than 0 or 1; else no line of sight is drawn."""
        ...

    def loss_db(self, distance_m: FloatArray, los: BoolArray) -> FloatArray:
        """Return the median loss at a distance over ground, with or without line of sight."""
        ...

    def los_probability(self, distance_m: FloatArray) -> FloatArray:
        """Return the probability of line of sight at a distance over ground."""
        ...

    def sigma_db(self, los: BoolArray) -> FloatArray:
        """Return the standard deviation of the shadowing in dB."""
        ...

    def correlation_m(self, los: BoolArray) -> FloatArray:
        """Return the distance in m over which shadowing decorrelates to 1/e."""
        ...


@dataclass(frozen=True, slots=True)
class PowerLawLoss:
    """`power_law_db` as a model: always in line of sight, no shadowing."""

    exponent: float
    gain_at_1m_db: float
    shadowed: bool = False
    los_drawn: bool = False

    def loss_db(self, distance_m: FloatArray, los: BoolArray) -> FloatArray:  # noqa: ARG002 - one law for both states
        """Return the loss at a distance."""
        return power_law_db(distance_m, self.exponent, self.gain_at_1m_db)

    def los_probability(self, distance_m: FloatArray) -> FloatArray:
        """Return 1."""
        return np.ones(np.shape(distance_m))

    def sigma_db(self, los: BoolArray) -> FloatArray:
        """Return 0."""
        return np.zeros(np.shape(los))

    def correlation_m(self, los: BoolArray) -> FloatArray:
        """Return infinity: nothing varies."""
        return np.full(np.shape(los), math.inf)


@dataclass(frozen=True, slots=True)
class TwoStateLoss:
    """A 3GPP model: one law with and one without line of sight, each with its shadowing.

    Shadowing decorrelates over 10 m with line of sight and 13 m without (UMi: TR 38.901 Table 7.5-6; V2V: the same).

    For V2V, TR 37.885 tells a link behind a building (NLOS) from one behind another vehicle (NLOSv: the LOS law plus a
    blockage of 5 or 9 dB and more by the heights), and takes NLOS from the map. Here there is no building map: a link
    without line of sight follows the NLOS law, which is 12 dB above the LOS law at 10 m and 25 dB at 100 m. NLOSv and
    its blockage are left out, so that blocked V2V links are weaker here than on a road without buildings.
    """

    with_los_db: Callable[[FloatArray], FloatArray]
    """Loss in dB at distances in m, with line of sight."""
    without_los_db: Callable[[FloatArray], FloatArray]
    """Loss in dB at distances in m, without line of sight."""
    probability: Callable[[FloatArray], FloatArray]
    """Probability of line of sight at distances in m."""
    sigmas_db: tuple[float, float]
    """Standard deviations of the shadowing with and without line of sight."""
    los: Literal["drawn", "always", "never"]
    """Whether the state is drawn, or fixed by the scenario."""
    shadowed: bool

    @property
    def los_drawn(self) -> bool:
        """Whether the state is drawn, not fixed by the scenario."""
        return self.los == "drawn"

    def loss_db(self, distance_m: FloatArray, los: BoolArray) -> FloatArray:
        """Return the loss by the law of each link's state."""
        distance_m = np.asarray(distance_m, float)
        loss_db = np.asarray(self.with_los_db(distance_m))
        blocked = ~np.asarray(los)
        if blocked.any():
            loss_db[blocked] = self.without_los_db(distance_m[blocked])
        return loss_db

    def los_probability(self, distance_m: FloatArray) -> FloatArray:
        """Return the probability by distance, or 0 or 1 where the scenario fixes the state."""
        if self.los == "drawn":
            return self.probability(distance_m)
        return np.full(np.shape(distance_m), 1.0 if self.los == "always" else 0.0)

    def sigma_db(self, los: BoolArray) -> FloatArray:
        """Return the deviation by state; 0 without shadowing."""
        with_los_db, without_los_db = self.sigmas_db if self.shadowed else (0.0, 0.0)
        return np.where(los, with_los_db, without_los_db)

    def correlation_m(self, los: BoolArray) -> FloatArray:
        """Return 10 m with line of sight, 13 m without."""
        return np.where(los, 10.0, 13.0)


def path_loss_model(config: PathLoss) -> PathLossModel:
    """Return the model that a scenario names.

    Shadowing deviations with and without line of sight: UMi 4 and 7.82 dB (TR 38.901 Table 7.4.1-1), V2V 3 and 4 dB (TR
    37.885 Table 6.2.1-1). A plug-in is called with its options as keywords and returns a `PathLossModel`.

        >>> model = path_loss_model(V2vUrban(kind="v2v_urban", frequency_ghz=5.9))
        >>> model.loss_db(np.array([10.0, 100.0]), np.array([True, True])).round(1).tolist()
        [69.5, 86.2]

    Raises:
        InputError: an unknown plug-in, options it does not take, or something that is no model.
    """
    match config:
        case PowerLaw():
            return PowerLawLoss(config.exponent, config.gain_at_1m_db)
        case Umi(frequency_ghz=frequency_ghz, site_height_m=site_m, vehicle_height_m=vehicle_m):
            heights = {"frequency_ghz": frequency_ghz, "site_height_m": site_m, "vehicle_height_m": vehicle_m}
            laws = (partial(umi_los_db, **heights), partial(umi_nlos_db, **heights), p_los_umi)
            return TwoStateLoss(*laws, (4.0, 7.82), config.los, config.shadowing)
        case V2vUrban(frequency_ghz=frequency_ghz):
            with_los = partial(v2v_urban_los_db, frequency_ghz=frequency_ghz)
            without_los = partial(v2v_nlos_db, frequency_ghz=frequency_ghz)
            return TwoStateLoss(with_los, without_los, p_los_urban, (3.0, 4.0), config.los, config.shadowing)
        case V2vHighway(frequency_ghz=frequency_ghz):
            with_los = partial(v2v_highway_los_db, frequency_ghz=frequency_ghz)
            without_los = partial(v2v_nlos_db, frequency_ghz=frequency_ghz)
            return TwoStateLoss(with_los, without_los, p_los_highway, (3.0, 4.0), config.los, config.shadowing)
        case PluginPathLoss(name=name, options=options):
            made = _checked(make_plugin("cosim.path_loss", name, options), name)
            return GuardedObject(f"plug-in {name!r} of cosim.path_loss", made)
        case _:
            assert_never(config)


_MEMBERS = ("shadowed", "los_drawn", "loss_db", "los_probability", "sigma_db", "correlation_m")


def _checked(model: PathLossModel, name: str) -> PathLossModel:
    missing = [member for member in _MEMBERS if not hasattr(model, member)]
    if missing:
        raise InputError(
            f"path-loss plug-in {name!r} gave an object without {', '.join(missing)}; "
            "it must have every member of cosim.radio.pathloss.PathLossModel"
        )
    return model


def power_law_db(distance_m: Distance, exponent: float, gain_at_1m_db: float) -> FloatArray:
    """Return -g0 + 10 alpha log10 d: the loss of h = g0 / d^alpha (paper S1 eq 3); below 1 m as at 1 m.

    Args:
        distance_m: d.
        exponent: alpha.
        gain_at_1m_db: g0, the path gain at 1 m.
    """
    return _line(np.maximum(distance_m, _FLOOR_M), -gain_at_1m_db, 10.0 * exponent)


def umi_los_db(distance_m: Distance, frequency_ghz: float, site_height_m: float, vehicle_height_m: float) -> FloatArray:
    """Return the loss of TR 38.901 Table 7.4.1-1, UMi street canyon with line of sight.

    32.4 + 21 log10 d3D + 20 log10 f up to the break point, beyond it 32.4 + 40 log10 d3D + 20 log10 f - 9.5 log10(dBP^2
    + (hBS - hUT)^2), dBP = 4 (hBS - 1)(hUT - 1) f / c.

    Args:
        distance_m: over ground (2-D); d3D follows from the heights and is at least 1 m. The clause starts at 10 m.
        frequency_ghz: carrier.
        site_height_m: hBS, above the effective environment height of 1 m.
        vehicle_height_m: hUT, likewise.
    """
    distance_m = np.asarray(distance_m, float)
    rise_m = site_height_m - vehicle_height_m
    break_m = 4.0 * (site_height_m - 1.0) * (vehicle_height_m - 1.0) * frequency_ghz * 1e9 / _LIGHT_MPS
    slant_log = _slant_log10(distance_m, rise_m)
    fixed = 32.4 + 20.0 * math.log10(frequency_ghz)
    far = fixed - 9.5 * math.log10(break_m**2 + rise_m**2)
    loss_db: FloatArray = np.where(distance_m <= break_m, fixed + 21.0 * slant_log, far + 40.0 * slant_log)
    return loss_db


def umi_nlos_db(
    distance_m: Distance, frequency_ghz: float, site_height_m: float, vehicle_height_m: float
) -> FloatArray:
    """Return the loss of TR 38.901 Table 7.4.1-1, UMi street canyon without line of sight.

    max(LOS loss, 22.4 + 35.3 log10 d3D + 21.3 log10 f - 0.3 (hUT - 1.5)).

    Args:
        distance_m: over ground (2-D).
        frequency_ghz: carrier.
        site_height_m: hBS.
        vehicle_height_m: hUT.
    """
    slant_log = _slant_log10(np.asarray(distance_m, float), site_height_m - vehicle_height_m)
    fixed = 22.4 + 21.3 * math.log10(frequency_ghz) - 0.3 * (vehicle_height_m - 1.5)
    los_db = umi_los_db(distance_m, frequency_ghz, site_height_m, vehicle_height_m)
    return np.maximum(los_db, fixed + 35.3 * slant_log)


def v2v_urban_los_db(distance_m: Distance, frequency_ghz: float) -> FloatArray:
    """Return the loss of TR 37.885 Table 6.2.1-1, urban with line of sight: 38.77 + 16.7 log10 d + 18.2 log10 f.

    Below 1 m as at 1 m. Both antennas are near the ground, so the distance over ground stands for the 3-D distance of
    the clause.
    """
    return _line(np.maximum(distance_m, _FLOOR_M), 38.77 + 18.2 * math.log10(frequency_ghz), 16.7)


def v2v_highway_los_db(distance_m: Distance, frequency_ghz: float) -> FloatArray:
    """Return the loss of TR 37.885 Table 6.2.1-1, highway with line of sight: 32.4 + 20 log10 d + 20 log10 f.

    Below 1 m as at 1 m.
    """
    return _line(np.maximum(distance_m, _FLOOR_M), 32.4 + 20.0 * math.log10(frequency_ghz), 20.0)


def v2v_nlos_db(distance_m: Distance, frequency_ghz: float) -> FloatArray:
    """Return the loss of TR 37.885 Table 6.2.1-1, behind a building: 36.85 + 30 log10 d + 18.9 log10 f.

    Below 1 m as at 1 m.
    """
    return _line(np.maximum(distance_m, _FLOOR_M), 36.85 + 18.9 * math.log10(frequency_ghz), 30.0)


def p_los_umi(distance_m: Distance) -> FloatArray:
    """Return the line-of-sight probability of TR 38.901 Table 7.4.2-1, UMi, by distance over ground.

    1 up to 18 m, then 18/d + exp(-d/36)(1 - 18/d).
    """
    share = 18.0 / np.maximum(distance_m, 18.0)
    probability: FloatArray = share + np.exp(-np.asarray(distance_m, float) / 36.0) * (1.0 - share)
    return probability


def p_los_urban(distance_m: Distance) -> FloatArray:
    """Return the line-of-sight probability of TR 37.885 Table 6.2.1-1, urban, when no building blocks.

    min(1, 1.05 exp(-0.0114 d)).
    """
    return np.minimum(1.0, 1.05 * np.exp(-0.0114 * np.asarray(distance_m, float)))


def p_los_highway(distance_m: Distance) -> FloatArray:
    """Return the line-of-sight probability of TR 37.885 Table 6.2.1-1, highway.

    min(1, 2.1013e-6 d^2 - 0.002 d + 1.0193) up to 475 m, then max(0, 0.54 - 0.001 (d - 475)).
    """
    distance_m = np.asarray(distance_m, float)
    near = np.minimum(1.0, 2.1013e-6 * distance_m**2 - 0.002 * distance_m + 1.0193)
    far = np.maximum(0.0, 0.54 - 0.001 * (distance_m - 475.0))
    probability: FloatArray = np.where(distance_m <= 475.0, near, far)
    return probability


def _line(distance_m: FloatArray, at_1m_db: float, slope_db: float) -> FloatArray:
    """Return a loss that grows by `slope_db` with each decade of distance."""
    loss_db: FloatArray = at_1m_db + slope_db * np.log10(distance_m)
    return loss_db


def _slant_log10(distance_m: FloatArray, rise_m: float) -> FloatArray:
    """Return log10 of the 3-D distance, at least of 1 m."""
    squared = np.maximum(distance_m * distance_m + rise_m * rise_m, _FLOOR_M * _FLOOR_M)
    slant_log: FloatArray = 0.5 * np.log10(squared)
    return slant_log
