"""How fast messages may leave: Slack's limits as token buckets, and the pauses after a failure.

Sources: chat.postMessage takes about one message a second per channel with short bursts, and several hundred a
minute per workspace; chat.update is tier 3, fifty a minute for the whole workspace (docs.slack.dev, rate limits)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Kind(StrEnum):
    """What a message costs."""

    PAGE = "page"
    POST = "post"
    NEW_CARD = "new_card"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Limit:
    """`burst` at once, and one more each `every`."""

    burst: int
    every: timedelta


CHANNEL = Limit(burst=3, every=timedelta(seconds=1.1))
UPDATES = Limit(burst=10, every=timedelta(seconds=1.25))
POSTS = Limit(burst=30, every=timedelta(seconds=0.4))
PAGES = Limit(burst=30, every=timedelta(seconds=0.4))
"""Pages have a budget of their own, which posts and updates cannot eat."""

NEW_CARDS = Limit(burst=20, every=timedelta(seconds=3))
"""Twenty new cards a minute are what the people of a channel can read; of the others a line says how many there are."""

LONGEST_PAUSE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Full of tokens at `full_at`; each token taken puts that off by `every`."""

    limit: Limit
    full_at: datetime

    def free_at(self) -> datetime:
        """When the next token is there: in the past, when one is there now."""
        return self.full_at - self.limit.every * (self.limit.burst - 1)

    def spent(self, now: datetime) -> Bucket:
        """The bucket with one token less."""
        return Bucket(self.limit, max(self.full_at, now) + self.limit.every)


def buckets(kind: Kind, channel: str) -> tuple[str, ...]:
    """The names of the buckets that a message takes a token from."""
    if kind is Kind.UPDATE:
        return ("updates",)
    if kind is Kind.NEW_CARD:
        return f"cards:{channel}", f"channel:{channel}", "posts"
    return f"channel:{channel}", "pages" if kind is Kind.PAGE else "posts"


def limit_of(name: str) -> Limit:
    """The limit of a bucket."""
    return _LIMITS[name.partition(":")[0]]


_LIMITS = {"cards": NEW_CARDS, "channel": CHANNEL, "updates": UPDATES, "posts": POSTS, "pages": PAGES}


def pause(attempts: int) -> timedelta:
    """The pause after the n-th failed try: 1, 2, 4… seconds, five minutes at the most, as long as it takes."""
    return min(timedelta(seconds=2.0 ** min(attempts - 1, 20)), LONGEST_PAUSE)
