"""Age of information: how long ago the newest state that a receiver has was true (Kaul, Yates, Gruteser 2012).

The age of one twin is Delta(t) = t - u(t), u(t) the time of the newest state that has come by t. It grows by one second
a second and falls when a newer state comes, so its integral is a sum of trapezoids and needs no samples.
"""

import numpy as np

from cosim.types import FloatArray


def grown_s2(age_s: float, passed_s: float, twins: int = 1) -> float:
    """Integral of a sum of ages over `passed_s` without news: sum t + n t^2 / 2.

    Args:
        age_s: sum of the ages at the beginning.
        passed_s: time.
        twins: number of them, n.
    """
    return passed_s * (age_s + 0.5 * twins * passed_s)


def mean_age_s(generated_s: FloatArray, received_s: FloatArray, begin_s: float, end_s: float) -> float:
    """Time average of the age from `begin_s` to `end_s`, exactly; states may come out of order.

    Args:
        generated_s: (U,) when each state was true.
        received_s: (U,) when it came, not before that; at least one by `begin_s`.
        begin_s: of the time that counts.
        end_s: of the time that counts, later.
    """
    order = np.argsort(received_s, kind="stable")
    newest_s = np.maximum.accumulate(generated_s[order])
    edges_s = np.clip(np.append(received_s[order], end_s), begin_s, end_s)
    area_s2 = ((edges_s[1:] - newest_s) ** 2 - (edges_s[:-1] - newest_s) ** 2).sum() / 2.0
    return float(area_s2 / (end_s - begin_s))


class AgeTotals:
    """Running integrals of the number of twins and of the sum of their ages."""

    def __init__(self) -> None:
        self._since_s = 0.0
        self._age_s = 0.0
        self.twins = 0
        self.twin_s = 0.0
        """Integral of the number of twins."""
        self.age_s2 = 0.0
        """Integral of the sum of their ages; over `twin_s` it is the mean age."""

    @property
    def mean_s(self) -> float:
        """Mean age at the last settling; NaN without twins."""
        return self._age_s / self.twins if self.twins else float("nan")

    def settle(self, now_s: float) -> None:
        """Bring the integrals up to now."""
        passed_s = now_s - self._since_s
        if passed_s > 0.0:
            self.age_s2 += grown_s2(self._age_s, passed_s, self.twins)
            self.twin_s += passed_s * self.twins
            self._age_s += passed_s * self.twins
            self._since_s = now_s

    def change(self, now_s: float, twins: int, age_s: float) -> None:
        """So many twins more or fewer, and so much more or less in the sum of their ages."""
        self.settle(now_s)
        self.twins += twins
        self._age_s = self._age_s + age_s if self.twins else 0.0  # exactly: rounding must not pile up
