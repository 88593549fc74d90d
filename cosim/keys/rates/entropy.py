"""Shannon's binary entropy (S3 eq 10)."""

import numpy as np

from cosim.types import FloatArray


def binary_entropy(share: FloatArray) -> FloatArray:
    """Return h(p) = -p log2 p - (1 - p) log2 (1 - p) for p in [0, 1], of any shape.

    h(0) = h(1) = 0, the limit of p log p.

    >>> binary_entropy(np.array([0.0, 0.11, 0.5])).round(3).tolist()
    [0.0, 0.5, 1.0]
    """
    inside = (share > 0.0) & (share < 1.0)
    p = np.where(inside, share, 0.5)
    return np.where(inside, -p * np.log2(p) - (1.0 - p) * np.log2(1.0 - p), 0.0)
