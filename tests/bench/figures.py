"""A figure beside its target and its raw part, and the table of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

HEAD = ("figure", "measured", "target", "raw part, same run", "of raw", "")


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure has to be."""

    bound: Literal["≥", "≤"]
    limit: float

    def is_met(self, value: float) -> bool:
        """Whether the value keeps to it."""
        return value >= self.limit if self.bound == "≥" else value <= self.limit

    def verdict(self, value: float) -> str:
        """`ok`, or by how much of the target it is missed."""
        if self.is_met(value):
            return "ok"
        return f"missed by {abs(value - self.limit) / self.limit:.0%}" if self.limit else "missed"


@dataclass(frozen=True, slots=True)
class Raw:
    """The part that the figure stands on, measured alone in the same run."""

    what: str
    value: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `note` is said of it where there is no target to be held against."""

    what: str
    value: float
    unit: str
    target: Target | None = None
    raw: Raw | None = None
    note: str = ""

    def row(self) -> tuple[str, ...]:
        """The line's cells."""
        target = f"{self.target.bound} {_shown(self.target.limit, self.unit)}" if self.target else ""
        raw = f"{_shown(self.raw.value, self.unit)} ({self.raw.what})" if self.raw else ""
        ratio = f"{self.value / self.raw.value:.2f}" if self.raw and self.raw.value else ""
        words = [self.target.verdict(self.value)] if self.target else []
        words += [self.note] if self.note else []
        return self.what, _shown(self.value, self.unit), target, raw, ratio, "; ".join(words)


def table(figures: Iterable[Figure]) -> str:
    """All lines, as a table that reads well in a terminal and is Markdown too."""
    rows = [HEAD, *(figure.row() for figure in figures)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def percentile(values: Iterable[float], share: float) -> float:
    """The value that this share of all values is not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _shown(value: float, unit: str) -> str:
    text = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.2f}"
    return f"{text}{unit}" if unit in ("%", "/s") else f"{text} {unit}".strip()
