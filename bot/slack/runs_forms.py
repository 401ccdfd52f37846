"""The forms about runs: what is asked before one starts, why one is refused, and the evidence. Pure views."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date as Day
from typing import Any

from bot.desk.runs.offering import Offered
from bot.desk.runs.reading import Asked, Evidence
from bot.rules.closing import SHORTEST_REASON
from bot.rules.foreseeing import given
from bot.slack.asking import Body, Form
from bot.slack.given import given_line
from bot.slack.parts import (
    Block,
    actions,
    button,
    checkboxes,
    context,
    divider,
    labelled,
    modal,
    outside,
    plain,
    radio,
    section,
    select,
    text_input,
    within_budget,
)
from bot.slack.runs import MARKS, Pressed, label
from bot.slack.words import Names, cut, date, is_person, listed, one_line, quote, spoken
from runbooks.conditions import in_words
from runbooks.examples import text_like
from runbooks.inputs import LONGEST_TEXT
from runbooks.runbook import Approval, Input, Runbook
from store.run_models import RunStep

STARTING = "form.run"
REFUSING = "form.run_refuse"
NOT_THIS = "form.run_not_this"
OLDER = "run.older"
NEWER = "run.newer"
INPUT = "input:"
CONFIRMED = "confirmed"
WARNING = 2000
AHEAD = 2800
ONE = 300
SHOWN = 20
REQUEST = 700
RESPONSE = 1000
PAGE = 8
TOGGLED = (("yes", "Yes"), ("no", "No"))


def start_form(form: Form, offered: Offered, names: Names) -> Block:
    """What is asked before a run, and all that is to be known before it: its warning, what it will do, what cannot be
    taken back, and whose yes it needs."""
    runbook = offered.runbook
    warning = [section(f":warning: {quote(offered.warning, WARNING)}")] if offered.warning else []
    blocks = [
        section(f"*{quote(runbook.title, 150)}*"),
        context(f"*{offered.ref}* {quote(offered.title, 150)}"),
        *warning,
        *(_input(name, field, offered.values.get(name)) for name, field in runbook.inputs.items()),
        *([divider()] if runbook.inputs else []),
        section(_ahead(offered)),
        *_twice(offered),
        *(context(note) for note in _notes(offered, names)),
    ]
    return modal(label(runbook), blocks, callback_id=STARTING, submit=label(runbook), metadata=form.kept())


def _ahead(offered: Offered) -> str:
    held = f", for each of {offered.held:,} held events" if offered.runbook.for_each else ""
    steps = [f"{at}. {quote(said, ONE)}" for at, said in enumerate(offered.ahead, 1)]
    more = [f"… and {len(steps) - SHOWN} more"] if len(steps) > SHOWN else []
    return cut("\n".join([f"*What it will do*{held}", *steps[:SHOWN], *more]), AHEAD)


def _twice(offered: Offered) -> Iterator[Block]:
    if offered.twice:
        boxes = checkboxes(CONFIRMED, [("yes", "Do it all the same")])
        yield labelled(CONFIRMED, "It may happen twice", boxes, hint=one_line(offered.twice, 300))


def _notes(offered: Offered, names: Names) -> Iterator[str]:
    """What cannot be taken back, whose yes it needs, and that it only proposes."""
    runbook, lasting = offered.runbook, [spoken(name) for name in offered.lasting]
    if lasting:
        yield f"*Cannot be taken back:* {listed(lasting[:SHOWN])}"
    elif any(step.undo for step in runbook.steps):
        yield "All of it can be taken back with *Undo*."
    if runbook.approval:
        yield _approval(runbook, runbook.approval, [names.role(role) for role in offered.approvers])
    if runbook.mode == "shadow":
        yield "*In shadow*: it says what it would do, and waits for *Do it*."


def _approval(runbook: Runbook, approval: Approval, roles: Sequence[str]) -> str:
    """Whose yes it needs, and when, in words; a condition that has none stands there as it is written."""
    wanted = "the yes" if approval.count == 1 else f"{approval.count} yeses"
    when = ""
    if approval.when:
        said = in_words(approval.when.source, {name: field.label for name, field in runbook.inputs.items()})
        when = f" when {quote(said, 300)}" if said else f" when this holds: `{quote(approval.when.source, 300)}`"
    return f"*Needs {wanted} of {', then '.join(roles)}*{when}; never of the one who asks."


def _input(name: str, field: Input, value: Any) -> Block:
    optional = not field.required and field.type != "toggle"
    return labelled(
        f"{INPUT}{name}", field.label, _ELEMENTS[field.type](field, value), optional=optional, hint=_hint(field)
    )


def _hint(field: Input) -> str:
    example = text_like(field.pattern) if field.type == "text" and field.pattern else None
    return f"For example {example}" if example else ""


def _text(field: Input, value: Any) -> Block:
    return text_input("value", start=str(value or ""), most=LONGEST_TEXT)


def _number(field: Input, value: Any) -> Block:
    element: Block = {"type": "number_input", "action_id": "value", "is_decimal_allowed": True}
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return element | {"initial_value": str(value)} if is_number else element


def _select(field: Input, value: Any) -> Block:
    return select("value", [(each, each) for each in field.options], placeholder="Choose", chosen=str(value))


def _toggle(field: Input, value: Any) -> Block:
    return radio("value", TOGGLED if value is True else TOGGLED[::-1])


def _date(field: Input, value: Any) -> Block:
    element: Block = {"type": "datepicker", "action_id": "value", "placeholder": plain("A day")}
    try:
        return element | {"initial_date": Day.fromisoformat(str(value)[:10]).isoformat()}
    except ValueError:
        return element


def _user(field: Input, value: Any) -> Block:
    element: Block = {"type": "users_select", "action_id": "value", "placeholder": plain("A person")}
    return element | {"initial_user": value} if is_person(str(value)) else element


_ELEMENTS = {
    "text": _text,
    "number": _number,
    "select": _select,
    "toggle": _toggle,
    "date": _date,
    "user": _user,
}


def filled_in(view: Body) -> dict[str, str]:
    """What was filled into the form, by the names of the inputs; what was left empty is left out."""
    values: Mapping[str, Mapping[str, Any]] = (view.get("state") or {}).get("values", {})
    found = {}
    for block_id, state in values.items():
        if block_id.startswith(INPUT):
            held: Mapping[str, Any] = next(iter(state.values()), {})
            option = held.get("selected_option") or {}
            value = option.get("value") or held.get("value") or held.get("selected_date") or held.get("selected_user")
            found[block_id.removeprefix(INPUT)] = str(value or "")
    return {name: value for name, value in found.items() if value}


def reason_form(form: Form, callback_id: str, title: str) -> Block:
    """Why not."""
    hint = f"At least {SHORTEST_REASON} characters. Whoever asked for it is told, and it stays on record."
    said = labelled("reason", "Why not?", text_input("reason", lines=True), hint=hint)
    words = "Refuse" if callback_id == REFUSING else "Not this"
    return modal(words, [context(quote(title, 150)), said], callback_id=callback_id, submit=words, metadata=form.kept())


# --- evidence


def evidence_form(ref: str, found: Evidence, page: int, names: Names) -> Block:
    """What a run asked and what it was answered, the latest first. Secrets were struck out before it was kept."""
    run = found.seen.run
    blocks = [section(f"*{quote(found.seen.runbook.title, 150)}* of {ref}, asked for {date(run.asked_at)}")]
    filled_in = given_line(given(found.seen.runbook.inputs, run.inputs), names)
    blocks += [*([context(filled_in)] if filled_in else []), *_overview(found)]
    for step, attempt in found.shown:
        blocks += [divider(), *_attempt(step, attempt)]
    if not found.shown:
        blocks.append(context(NO_LONGER if _is_gone(found) else "No request was made."))
    turning = []
    if found.has_older:
        turning.append(button("Older", OLDER, Pressed(ref, run=run.id or 0, page=page + 1).kept()))
    if page:
        turning.append(button("Newer", NEWER, Pressed(ref, run=run.id or 0, page=page - 1).kept()))
    if turning:
        blocks += [divider(), actions(turning)]
    return modal(f"{ref}: evidence", within_budget(blocks, most=90, characters=40_000))


NO_LONGER = "What it asked, and what it was answered, is no longer kept."


def _is_gone(found: Evidence) -> bool:
    return any(row.gone_at for row in found.seen.steps.values())


def _took(row: RunStep) -> str:
    seconds = int((row.ended_at - row.started_at).total_seconds()) if row.ended_at else 0
    if seconds < 1:
        return ""
    return f", took {seconds} s" if seconds < 120 else f", took {seconds // 60:,} min"


PURPOSES = {"undo": " (undo)", "finding": " (is it there?)", "verifying": " (is it right?)"}


def _attempt(step: RunStep, attempt: Asked) -> Iterator[Block]:
    request = attempt.request
    purpose = PURPOSES.get(attempt.purpose, "")
    event = f" · E-{step.item_id}" if step.item_id else ""
    answer = f"it answered *{attempt.status}*" if attempt.status else f"no answer: {quote(attempt.error, 200)}"
    mark = MARKS.get(step.state, "")
    yield section(f"{mark} *{spoken(step.name)}*{purpose}{event} · {date(attempt.at)} · {answer}")
    line = f"{request.get('method', '')} {request.get('path', '')}"
    body = request.get("json")
    if request:
        yield outside(line if body is None else f"{line}\n{json.dumps(body, ensure_ascii=False)}", REQUEST)
    if attempt.response:
        yield outside(attempt.response, RESPONSE)


def _overview(found: Evidence) -> list[Block]:
    """Each step that was begun, when, how long it took, and why it ended so."""
    lines = []
    for _, row in sorted(found.seen.steps.items()):
        because = f": {quote(row.because, 160)}" if row.because else ""
        lines.append(f"{MARKS[row.state]} *{spoken(row.name)}* · {date(row.started_at)}{_took(row)}{because}")
    return [section(cut("\n".join(lines[-SHOWN:]), AHEAD))] if lines else []
