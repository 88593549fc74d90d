"""Features of a learner: the columns of an observation reduced to a few numbers in [0, 1] by PCA, as in paper S1."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from cosim.types import AnyArray, FloatArray

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
