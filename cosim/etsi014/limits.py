"""How often each SAE may ask: a token bucket for each, which fills at a rate and holds a burst."""

from collections.abc import Callable
from dataclasses import dataclass

from cosim.etsi014.messages import SaeId


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_s: float


class RateLimit:
    """Token buckets in real time.

    Args:
        rate_per_s: requests that come back each second.
        burst: requests that may come at once after a rest.
        now_s: real time, never turned back.
    """

    def __init__(self, rate_per_s: float, burst: int, now_s: Callable[[], float]) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._now_s = now_s
        self._buckets: dict[SaeId, _Bucket] = {}

    def wait_s(self, sae: SaeId) -> float:
        """Let one request through, 0; or how long until the next one may come."""
        now_s = self._now_s()
        bucket = self._buckets.setdefault(sae, _Bucket(self._burst, now_s))
        bucket.tokens = min(self._burst, bucket.tokens + (now_s - bucket.filled_s) * self._rate_per_s)
        bucket.filled_s = now_s
        if bucket.tokens < 1.0:
            return (1.0 - bucket.tokens) / self._rate_per_s
        bucket.tokens -= 1.0
        return 0.0
