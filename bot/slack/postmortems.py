"""Post-mortems in Slack: the form, what is told of one that was written, and the lines with their button."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date as Date
from datetime import datetime, timedelta
from typing import Any

from bot.desk.postmortems import LONGEST, NewAction, Whole
from bot.rules.postmortems import MOST_ACTIONS, Moment, lasted
from bot.rules.saying import What
from bot.rules.texts import LONGEST_TITLE
from bot.slack.asking import Body, Form, chosen
from bot.slack.guard import FieldRefused, Told
from bot.slack.parts import (
    Block,
    actions,
    button,
    context,
    divider,
    labelled,
    modal,
    outside,
    section,
    select,
    text_input,
)
from bot.slack.words import Names, cut, date, escape, link, quote, spoken
from runbooks.policy import Policy
from store.models import Case

WRITE = "post_mortem.write"
MORE = "post_mortem.more"
FORM = "form.post_mortem"
SUMMARY, CAUSES = "summary", "causes"
USUALLY_IN = timedelta(days=14)
MOMENTS = 40
"""Of a timeline in a form: what came first, and most of what came last."""
FIRST_MOMENTS = 10
SECTION = 2800


@dataclass(frozen=True, slots=True)
class Row:
    """An action as it stands in the form."""

    what: str = ""
    role: str = ""
    due: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a form has in its fields. `seen`: the version that it was begun from."""

    seen: int
    summary: str
    causes: str
    rows: tuple[Row, ...] = (Row(),)


def first_draft(whole: Whole, now: datetime) -> Draft:
    """What the form begins with: the texts as they are, and room for one action in two weeks."""
    due = (now + USUALLY_IN).date().isoformat()
    row = Row(role=whole.case.owner, due=due)
    return Draft(whole.row.version, whole.row.summary, whole.row.causes, (row,))


def with_another(draft: Draft) -> Draft:
    """The same with room for one more action, of the role and by the date of the last."""
    return replace(draft, rows=(*draft.rows, replace(draft.rows[-1], what=""))[:MOST_ACTIONS])


def form(whole: Whole, draft: Draft, kept: Form, policy: Policy) -> Block:
    """The form: how it went, what happened, why, and what is to be done."""
    metadata = replace(kept, seen=draft.seen, page=len(draft.rows))
    blocks = [
        context(
            f"{quote(f'{whole.case.ref} {whole.case.title}', 200)}: {escape(whole.row.because)}. {_lengths(whole.case)}"
        ),
        *_timeline(whole.moments),
        _text(SUMMARY, "What happened", draft.summary, "What those saw who were affected, and what ended it."),
        _text(
            CAUSES,
            "Causes",
            draft.causes,
            "Why it could happen, and why it was not seen or ended sooner.",
            optional=True,
        ),
        *_so_far(whole),
        divider(),
        *(block for place, row in enumerate(draft.rows) for block in _row(place, row, policy)),
    ]
    if len(draft.rows) < MOST_ACTIONS:
        blocks.append(actions([button("Another action", MORE, metadata.kept())]))
    return modal("Post-mortem", blocks, callback_id=FORM, submit="Save and post", metadata=metadata.kept())


def _lengths(case: Case) -> str:
    parts = []
    if case.acknowledged_at:
        parts.append(f"acknowledged after {lasted(case.acknowledged_at - case.opened_at)}")
    if case.closed_at:
        parts.append(f"closed after {lasted(case.closed_at - case.opened_at)}")
    return ", ".join(parts).capitalize()


def _text(name: str, label: str, start: str, hint: str, *, optional: bool = False) -> Block:
    return labelled(name, label, text_input(name, lines=True, start=start, most=LONGEST), hint=hint, optional=optional)


def _timeline(moments: Sequence[Moment]) -> Iterator[Block]:
    """Sections of as many lines as one holds."""
    said = "*Timeline*"
    for line in _moment_lines(moments):
        if len(said) + len(line) > SECTION:
            yield section(said)
            said = line
        else:
            said = f"{said}\n{line}"
    yield section(said)


def _moment_lines(moments: Sequence[Moment]) -> Iterator[str]:
    hidden = len(moments) - MOMENTS
    if hidden <= 0:
        yield from map(_moment, moments)
        return
    yield from map(_moment, moments[:FIRST_MOMENTS])
    yield f"… {hidden} more: the audit trail has them …"
    yield from map(_moment, moments[FIRST_MOMENTS + hidden :])


def _moment(moment: Moment) -> str:
    return f"{date(moment.at)} (+{lasted(moment.after)}) {quote(moment.text, 200)}"


def _so_far(whole: Whole) -> Iterator[Block]:
    if whole.actions:
        yield section("\n".join(["*Actions so far*", *(_action(whole, each) for each in whole.actions[:20])]))


def _action(whole: Whole, case: Case) -> str:
    owner = quote(whole.calling.role(case.owner), 80)
    return f"• {case.ref} {quote(case.title, 100)}: {owner}, by {date(case.resolve_due_at)}, {spoken(case.state)}"


