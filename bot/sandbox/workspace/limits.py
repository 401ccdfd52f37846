"""Slack's rate limits: a number of calls a minute for each method by its tier, a second a channel for posts."""

import math
from collections.abc import Callable
from dataclasses import dataclass

# https://docs.slack.dev/apis/web-api/rate-limits: calls a minute; tier "t5" is special, per method.
A_MINUTE = {"t1": 1, "t2": 20, "t3": 50, "t4": 100}
SPECIAL_A_MINUTE = 600
POSTS_BURST = 5
POSTS_A_SECOND = 1.0


@dataclass(slots=True)
class Bucket:
    """A token bucket: `size` calls at once, then one each `1 / rate` seconds."""

    size: float
    rate: float
    left: float
    at: float

    def wait(self, now: float) -> float:
        """Seconds until a call is allowed, 0 when it is now."""
        self.left = min(self.size, self.left + (now - self.at) * self.rate)
        self.at = now
        return 0.0 if self.left >= 1 else (1 - self.left) / self.rate


class Limits:
    """Counts calls by Slack's tiers. `monotonic` gives the seconds by which buckets fill again."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def retry_after(self, method: str, tier: str | None, channel: str = "") -> int | None:
        """Count a call; None when it is allowed, else whole seconds after which to try again."""
        if tier is None:
            return None
        a_minute = A_MINUTE.get(tier, SPECIAL_A_MINUTE)
        buckets = [self._bucket(method, "", a_minute, a_minute / 60)]
        if method == "chat.postMessage":
            buckets.append(self._bucket(method, channel, POSTS_BURST, POSTS_A_SECOND))
        now = self._monotonic()
        longest = max(bucket.wait(now) for bucket in buckets)
        if longest > 0:
            return max(1, math.ceil(longest))
        for bucket in buckets:
            bucket.left -= 1
        return None

    def _bucket(self, method: str, key: str, size: float, rate: float) -> Bucket:
        found = self._buckets.get((method, key))
        if found is None:
            found = self._buckets[method, key] = Bucket(size, rate, size, self._monotonic())
        return found
