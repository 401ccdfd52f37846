"""What is owed to the outside: claimed by lease, sent after the commit, at least once, in order for each case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

CLAIM_LEASE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message to send now. `maybe_sent`: an earlier try may have arrived; look before posting again.
    `key` is stable over all tries."""

    id: int
    kind: str
    key: str
    case_id: int | None
    channel: str
    payload: Mapping[str, Any]
    attempts: int
    maybe_sent: bool
    created_at: datetime


class Undelivered(Exception):
    """The message did not leave. Decided where the answer is read: `permanent` is never tried again; otherwise it
    is, not before `retry_after` if the other side named one; `unknown` says that it may have arrived all the same;
    `scope` is what a `retry_after` holds back: this message, its `channel`, or its `kind` everywhere."""

    def __init__(
        self,
        because: str,
        *,
        permanent: bool = False,
        retry_after: timedelta | None = None,
        unknown: bool = False,
        scope: str = "message",
    ) -> None:
        super().__init__(because)
        self.because = because
        self.permanent = permanent
        self.retry_after = retry_after
        self.unknown = unknown
        self.scope = scope
