"""What too few events, and ids that never came, are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from runbooks.calendars import Calendar
from runbooks.contracts import Freshness

NAMED_IN_TITLE = 3
NAMED_IN_DETAIL = 500
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Said:
    """The title and the detail of a report."""

    title: str
    detail: str


def too_few(
    freshness: Freshness,
    *,
    count: int,
    start: datetime,
    end: datetime,
    last: datetime | None,
    calendar: Calendar | None,
) -> Said:
    """A window in which too little came."""
    window = f"from {_wall(start, calendar)} to {_wall(end, calendar)}"
    before = f"The last one came {_wall(last, calendar)}." if last else "None has come so far."
    return Said(
        f"{count} of at least {freshness.at_least} events came in {freshness.every}",
        f"{count} came {window}; the contract wants at least {freshness.at_least} every {freshness.every}. {before}",
    )


def never_came(missed: Sequence[str], *, asked: int, connector: str, end: datetime, quarantined: int) -> Said:
    """Ids of the source of record of which there is no event."""
    named = ", ".join(_short(each) for each in missed[:NAMED_IN_TITLE])
    more = len(missed) - NAMED_IN_TITLE
    rest = len(missed) - NAMED_IN_DETAIL
    lines = [
        f"{connector} names {asked} for the window that ended {_wall(end, None)}; of {len(missed)} no event came:",
        *(f"- {_short(each)}" for each in missed[:NAMED_IN_DETAIL]),
        *([f"and {rest} more"] if rest > 0 else []),
        *([f"{quarantined} events of this workflow are in quarantine: look there first."] if quarantined else []),
    ]
    return Said(f"{len(missed)} never came: {named}{f' and {more} more' if more > 0 else ''}", "\n".join(lines))


def not_asked(connector: str, because: str, *, end: datetime, attempts: int) -> Said:
    """A census that could not be taken: nobody knows what is missing."""
    tries = "once" if attempts == 1 else f"{attempts} times"
    return Said(
        f"The census could not be asked: {connector} did not say which should have come",
        f"For the window that ended {_wall(end, None)}, {connector} was asked {tries}: {because}. "
        "What did not come in that window is not known.",
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _wall(at: datetime, calendar: Calendar | None) -> str:
    return at.astimezone(calendar.timezone if calendar else UTC).strftime("%a %Y-%m-%d %H:%M %Z")
