"""How a card shows that its case is closing, that it did not close, and that it was closed in spite of a check; and the
forms for resolving a case. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.rules.closing import DECISIONS, REASONS, SHORTEST_REASON
from bot.slack.asking import Form
from bot.slack.parts import (
    OPTION,
    Block,
    checkboxes,
    context,
    labelled,
    modal,
    radio,
    section,
    text_input,
)
from bot.slack.words import Names, date, quote
from store.closing_models import Check, Closing
from store.models import Case

RESOLVE = "form.resolve"
OVERRIDE = "form.override"
CONFIRM = "confirm"
LINES = 3000
AT_ONCE = 10
"""Slack shows so many boxes to tick in one element."""
SHOWN = 10
BECAUSE = 300
WHAT_TO_DO = "Fix that and press *Resolve* again; or close it all the same, with *Close anyway…* in its thread."
MARKS = {
    "owed": ":hourglass_flowing_sand:",
    "passed": ":white_check_mark:",
    "failed": ":x:",
    "unknown": ":grey_question:",
    "confirmed": ":ballot_box_with_check:",
    "unconfirmed": ":white_large_square:",
}


@dataclass(frozen=True, slots=True)
class Tried:
    """The last closing of a case, and its checks."""

    closing: Closing
    checks: Sequence[Check]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Something that a person confirms."""

    name: str
    text: str


def closing_blocks(case: Case, tried: Tried | None, names: Names) -> Iterator[Block]:
    """What a card says of closing: what its checks found, and for ever who closed it in spite of one."""
    if case.overridden_by:
        was = "Closed" if not case.is_open else "It was closed once"
        reason = quote(case.override_reason or "", 500)
        yield section(f":warning: *{was} in spite of its checks* by {names.person(case.overridden_by)}: {reason}")
    if tried is None:
        return
    if case.state == "closing":
        yield context(f"*Closing*, asked by {names.person(tried.closing.asked_by)}: {_marks(tried.checks)}")
    elif case.is_open and tried.closing.state == "refused":
        yield section(_refused(tried))
    elif not case.is_open and tried.closing.state in ("passed", "overridden"):
        yield context(f"*Checks*: {_marks(tried.checks)}")


def _refused(tried: Tried) -> str:
    failed = [check for check in tried.checks if check.state in ("failed", "unknown")]
    if not failed:
        waiting = [check for check in tried.checks if check.state == "unconfirmed"]
        return f":white_check_mark: *Fixed, please confirm*: {_marks(waiting)}. *Resolve* asks for it."
    at = date(tried.closing.decided_at) if tried.closing.decided_at else ""
    lines = [_why(check) for check in failed]
    return "\n".join([f":no_entry_sign: *Not closed* {at}, for a check does not hold:", *lines[:SHOWN], WHAT_TO_DO])


def _why(check: Check) -> str:
    found = f"; found: {quote(check.found, BECAUSE)}" if check.found else ""
    return f"{MARKS[check.state]} *{quote(check.name, 150)}*: {quote(check.because, BECAUSE)}{found}"


def _marks(checks: Sequence[Check]) -> str:
    shown = " · ".join(f"{MARKS[check.state]} {quote(check.name, 100)}" for check in checks[:SHOWN])
    return f"{shown} and {len(checks) - SHOWN} more" if len(checks) > SHOWN else shown


def resolve_form(form: Form, failure_mode: str = "", confirmations: Sequence[Confirmation] = ()) -> Block:
    """How it was fixed; where two things differ, which of them is right; and what the person confirms."""
    choices = tuple(DECISIONS.get(failure_mode, {}).items())
    written = text_input("note", lines=True, most=LINES)
    reasons = radio("reason", tuple(REASONS.items()))
    hint = "The next one who sees this will thank you."
    blocks = [
        *([labelled("decision", "Which is right?", radio("decision", choices))] if choices else []),
        labelled("reason", f"How was {form.case} resolved?", reasons),
        *_confirming(confirmations),
        labelled("note", "What was done", written, optional=True, hint=hint),
    ]
    return modal("Resolve", blocks, callback_id=RESOLVE, submit="Resolve", metadata=form.kept())


def _confirming(confirmations: Sequence[Confirmation]) -> Iterator[Block]:
    """Boxes to tick; a text that is too long for one stands above it."""
    for start in range(0, len(confirmations), AT_ONCE):
        part = confirmations[start : start + AT_ONCE]
        for each in part:
            if len(each.text) > OPTION:
                yield section(f"*{quote(each.name, 150)}*: {quote(each.text, 2000)}")
        boxes = [(each.name, each.text if len(each.text) <= OPTION else f"Yes: {each.name}") for each in part]
        block_id = f"{CONFIRM}:{start}" if start else CONFIRM
        yield labelled(block_id, "Please confirm", checkboxes(CONFIRM, boxes))


def override_form(form: Form, tried: Tried | None) -> Block:
    """Why it is closed in spite of what failed."""
    failed = [check for check in tried.checks if check.state not in ("passed", "confirmed")] if tried else []
    lines = [_why(check) for check in failed[:SHOWN]]
    hint = f"At least {SHORTEST_REASON} characters. It stays on the case for ever, with your name."
    blocks = [
        *([section("\n".join(lines))] if lines else []),
        labelled("override", f"Why is {form.case} closed all the same?", text_input("override", lines=True), hint=hint),
    ]
    return modal("Close anyway", blocks, callback_id=OVERRIDE, submit="Close anyway", metadata=form.kept())
