"""The rate limit of requests: a token bucket for each SAE, which fills at a rate and holds a burst."""

from collections.abc import Callable
from dataclasses import dataclass

from cosim.etsi014.messages import SaeId


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_s: float


class RateLimit:
    """A token bucket for each SAE, in real time.

    Args:
        rate_per_s: tokens, one a request, that are added each second.
        burst: size of a bucket: requests that may come at once after a rest.
        now_s: returns real time from a monotonic clock.

    >>> limit = RateLimit(rate_per_s=10.0, burst=2, now_s=lambda: 0.0)
    >>> [limit.wait_s("a") for _ in range(3)], limit.wait_s("b")
    ([0.0, 0.0, 0.1], 0.0)
    """

    def __init__(self, rate_per_s: float, burst: int, now_s: Callable[[], float]) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._now_s = now_s
        self._buckets: dict[SaeId, _Bucket] = {}

    def wait_s(self, sae: SaeId) -> float:
        """Take a token and return 0; without one, return the time until there is one."""
        now_s = self._now_s()
        bucket = self._buckets.setdefault(sae, _Bucket(self._burst, now_s))
        bucket.tokens = min(self._burst, bucket.tokens + (now_s - bucket.filled_s) * self._rate_per_s)
        bucket.filled_s = now_s
        if bucket.tokens < 1.0:
            return (1.0 - bucket.tokens) / self._rate_per_s
        bucket.tokens -= 1.0
        return 0.0
