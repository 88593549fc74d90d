"""Forecasts of vehicles' positions by the twin: one protocol, a model of motion by kind, and a disc around each."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from cosim.errors import InputError
from cosim.kernel.rng import keyed_bits, stream_key
from cosim.roads.lanes import read_lanes
from cosim.scenario.twin_forecast import (
    KalmanForecast,
    LastForecast,
    MapForecast,
    MotionForecast,
    TurnForecast,
    VelocityForecast,
)
from cosim.twin.follow import MapMotion
from cosim.twin.motion import (
    KalmanModel,
    constant_position,
    constant_turn,
    constant_velocity,
    kalman_correct,
    kalman_predict,
    place_sd_m,
    transition,
    turned_deg,
    velocity,
)
from cosim.twin.region import KNOTS_S, Region
from cosim.twin.tracks import ColumnStore, Tracks
from cosim.types import BoolArray, FloatArray, IntArray

KINDS: Final = ("last", "constant_velocity", "constant_turn", "kalman", "map")
_GROWTH: Final = 1.3
"""Errors grow with horizon^1.3 as long as nothing is known: between an error of speed (1) and of acceleration (2)."""
_PRIOR_RATIO: Final = 2.0
"""Radius in scales before any forecast was checked: 2 m after 1 s, 16 m after 5 s."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Expected positions of vehicles, and discs that hold a stated share of errors."""

    xy_m: FloatArray
    """(V, 2) positions; NaN for a vehicle that was never seen."""
    radius_m: FloatArray
    """(V,) radii of the discs; inf for a vehicle that was never seen."""


class MotionForecaster(Protocol):
    """Keeps the last states of vehicles and forecasts their positions."""

    def observe(
        self,
        numbers: IntArray,
        time_s: float | FloatArray,
        xy_m: FloatArray,
        speed_mps: FloatArray,
        heading_deg: FloatArray,
    ) -> None:
        """Take in states that were received, each vehicle once, in any order.

        States without a position (NaN, a vehicle that is being teleported) and states not newer than the known one are
        ignored.

        Args:
            numbers: (V,) vehicles.
            time_s: times at which the states were true, one or (V,).
            xy_m: (V, 2) positions.
            speed_mps: (V,) speeds.
            heading_deg: (V,) headings, clockwise from north.
        """
        ...

    def at(self, time_s: float, numbers: IntArray) -> Forecast:
        """Return the forecast for vehicles (V,) at `time_s`, from their last states; never earlier than those."""
        ...

    def forget(self, numbers: IntArray) -> None:
        """Drop vehicles that have left; unknown ones are ignored."""
        ...


class _Model(Protocol):
    """The part of a forecaster that depends on its kind; its errors grow about as horizon^growth."""

    growth: float

    def observe(self, tracks: Tracks, rows: IntArray, before: "_Before") -> None: ...

    def place(self, tracks: Tracks, rows: IntArray, due_s: float) -> tuple[FloatArray, FloatArray]:
        """Return positions (V, 2) and the scale (V,) of their errors."""
        ...


@dataclass(frozen=True, slots=True)
class _Before:
    """The states that new ones replace, (V,); without meaning where a vehicle is new."""

    new: BoolArray
    speed_mps: FloatArray
    heading_deg: FloatArray


def _ahead_s(tracks: Tracks, rows: IntArray, due_s: float) -> FloatArray:
    ahead: FloatArray = np.maximum(due_s - tracks.time_s[rows], 0.0)
    return ahead


def _straight(tracks: Tracks, rows: IntArray, due_s: float) -> tuple[FloatArray, FloatArray]:
    ahead_s = _ahead_s(tracks, rows, due_s)
    return constant_velocity(
        tracks.xy_m[rows], tracks.speed_mps[rows], tracks.heading_deg[rows], ahead_s
    ), ahead_s**_GROWTH


class _Last:
    growth = 1.0  # the error is the distance travelled

    def observe(self, tracks: Tracks, rows: IntArray, before: _Before) -> None:
        """Do nothing: the tracks hold all it needs."""

    def place(self, tracks: Tracks, rows: IntArray, due_s: float) -> tuple[FloatArray, FloatArray]:
        return constant_position(tracks.xy_m[rows]), _ahead_s(tracks, rows, due_s)


class _Velocity:
    growth = _GROWTH

    def observe(self, tracks: Tracks, rows: IntArray, before: _Before) -> None:
        """Do nothing: the tracks hold all it needs."""

    def place(self, tracks: Tracks, rows: IntArray, due_s: float) -> tuple[FloatArray, FloatArray]:
        return _straight(tracks, rows, due_s)


class _Turn:
    growth = _GROWTH

    def __init__(self, gap_s: float) -> None:
        self._gap_s = gap_s
        self._kept = ColumnStore(0, turn_dps=0.0)

    def observe(self, tracks: Tracks, rows: IntArray, before: _Before) -> None:
        self._kept.reach(len(tracks))
        gap_s = tracks.gap_s[rows]
        turned = turned_deg(before.heading_deg, tracks.heading_deg[rows])
        known = ~before.new & (gap_s <= self._gap_s)
        self._kept.turn_dps[rows] = np.where(known, turned / np.where(known, gap_s, 1.0), 0.0)

    def place(self, tracks: Tracks, rows: IntArray, due_s: float) -> tuple[FloatArray, FloatArray]:
        ahead_s = _ahead_s(tracks, rows, due_s)
        state = tracks.xy_m[rows], tracks.speed_mps[rows], tracks.heading_deg[rows]
        return constant_turn(*state, self._kept.turn_dps[rows], ahead_s), ahead_s**_GROWTH


