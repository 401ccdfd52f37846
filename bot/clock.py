"""The one place that reads a clock. Everything else is given `now`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What tells the time: aware, in UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251


class MovableClock:
    """A clock that runs on from where it is put: for tests and the sandbox. It is only ever moved forward."""

    def __init__(self, start: datetime | None = None, *, runs: bool = True) -> None:
        self._machine = SystemClock()
        self._runs = runs
        self._origin = self._machine.now()
        self._base = start or self._origin

    def now(self) -> datetime:
        ran = self._machine.now() - self._origin if self._runs else timedelta(0)
        return self._base + ran

    def advance(self, by: timedelta) -> None:
        """Moves the clock forward; a negative length is refused."""
        if by < timedelta(0):
            raise ValueError("the clock only moves forward")
        self._base += by
