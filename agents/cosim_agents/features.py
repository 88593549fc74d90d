"""Features of a learner: the columns of an observation reduced to a few numbers in [0, 1] by PCA, as in paper S1."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from cosim.types import AnyArray, FloatArray

_WIDENED: Final = 2.0
"""Width that [0, 1] spans in widths of the fitted range, for a column without bounds that others than random decisions
may drive further."""
_MOST_WIDENED: Final = 10.0
"""The same at most, for a column with bounds."""
_MARGIN: Final = 0.25
"""Distance by which a feature may leave [0, 1], in widths of the fitted range."""


@dataclass(frozen=True, slots=True)
class Features:
    """A fitted map from rows to features, x = clip((((row - mean) / deviation) @ axes - low) / (high - low)).

    It is fitted once on rows of random roll-outs and never changed: it is part of the checkpoint. A feature stays
    within [-0.25, 1.25] whatever a scenario shows later, so that products of two features in a ZZ encoding stay
    distinguishable.

    >>> rows = np.random.default_rng(1).normal(size=(100, 5))
    >>> features = Features.fit(rows, components=2)
    >>> features.transform(rows).shape
    (100, 2)
    """

    mean: FloatArray  # (F,)
    deviation: FloatArray  # (F,), 1 for a column that was constant
    axes: FloatArray  # (F, k), rows of constant columns are 0
    low: FloatArray  # (k,)
    high: FloatArray  # (k,)

    @classmethod
    def fit(cls, rows: AnyArray, components: int) -> "Features":
        """Return features fitted to rows: constant columns dropped, standardised, principal components, scaled.

        The paper names PCA to 6 features and no scaling; here [0, 1] spans the 1st to the 99th percentile of the
        rows. The sign of a component, which PCA leaves open, is such that its largest weight is positive.

        Args:
            rows: (n, F) rows of observations.
            components: number of principal components; 0 keeps all columns that vary, only standardised and scaled.
                Components beyond the rank of the rows are 0 throughout.
        """
        table = np.asarray(rows, np.float64)
        mean, deviation = table.mean(axis=0), table.std(axis=0)
        varies = deviation > 1e-9 * np.maximum(1.0, np.abs(mean))
        deviation = np.where(varies, deviation, 1.0)
        standard = np.where(varies, (table - mean) / deviation, 0.0)
        axes = np.eye(len(mean))[:, varies] if components == 0 else _directions(standard, components)
        axes[~varies] = 0.0
        low, high = np.percentile(standard @ axes, [1.0, 99.0], axis=0)
        return cls(mean, deviation, axes, low, np.where(high - low > 1e-9, high, low + 1.0))

    @classmethod
    def spanning(cls, rows: AnyArray, lowest: FloatArray, highest: FloatArray) -> "Features":
        """Return features that are the columns themselves, each standardised and scaled to what it may become.

        [0, 1] spans a column's bounds, but at most 10 times the range of the rows, from the 1st to the 99th percentile,
        around its middle; twice that range where a bound is infinite. Random decisions see little of what skilled ones
        do, and a feature is clipped. A column that was constant is kept.

        Args:
            rows: (n, F) rows of observations.
            lowest: (F,) lower bounds.
            highest: (F,) upper bounds.
        """
        table = np.asarray(rows, np.float64)
        mean, deviation = table.mean(axis=0), table.std(axis=0)
        deviation = np.where(deviation > 1e-9 * np.maximum(1.0, np.abs(mean)), deviation, 1.0)
        first, last = np.percentile(table, [1.0, 99.0], axis=0)
        bounded = np.isfinite(lowest) & np.isfinite(highest)
        middle, reach = (first + last) / 2.0, (last - first) * np.where(bounded, _MOST_WIDENED, _WIDENED) / 2.0
        reach = np.where(reach > 1e-9, reach, np.where(bounded, np.inf, 0.5))
        low, high = np.maximum(lowest, middle - reach), np.minimum(highest, middle + reach)
        low, high = (low - mean) / deviation, (high - mean) / deviation
        return cls(mean, deviation, np.eye(len(mean)), low, np.where(high - low > 1e-9, high, low + 1.0))

    @property
    def count(self) -> int:
        """Number of features, k."""
        return int(self.axes.shape[1])

    def transform(self, rows: AnyArray) -> AnyArray:
        """Return the features of rows, (n, F) to (n, k) float32."""
        x = (((rows - self.mean) / self.deviation) @ self.axes - self.low) / (self.high - self.low)
        scaled: AnyArray = np.clip(x, -_MARGIN, 1.0 + _MARGIN).astype(np.float32)
        return scaled


def _directions(standard: FloatArray, components: int) -> FloatArray:
    """Return the eigenvectors of the covariance by falling variance, (F, components)."""
    variance, vectors = np.linalg.eigh(standard.T @ standard / len(standard))
    order = np.argsort(-variance, kind="stable")[:components]
    vectors = np.where(variance[order] > 1e-9, vectors[:, order], 0.0)
    largest = np.argmax(np.abs(vectors), axis=0)
    vectors = vectors * np.where(vectors[largest, np.arange(len(order))] < 0.0, -1.0, 1.0)
    missing = components - len(order)
    directions: FloatArray = np.concatenate([vectors, np.zeros((len(vectors), missing))], axis=1)
    return directions
