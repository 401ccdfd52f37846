"""What is said in a case's thread about its closing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.slack.told import NOTE, Facts
from bot.slack.words import quote


def closing(facts: Facts) -> str:
    """Somebody wants it closed."""
    asked = ", ".join(quote(str(name), 150) for name in facts.given.get("checks") or ())
    return f":hourglass_flowing_sand: {facts.who('by')} resolves it. It closes when its checks hold: {asked}."


def _addressed(facts: Facts) -> str:
    """In a thread, to whom it is said; a direct message has one reader, and says for which role they are told."""
    people = "" if facts.given.get("role") else facts.people(wake=True)
    return f"{people}: " if people else ""


def closing_refused(facts: Facts) -> str:
    """It did not close: what failed, and what to do."""
    people = _addressed(facts)
    found = [f"\n• {_why(each)}" for each in facts.given.get("failed") or ()]
    who = " or ".join(dict.fromkeys((facts.role("owner"), facts.role("accountable"))))
    return (
        f":no_entry_sign: {people}it is not closed, for a check does not hold.{''.join(found)}"
        f"\nFix that and press *Resolve* again. {who} can close it all the same, with a reason."
    )


def _why(failed: Mapping[str, Any]) -> str:
    name = f"*{quote(str(failed['name']), 150)}*: " if failed["name"] else ""
    values = f"; found: {quote(str(failed['found']), 300)}" if failed.get("found") else ""
    return f"{name}{quote(str(failed['because']), 300)}{values}"


def please_confirm(facts: Facts) -> str:
    """All that a machine can see holds."""
    asked = "; ".join(quote(str(text), 500) for text in facts.given.get("confirm") or ())
    note = facts.text("note", most=300)
    return f":white_check_mark: {_addressed(facts)}fixed{f' ({note})' if note else ''}, please confirm: {asked}"


def overridden(facts: Facts) -> str:
    """It was closed in spite of what failed."""
    failed = ", ".join(quote(str(name), 150) for name in facts.given.get("failed") or ())
    why = facts.text("override", most=NOTE)
    return f":warning: {facts.who('by')} closed it in spite of its checks ({failed}): {why}"