def _row(place: int, row: Row, policy: Policy) -> Iterator[Block]:
    """The fields of one action. Named after the form's place and the action's, so that Slack keeps what is in them."""
    roles = [(role.name, role.title) for role in policy.team.roles.values()]
    written = text_input("what", start=row.what, most=LONGEST_TITLE)
    picked = {"type": "datepicker", "action_id": "due"} | ({"initial_date": row.due} if row.due else {})
    yield labelled(f"what:{place}", f"Action {place + 1}: what is to be done?", written, optional=True)
    yield labelled(
        f"role:{place}", "By whom?", select("role", roles, placeholder="A role", chosen=row.role), optional=True
    )
    yield labelled(f"due:{place}", "By the end of which day?", picked, optional=True)


def read_draft(view: Body, kept: Form) -> Draft:
    """What stands in the form now."""
    rows = tuple(
        Row(chosen(view, f"what:{place}"), chosen(view, f"role:{place}"), _picked(view, f"due:{place}"))
        for place in range(max(1, min(kept.page, MOST_ACTIONS)))
    )
    return Draft(kept.seen, chosen(view, SUMMARY), chosen(view, CAUSES), rows)


def _picked(view: Body, block_id: str) -> str:
    state: Mapping[str, Any] = (view.get("state") or {}).get("values", {}).get(block_id, {})
    held: Mapping[str, Any] = next(iter(state.values()), {})
    return str(held.get("selected_date") or "")


def actions_of(draft: Draft) -> list[tuple[int, NewAction]]:
    """The actions that are filled in, with their places in the form. Raises `FieldRefused` for what one lacks."""
    found = []
    for place, row in enumerate(draft.rows):
        if not row.what:
            continue
        if not row.role:
            raise FieldRefused("role_needed", "Say which role does it.", field=f"role:{place}")
        try:
            due = Date.fromisoformat(row.due)
        except ValueError:
            raise FieldRefused("date_needed", "Say by when.", field=f"due:{place}") from None
        found.append((place, NewAction(row.what, row.role, due)))
    return found


# --- what is told


def line_blocks(case: Case, payload: Mapping[str, Any], known: Names) -> list[Block]:
    """What stands below a line about a post-mortem: the texts, the actions, and the button."""
    what = payload.get("what")
    if what == What.POST_MORTEM_OWED:
        text = "Look at the post-mortem" if payload.get("again") else "Write post-mortem"
        return [actions([button(text, WRITE, case.ref, style=None if payload.get("again") else "primary")])]
    if what != What.POST_MORTEM_WRITTEN:
        return []
    blocks = _texts(str(payload.get("summary") or ""), str(payload.get("causes") or ""))
    if made := payload.get("actions"):
        blocks.append(section("\n".join(["*Actions*", *(_made(each, known) for each in made)])))
    return [*blocks, actions([button("Change or add to it", WRITE, case.ref)])]


def _texts(summary: str, causes: str) -> list[Block]:
    blocks = [section("*What happened*"), outside(summary, LONGEST)]
    return [*blocks, section("*Causes*"), outside(causes, LONGEST)] if causes else blocks


def _made(each: Mapping[str, Any], known: Names) -> str:
    due_at = date(datetime.fromisoformat(str(each["due_at"])))
    named = f"{quote(str(each['ref']), 20)} {quote(str(each['title']), 150)}"
    return f"• {named}: {known.role(str(each['owner']))}, by {due_at}"


def told(whole: Whole, url: str | None) -> Told:
    """A post-mortem as `/case postmortem` shows it, or that it is not written yet."""
    case, row = whole.case, whole.row
    named = link(url, f"{case.ref} {case.title}") if url else f"*{quote(f'{case.ref} {case.title}', 150)}*"
    if row.written_at is None:
        text = f"The post-mortem of {named} is not written yet: {escape(row.because)}."
        return Told(text, (section(text), actions([button("Write post-mortem", WRITE, case.ref, style="primary")])))
    by = quote(whole.calling.person(row.written_by), 60)
    written = f"The post-mortem of {named}, by {by}, {date(row.written_at)}."
    head = f"{written} As Markdown: `GET /v1/cases/{case.ref}/postmortem`"
    blocks = [section(head), *_texts(row.summary, row.causes), *_so_far(whole), *_timeline(whole.moments)]
    return Told(cut(head, 300), (*blocks, actions([button("Change or add to it", WRITE, case.ref)])))


def owed_blocks(waiting: Sequence[tuple[Case, str, datetime]]) -> list[Block]:
    """On the Home tab: what is to be written, why and since when."""
    return [
        section(
            f":memo: {quote(f'{case.ref} {case.title}', 150)}: {escape(because)}, since {date(owed_at)}",
            accessory=button("Write", WRITE, case.ref),
        )
        for case, because, owed_at in waiting
    ]
