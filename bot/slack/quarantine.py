"""What people see of events in quarantine, and the forms to mend, release and drop them: pure blocks. Names and types
of what does not fit, and values only where they may be seen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.desk.quarantine import LONGEST_REASON, Look
from bot.rules.closing import SHORTEST_REASON
from bot.rules.repair import Wrong, choices
from bot.rules.retention import why_gone
from bot.slack.asking import Form
from bot.slack.guard import Told
from bot.slack.parts import (
    OPTION,
    Block,
    actions,
    button,
    context,
    divider,
    labelled,
    modal,
    option,
    outside,
    plain,
    radio,
    section,
    select,
    text_input,
    within_budget,
)
from bot.slack.words import Names, date, listed, one_line, quote
from runbooks.validation import parts_of
from store.queries.quarantine import Held

LOOK = "quarantine.look"
OF_CASE = "quarantine.case"
OF_WORKFLOW = "quarantine.workflow"
DROPPING = "quarantine.dropping"
RELEASE_ONE = "quarantine.release_one"
RELEASE_MANY = "quarantine.release_many"
DROP = "quarantine.drop"
SET = "set:"
ROWS = 10
CHOSEN = 100
FIELDS = 15
LONGEST_BLOCK_ID = 255
CONTENT = 2800
ALL, SOME = "all", "some"
WHAT_IT_DOES = (
    "What is released is checked again by the contract of now, and goes out as a new event under an Idempotency-Key "
    "of its own. What still does not fit stays."
)


@dataclass(frozen=True, slots=True)
class Listing:
    """Some of the events that are held, the latest first, and how many there are: by workflow, and of each case."""

    title: str
    shown: Sequence[Held]
    by_workflow: Mapping[str, int]
    of_cases: Mapping[int, int]
    names: Names

    @property
    def count(self) -> int:
        """All of them."""
        return sum(self.by_workflow.values())


def listed_told(listing: Listing) -> Told:
    """The answer to `/case quarantine`."""
    if not listing.count:
        return Told(f"{listing.title}: nothing is in quarantine.", (section(_nothing(listing)),))
    return Told(f"{listing.title}: {listing.count} held", tuple(within_budget(_list(listing))))


def list_form(listing: Listing) -> Block:
    """The same in a modal, from the Home tab."""
    blocks = _list(listing) if listing.count else [section(_nothing(listing))]
    return modal("Quarantine", within_budget(blocks))


def _nothing(listing: Listing) -> str:
    return f"*{quote(listing.title, 100)}*: nothing is in quarantine."


def _list(listing: Listing) -> list[Block]:
    by = ", ".join(f"{listing.names.workflow(name)} {count:,}" for name, count in listing.by_workflow.items())
    blocks = [section(f":lock: *{quote(listing.title, 100)}*: {listing.count:,} in quarantine ({by})")]
    blocks += [_row(held) for held in listing.shown]
    if listing.count > len(listing.shown):
        blocks.append(context(f"… and {listing.count - len(listing.shown):,} more"))
    releasing = [
        button(f"Release of C-{case_id} ({count:,})…", OF_CASE, Form(f"C-{case_id}").kept())
        for case_id, count in list(listing.of_cases.items())[:5]
    ]
    return [*blocks, actions(releasing)] if releasing else blocks


def _row(held: Held) -> Block:
    trigger = held.trigger
    about = f" · {quote(trigger.subject, 80)}" if trigger.subject else ""
    again = f" · came {trigger.seen:,} times" if trigger.seen > 1 else ""
    text = (
        f"*{held.ref}* of C-{trigger.case_id}{about} · {quote(held.title, 200)}\n"
        f"came {date(trigger.received_at)} from {quote(trigger.source, 60)}{again}"
    )
    return section(text, accessory=button("Look", LOOK, Form(f"C-{trigger.case_id}", event=held.event.id).kept()))


def case_form(form: Form, shown: Sequence[Held], count: int, names: Mapping[str, str]) -> Block:
    """Release some or all of a case. `names`: fields under which others came, by the pointer of where they belong."""
    if not shown:
        return modal("Quarantine", [section(f"Nothing of {form.case} is in quarantine any more.")])
    choice = radio("which", [(ALL, f"All {count:,} of {form.case}"), (SOME, "Those that are chosen below")])
    blocks = [
        section(f":lock: *{count:,} events of {form.case} are in quarantine.* {quote(shown[0].title, 300)}"),
        *(_row(held) for held in shown[:ROWS]),
        *([context(f"… and {count - ROWS:,} more")] if count > ROWS else []),
        divider(),
        labelled("which", "Which are released?", choice),
        labelled("events", "Some of them", _events(shown), optional=True),
        *_taken(names),
        context(WHAT_IT_DOES),
    ]
    kept = replace(form, names=dict(names)).kept()
    return modal("Release events", blocks, callback_id=RELEASE_MANY, submit="Release", metadata=kept)


def _events(shown: Sequence[Held]) -> Block:
    options = [option(f"{held.ref} {held.trigger.subject or ''}", str(held.event.id)) for held in shown[:CHOSEN]]
    return {
        "type": "multi_static_select",
        "action_id": "events",
        "placeholder": plain("Events", 150),
        "options": options,
    }


def _taken(names: Mapping[str, str]) -> list[Block]:
    """The offer to take what came under another name."""
    if not names:
        return []
    taken = [f"{_field(pointer)} from {came_as}" for pointer, came_as in names.items()]
    choice = option(one_line(f"Take {listed(taken)}", 75), "names")
    element = {"type": "checkboxes", "action_id": "names", "options": [choice], "initial_options": [choice]}
    return [labelled("names", "Fields that came under another name", element, optional=True)]


def event_form(form: Form, look: Look) -> Block:
    """One event, masked, and a field for each of its own that is missing or does not fit."""
    held, trigger = look.held, look.held.trigger
    came = f"of {form.case} · came {date(trigger.received_at)} from {quote(trigger.source, 60)}"
    fields = [each for each in look.wrong if len(SET + each.pointer) <= LONGEST_BLOCK_ID][:FIELDS]
    blocks: list[Block] = [
        section(f"*{held.ref}* {came}"),
        section("\n".join(f"• {quote(line, 250)}" for line in _why(look))),
        outside(json.dumps(look.content, indent=1, ensure_ascii=False), CONTENT),
        context("••• is shown to nobody: it is kept encrypted, and goes along when the event is released."),
    ]
    more = [
        button("Release more of its case…", OF_CASE, Form(form.case).kept()),
        button("Drop it…", DROPPING, Form(form.case, event=held.event.id).kept(), style="danger"),
    ]
    if look.is_erased:
        erased = section(f":ghost: It {why_gone(held.event.gone)}: it can only be dropped.")
        return modal(held.ref, [*blocks, erased, actions(more[1:])])
    names = {each.pointer: each.came_as for each in fields if each.came_as}
    inputs = [_input(each) for each in fields] or [context(_nothing_to_mend(look))]
    kept = replace(form, event=held.event.id, names=names).kept()
    whole = [*blocks, divider(), *inputs, context(WHAT_IT_DOES), actions(more)]
    return modal(held.ref, whole, callback_id=RELEASE_ONE, submit="Release", metadata=kept)


def _why(look: Look) -> list[str]:
    return [look.rule] if look.rule else look.held.lines[:10]


def _nothing_to_mend(look: Look) -> str:
    if look.held.trigger.misfit is None:
        return "Its fields fit its schema; the rule that holds it is asked again."
    return "By the contract of now its fields fit."


def _input(wrong: Wrong) -> Block:
    label = one_line(f"{_field(wrong.pointer)} ({_kind(wrong)})", 150)
    offered = choices(wrong.place)
    if offered and len(offered) <= CHOSEN and all(0 < len(each) <= OPTION for each in offered):
        pick = select("value", [(each, each) for each in offered], placeholder="A value")
        return labelled(SET + wrong.pointer, label, pick, hint=_hint(wrong), optional=True)
    written = text_input("value", start=wrong.shown or "")
    return labelled(SET + wrong.pointer, label, written, hint=_hint(wrong), optional=True)


def _field(pointer: str) -> str:
    parts = parts_of(pointer)
    return parts[0] if len(parts) == 1 else pointer


def _kind(wrong: Wrong) -> str:
    if named := wrong.place.get("format"):
        return str(named)
    types = wrong.place.get("type", "text")
    return ("text" if types == "string" else types) if isinstance(types, str) else " or ".join(types)


def _hint(wrong: Wrong) -> str:
    if wrong.came_as:
        return f"Left empty, it takes what came as {wrong.came_as}."
    return "Left empty, it stays as it came."


def drop_form(form: Form) -> Block:
    """Why an event is never to be delivered."""
    written = text_input("reason", lines=True, most=LONGEST_REASON)
    hint = f"At least {SHORTEST_REASON} characters. It is never delivered, and that is on record."
    asked = labelled("reason", f"Why is E-{form.event} not to be delivered?", written, hint=hint)
    return modal(f"Drop E-{form.event}", [asked], callback_id=DROP, submit="Drop", metadata=form.kept())
