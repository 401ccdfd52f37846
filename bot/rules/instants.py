"""Instants as they are written where no reader's own time zone is known."""

from __future__ import annotations

from datetime import UTC, datetime


def in_utc(at: datetime) -> str:
    """To the minute."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def at_second(at: datetime) -> str:
    """To the second, for what is looked up in a log."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
