"""How long what is kept for each kind of data, and what is said of what is gone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from runbooks.lengths import Length
from runbooks.team import DataKind

KEPT: Mapping[DataKind, timedelta] = {
    "payloads": timedelta(days=90),
    "responses": timedelta(days=90),
    "messages": timedelta(days=30),
    "requests": timedelta(days=7),
    "records": timedelta(days=400),
}
"""Where the policy says nothing. `payloads`: what events, reports and outcomes carried. `responses`: what systems were
asked and answered. `messages`: those that left or need not leave. `requests`: keys by which a repeat is known; Slack
repeats for minutes, webhooks for days. `records`: rows of events that ended well and belong to no case."""

OLD, ERASED = "old", "erased"
"""Why an event is gone."""


def kept_for(retention: Mapping[DataKind, Length], kind: DataKind) -> timedelta:
    """How long this kind of data is kept."""
    said = retention.get(kind)
    return timedelta(seconds=said.seconds) if said else KEPT[kind]


def why_gone(gone: str | None) -> str:
    """Why nothing of an event can be sent or seen any more, to be said after its name."""
    if gone == OLD:
        return "is no longer kept, for its age"
    return "is about somebody whose data was erased"