class _Kalman:
    growth = _GROWTH

    def __init__(self, model: KalmanModel) -> None:
        self._model = model
        k = model.order
        self._state = ColumnStore(0, mean=np.zeros((k, 2)), variance=np.zeros((k, k)))

    def observe(self, tracks: Tracks, rows: IntArray, before: _Before) -> None:
        self._state.reach(len(tracks))
        means, variances = self._state.mean, self._state.variance
        moving = velocity(tracks.speed_mps[rows], tracks.heading_deg[rows])
        measured = np.stack((tracks.xy_m[rows], moving), axis=1)
        old = ~before.new
        first = rows[before.new]
        means[first], variances[first] = 0.0, self._model.first_variance
        means[first, :2] = measured[before.new]
        again = rows[old]
        mean, variance = kalman_predict(self._model, means[again], variances[again], tracks.gap_s[again])
        means[again], variances[again] = kalman_correct(self._model, mean, variance, measured[old])

    def place(self, tracks: Tracks, rows: IntArray, due_s: float) -> tuple[FloatArray, FloatArray]:
        ahead_s = _ahead_s(tracks, rows, due_s)
        mean = transition(self._model.order, ahead_s)[:, :1] @ self._state.mean[rows]
        return mean[:, 0], place_sd_m(self._model, self._state.variance[rows], ahead_s)


class _Map:
    growth = _GROWTH

    def __init__(self, motion: MapMotion) -> None:
        self._motion = motion

    def observe(self, tracks: Tracks, rows: IntArray, before: _Before) -> None:
        self._motion.observe(tracks, rows, np.where(before.new, np.nan, before.speed_mps))

    def place(self, tracks: Tracks, rows: IntArray, due_s: float) -> tuple[FloatArray, FloatArray]:
        straight_m, scale_m = _straight(tracks, rows, due_s)
        along_m = self._motion.place(tracks, rows, due_s, straight_m)
        fresh = (scale_m == 0.0)[:, None]  # at the time of the state its own position, not the nearest point of a lane
        return np.where(fresh, straight_m, along_m), scale_m


class Forecaster:
    """A model of motion with its disc: at each synchronisation some forecasts are kept, and scored by later states.

    The kept forecasts of a synchronisation have one horizon, of several in turn; it is rounded to a multiple of the
    usual time between two states, so that a state is received when it is due. Which vehicles are checked is drawn from
    their numbers, and does not depend on the order in which states are received.

    Args:
        model: model of motion.
        section: section `twin.forecast` of the scenario.
    """

    def __init__(self, model: _Model, section: MotionForecast) -> None:
        self._model, self._checks = model, section.checks
        self._horizons_s = [knot for knot in KNOTS_S if 1.0 <= knot <= section.horizon_s]
        self._tracks = Tracks()
        self._region = Region(section.share, section.memory, section.pace, _PRIOR_RATIO, model.growth)
        self._key = stream_key(0, "twin/checks")
        self._turn = 0

    def observe(
        self,
        numbers: IntArray,
        time_s: float | FloatArray,
        xy_m: FloatArray,
        speed_mps: FloatArray,
        heading_deg: FloatArray,
    ) -> None:
        """Learn from received states, and score the forecasts that they can check.

        Args:
            numbers: (V,) vehicles.
            time_s: times at which the states were true, one or (V,).
            xy_m: (V, 2) positions.
            speed_mps: (V,) speeds.
            heading_deg: (V,) headings, clockwise from north.
        """
        times_s = np.broadcast_to(np.asarray(time_s, dtype=np.float64), numbers.shape)
        known = self._tracks.find(numbers)
        stale = (known >= 0) & (self._tracks.time_s[known] >= times_s)
        usable = np.flatnonzero(np.isfinite(xy_m).all(axis=1) & ~stale)
        if not len(usable):
            return
        usable = usable[np.argsort(numbers[usable], kind="stable")]
        numbers, times_s, xy_m = numbers[usable], times_s[usable], xy_m[usable]
        speed_mps, heading_deg = speed_mps[usable], heading_deg[usable]
        self._region.learn(numbers, times_s, xy_m, velocity(speed_mps, heading_deg))
        rows, new = self._tracks.take(numbers)
        before = _Before(new, self._tracks.speed_mps[rows], self._tracks.heading_deg[rows])
        self._tracks.write(rows, new, times_s, xy_m, speed_mps, heading_deg)
        self._model.observe(self._tracks, rows, before)
        self._check(rows)

    def at(self, time_s: float, numbers: IntArray) -> Forecast:
        """Return the model's positions at `time_s`, each with its disc."""
        rows = self._tracks.find(numbers)
        seen = rows >= 0
        if seen.all():
            return self._forecast(rows, time_s)
        xy_m, radius_m = np.full((len(numbers), 2), np.nan), np.full(len(numbers), np.inf)
        known = self._forecast(rows[seen], time_s)
        xy_m[seen], radius_m[seen] = known.xy_m, known.radius_m
        return Forecast(xy_m, radius_m)

    def forget(self, numbers: IntArray) -> None:
        """Drop vehicles that have left; unknown ones are ignored."""
        self._region.forget(numbers)
        self._tracks.release(numbers)

    def _forecast(self, rows: IntArray, time_s: float) -> Forecast:
        xy_m, scale_m = self._model.place(self._tracks, rows, time_s)
        return Forecast(xy_m, self._region.radius_m(_ahead_s(self._tracks, rows, time_s), scale_m))

    def _check(self, rows: IntArray) -> None:
        """Keep forecasts of some of the vehicles whose states have just been received."""
        gap_s = self._tracks.gap_s[rows]
        rows = rows[gap_s > 0.0]
        if not len(rows):
            return
        usual_s = float(np.median(self._tracks.gap_s[rows]))
        horizon_s = self._horizons_s[self._turn % len(self._horizons_s)]
        due_s = float(self._tracks.time_s[rows].max()) + usual_s * max(round(horizon_s / usual_s), 1)
        self._turn += 1
        if len(rows) > self._checks:
            lot = keyed_bits(self._key, self._tracks.number[rows], self._turn)
            rows = rows[np.argpartition(lot, self._checks)[: self._checks]]
        xy_m, scale_m = self._model.place(self._tracks, rows, due_s)
        ahead_s = _ahead_s(self._tracks, rows, due_s)
        self._region.expect(self._tracks.number[rows], self._tracks.time_s[rows], ahead_s, scale_m, xy_m)


