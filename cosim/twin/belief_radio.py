"""The radio conditions that a twin expects at a vehicle's believed position, from those measured at an earlier one.

The distance law moves on with the vehicle; the deviation of the measured link from the law's mean fades with the
distance travelled since, as line of sight and shadowing decorrelate (Gudmundson's model, TR 38.901 clause 7.6.3.3).
"""

from dataclasses import dataclass, fields
from typing import Final, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from cosim.radio.pathloss import PathLossModel, path_loss_model
from cosim.radio.survey import LOS_STRETCH_M, LinkBudget
from cosim.scenario.radio import Radio
from cosim.types import BoolArray, FloatArray, IntArray
from cosim.units import db_to_linear


@dataclass(frozen=True, slots=True)
class Links:
    """The links of N vehicles to k sites each, as in `cosim.radio.survey.Air`."""

    sites: IntArray
    """(N, k) site numbers, strongest first."""
    snr_per_w: FloatArray
    """(N, k) 0 where out of coverage, as below."""
    clean_snr_per_w: FloatArray
    """(N, k) without interference."""
    down_snr: FloatArray
    """(N, k) downlink."""
    serving: IntArray
    """(N,) site or NOWHERE."""
    slot: IntArray
    """(N,) column of the serving site, 0 without one."""

    def pick(self, rows: IntArray) -> "Links":
        """Return some of the rows."""
        return Links(*(getattr(self, name)[rows] for name in _COLUMNS))

    def replaced(self, rows: IntArray, others: "Links") -> "Links":
        """Return a copy with the values of `others` in some of the rows."""
        columns = [getattr(self, name).copy() for name in _COLUMNS]
        for name, column in zip(_COLUMNS, columns, strict=True):
            column[rows] = getattr(others, name)
        return Links(*columns)


_UNHEARD: Final = 1.0 - 1e-9
"""Factor on the weakest gain in coverage for a site that was out of coverage."""
_COLUMNS: Final = tuple(field.name for field in fields(Links))


class LinkForecast:
    """Extrapolates links from one position to another.

    Args:
        radio: section `radio` of the scenario.
        site_xy_m: (S, 2) positions of the sites.
    """

    def __init__(self, radio: Radio, site_xy_m: FloatArray) -> None:
        self._budget = LinkBudget.of(radio)
        self._model: PathLossModel = path_loss_model(radio.path_loss)
        self._site_xy_m = site_xy_m
        self._tree = cKDTree(site_xy_m)
        self._ranks = list(range(1, min(radio.candidates, len(site_xy_m)) + 1))

    def ahead(self, then: Links, then_xy_m: FloatArray, now_xy_m: FloatArray) -> Links:
        """Return the links at other positions.

        The sites are the k nearest at the new position, strongest first; the serving one follows the radio's own rule,
        with its hysteresis, from the one that served then. For a site that was measured, the deviation x of the path
        gain from its mean in dB becomes r x, where r is the correlation of deviations over the distance between the two
        positions, so that nothing changes for a vehicle that stands. Of a site that was out of coverage x is known only
        to lie below what would have been received, and is taken there if the mean is higher. A site that was not among
        the k counts with its mean. Noise and interference stay in the ratio they had, 1 for a site not measured. Left
        out: the uncertainty of the position.

        Args:
            then: measured links, (N, k).
            then_xy_m: positions where they were measured, (N, 2), finite.
            now_xy_m: positions for which they are forecast, (N, 2), finite.
        """
        budget = self._budget
        found = self._tree.query(now_xy_m, k=self._ranks)
        distance_m, sites = np.asarray(found[0]), np.asarray(found[1])
        measured, column = _columns(then.sites, sites)
        apart_m = then_xy_m[:, None, :] - self._site_xy_m[sites]
        then_m = np.hypot(apart_m[..., 0], apart_m[..., 1])
        law = _Law.at(self._model, then_m)
        mean_then = db_to_linear(budget.antenna_db - law.mean_db)
        clean = np.take_along_axis(then.clean_snr_per_w, column, axis=1)
        gain_then = clean * budget.up_noise_w
        heard_then = measured & (clean > 0.0)
        bound = np.minimum(1.0, _UNHEARD * budget.least_gain / mean_then)
        ratio = np.where(heard_then, gain_then / mean_then, np.where(measured, bound, 1.0))
        way_m = np.hypot(*(now_xy_m - then_xy_m).T)[:, None]
        kept = _correlation(self._model, law, way_m)
        gain = db_to_linear(budget.antenna_db - _Law.at(self._model, distance_m).mean_db) * ratio**kept

        safe = np.where(heard_then, clean, 1.0)
        up_ratio = np.where(heard_then, np.take_along_axis(then.snr_per_w, column, axis=1) / safe, 1.0)
        quiet = np.where(heard_then, budget.site_power_w * gain_then / budget.down_noise_w, 1.0)
        down_ratio = np.where(heard_then, np.take_along_axis(then.down_snr, column, axis=1) / quiet, 1.0)

        order = np.argsort(-gain, axis=1, kind="stable")
        gain, sites, up_ratio, down_ratio = (
            np.take_along_axis(values, order, axis=1) for values in (gain, sites, up_ratio, down_ratio)
        )
        serving, slot = budget.associate(gain, sites, then.serving)
        clean = np.where(gain >= budget.least_gain, gain / budget.up_noise_w, 0.0)
        down = np.where(gain >= budget.least_gain, budget.site_power_w * gain / budget.down_noise_w, 0.0)
        return Links(sites, clean * up_ratio, clean, down * down_ratio, serving, slot)


