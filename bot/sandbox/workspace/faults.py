"""Makes the stand-in fail on purpose, and remembers what it was asked."""

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

CALLS_KEPT = 20_000
EVERY = "*"


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the Web API. `status` is the HTTP status, 0 when the connection was cut.

    `at` is in the workspace's monotonic seconds.
    """

    method: str
    args: dict[str, Any]
    answer: dict[str, Any]
    status: int
    at: float


@dataclass(frozen=True, slots=True)
class Fault:
    """How one call fails: with an `ok: false` error, or with an HTTP status."""

    error: str | None
    status: int
    retry_after: int | None


@dataclass(slots=True)
class Faults:
    """What shall go wrong. Methods are named as in the Web API; "*" stands for all of them."""

    is_down: bool = False
    _next: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    _drops_after: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _drops_before: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _delays: dict[str, float] = field(default_factory=dict)

    def fail_next(
        self,
        method: str,
        error: str | None = None,
        *,
        status: int | None = None,
        times: int = 1,
        retry_after: int | None = None,
    ) -> None:
        """Let the next calls of `method` do nothing and fail.

        With `error` alone the answer is `ok: false` and HTTP 200, as most of Slack's are; "ratelimited" is
        429 with Retry-After (`retry_after` seconds, default 1).
        """
        if error == "ratelimited" or status == 429:
            error, status, retry_after = "ratelimited", 429, 1 if retry_after is None else retry_after
        given = status if status is not None else (200 if error else 500)
        self._next[method].extend([Fault(error, given, retry_after)] * times)

    def delay(self, method: str, seconds: float) -> None:
        """Answer every call of `method` that much later, until set to 0."""
        self._delays[method] = seconds

    def drop_after(self, method: str, *, times: int = 1) -> None:
        """Let the next calls of `method` do their work, then cut the connection without an answer."""
        self._drops_after[method] += times

    def drop_before(self, method: str, *, times: int = 1) -> None:
        """Cut the connection at the next calls of `method` before anything is done."""
        self._drops_before[method] += times

    def down(self, is_down: bool = True) -> None:
        """Answer everything with HTTP 500 until set back."""
        self.is_down = is_down

    def clear(self) -> None:
        """Let everything work again."""
        self.is_down = False
        for faults in (self._next, self._drops_after, self._drops_before, self._delays):
            faults.clear()

    def take(self, method: str) -> Fault | None:
        """The fault for this call, used up; None when it shall work."""
        if self.is_down:
            return Fault(None, 500, None)
        for name in (method, EVERY):
            if self._next[name]:
                return self._next[name].popleft()
        return None

    def seconds(self, method: str) -> float:
        """How long the answer to `method` is held back."""
        return self._delays.get(method, self._delays.get(EVERY, 0.0))

    def drops_after(self, method: str) -> bool:
        """Whether to cut this connection after the work, used up."""
        return _take(self._drops_after, method)

    def drops_before(self, method: str) -> bool:
        """Whether to cut this connection before the work, used up."""
        return _take(self._drops_before, method)


def _take(counts: dict[str, int], method: str) -> bool:
    for name in (method, EVERY):
        if counts[name] > 0:
            counts[name] -= 1
            return True
    return False