class BatchedForecaster:
    """A forecaster that collects states and passes them on together, before a forecast or when a vehicle leaves.

    States arrive in many small bundles; learning from all at once costs far less.

    Args:
        forecaster: does the work.
    """

    def __init__(self, forecaster: MotionForecaster) -> None:
        self._forecaster = forecaster
        self._kept: list[tuple[IntArray, FloatArray, FloatArray, FloatArray, FloatArray]] = []

    def observe(
        self,
        numbers: IntArray,
        time_s: float | FloatArray,
        xy_m: FloatArray,
        speed_mps: FloatArray,
        heading_deg: FloatArray,
    ) -> None:
        """Keep the states until they are needed.

        Args:
            numbers: (V,) vehicles.
            time_s: times at which the states were true, one or (V,).
            xy_m: (V, 2) positions.
            speed_mps: (V,) speeds.
            heading_deg: (V,) headings, clockwise from north.
        """
        times_s = np.broadcast_to(np.asarray(time_s, dtype=np.float64), numbers.shape)
        self._kept.append((numbers, times_s, xy_m, speed_mps, heading_deg))

    def at(self, time_s: float, numbers: IntArray) -> Forecast:
        """Pass on the kept states, then forecast."""
        self._settle()
        return self._forecaster.at(time_s, numbers)

    def forget(self, numbers: IntArray) -> None:
        """Pass on the kept states, then drop vehicles that have left."""
        self._settle()
        self._forecaster.forget(numbers)

    def _settle(self) -> None:
        """Pass on the kept states; of a vehicle with two states the earlier one goes first."""
        if not self._kept:
            return
        states = [np.concatenate(columns) for columns in zip(*self._kept, strict=True)]
        self._kept.clear()
        while len(states[0]):
            first = np.sort(np.unique(states[0], return_index=True)[1])
            self._forecaster.observe(*(column[first] for column in states))
            states = [np.delete(column, first, axis=0) for column in states]


def make_forecaster(section: MotionForecast, net: Path | None) -> MotionForecaster:
    """Return the forecaster of a scenario's section; `net` is the map's net, None without roads.

        >>> forecaster = make_forecaster(VelocityForecast(kind="constant_velocity"), None)
        >>> east = np.array([0]), 0.0, np.array([[0.0, 0.0]]), np.array([10.0]), np.array([90.0])
        >>> forecaster.observe(*east)
        >>> forecaster.at(2.0, np.array([0])).xy_m.round(6).tolist()
        [[20.0, 0.0]]

    Raises:
        InputError: kind=map without a net, or the net is broken.
    """
    match section:
        case LastForecast():
            return Forecaster(_Last(), section)
        case VelocityForecast():
            return Forecaster(_Velocity(), section)
        case TurnForecast(gap_s=gap_s):
            return Forecaster(_Turn(gap_s), section)
        case KalmanForecast():
            order = 2 if section.model == "velocity" else 3
            model = KalmanModel(order, section.noise, section.place_sd_m, section.speed_sd_mps)
            return Forecaster(_Kalman(model), section)
        case MapForecast(room_m=room_m, off_road_m=off_road_m):
            if net is None:
                raise InputError("twin.forecast.kind=map: the map has no roads; choose kalman or constant_velocity")
            return Forecaster(_Map(MapMotion(read_lanes(net), room_m, off_road_m)), section)