def _columns(old: IntArray, new: IntArray) -> tuple[BoolArray, IntArray]:
    """Return for each entry of `new` (N, k) whether it is in the same row of `old` (N, k), and its column, else 0."""
    same = new[:, :, None] == old[:, None, :]
    known: BoolArray = same.any(axis=2)
    return known, same.argmax(axis=2)


class _Law(NamedTuple):
    """The loss of links (N, k) by the scenario's model, before shadowing."""

    p_los: FloatArray
    open_db: FloatArray  # with line of sight
    blocked_db: FloatArray

    @classmethod
    def at(cls, model: PathLossModel, distance_m: FloatArray) -> "_Law":
        every = np.ones(distance_m.shape, np.bool_)
        open_db, blocked_db = model.loss_db(distance_m, every), model.loss_db(distance_m, ~every)
        return cls(model.los_probability(distance_m), open_db, blocked_db)

    @property
    def mean_db(self) -> FloatArray:
        """Mean over line of sight; shadowing has mean 0 dB."""
        mean: FloatArray = self.blocked_db + self.p_los * (self.open_db - self.blocked_db)
        return mean


def _correlation(model: PathLossModel, law: _Law, way_m: FloatArray) -> FloatArray:
    """Return the correlation of a link's deviation from its mean loss over a distance; 1 where nothing deviates.

    The deviation is that of line of sight, of variance p (1 - p) (difference of the laws)^2, which a stretch of
    `LOS_STRETCH_M` keeps (in the mean over where in it the drive begins: max(0, 1 - way / stretch)), and that of
    shadowing, of variance sigma^2, which decays as exp(-way / D). The parts add with their variances as weights, which
    is the best linear prediction; p is that of the position where the link was measured.
    """
    p_los = law.p_los
    variance = p_los * (1.0 - p_los) * (law.blocked_db - law.open_db) ** 2
    total, kept = variance, variance * np.maximum(0.0, 1.0 - way_m / LOS_STRETCH_M)
    if model.shadowed:
        for weight, los in ((p_los, np.True_), (1.0 - p_los, np.False_)):
            state = np.full((1, 1), los)
            variance = weight * model.sigma_db(state) ** 2
            total = total + variance
            kept = kept + variance * np.exp(-way_m / model.correlation_m(state))
    share: FloatArray = np.where(total > 0.0, kept / np.where(total > 0.0, total, 1.0), 1.0)
    return share
