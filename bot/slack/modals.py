"""The forms: pure views. What a form carries along is in its `private_metadata`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.rules.closing import SHORTEST_REASON
from bot.slack.asking import Form
from bot.slack.parts import (
    Block,
    actions,
    button,
    context,
    divider,
    labelled,
    modal,
    radio,
    section,
    select,
    text_input,
    within_budget,
)
from bot.slack.words import quote
from runbooks.contracts import OTHER
from runbooks.policy import Policy

PRIORITIES = (("P1", "P1: now"), ("P2", "P2: today"), ("P3", "P3: soon"), ("P4", "P4: when there is time"))
SNOOZES = (("30m", "30 minutes"), ("2h", "2 hours"), ("4h", "4 hours"), ("next business day", "Next business day"))
TITLE = 300
LINES = 3000

ASSIGN = "form.assign"
HAND_OFF = "form.hand_off"
SNOOZE = "form.snooze"
PRIORITY = "form.priority"
NOTE = "form.note"
FAIL = "form.fail"
REOPEN = "form.reopen"
CONFIRM = "form.confirm"
OPEN = "form.open"
OLDER = "audit.older"
NEWER = "audit.newer"
WORKFLOW = "workflow"
FAILURE_MODE = "failure_mode"


def assign(form: Form) -> Block:
    """To whom."""
    pick = {"type": "users_select", "action_id": "person", "placeholder": {"type": "plain_text", "text": "A person"}}
    return _form(ASSIGN, form, "Assign", [labelled("person", f"Who takes {form.case}?", pick)])


def hand_off(form: Form, policy: Policy) -> Block:
    """To which role."""
    roles = [(role.name, role.title) for role in policy.team.roles.values()]
    pick = select("role", roles, placeholder="A role")
    hint = "It owns the case from then on, and its own hours count for acknowledging."
    return _form(HAND_OFF, form, "Hand off", [labelled("role", f"Which role owns {form.case}?", pick, hint=hint)])


def snooze(form: Form) -> Block:
    """For how long."""
    hint = "Reminders are silent that long. The clocks of the case run on."
    return _form(SNOOZE, form, "Snooze", [labelled("length", "For how long?", radio("length", SNOOZES), hint=hint)])


def priority(form: Form) -> Block:
    """Which priority."""
    hint = "Both due times are computed again from the opening."
    return _form(
        PRIORITY, form, "Priority", [labelled("priority", "How urgent?", radio("priority", PRIORITIES), hint=hint)]
    )


def note(form: Form) -> Block:
    """A note."""
    written = text_input("text", lines=True, most=LINES)
    return _form(NOTE, form, "Note", [labelled("text", f"Note on {form.case}", written)])


def fail(form: Form) -> Block:
    """Why it cannot be fixed."""
    hint = f"At least {SHORTEST_REASON} characters. The accountable role is told."
    return _form(FAIL, form, "Give up", [_reason(f"Why can {form.case} not be fixed?", hint)])


def reopen(form: Form) -> Block:
    """Why it is open again."""
    return _form(REOPEN, form, "Reopen", [_reason("What is still wrong?", f"At least {SHORTEST_REASON} characters.")])


def confirm(form: Form, because: str) -> Block:
    """A yes to what may do its work twice."""
    words = "Send it again anyway" if form.verb == "replay" else "Retry anyway"
    return modal(
        f"{form.verb.capitalize()} {form.case}",
        [section(f":warning: {quote(because, 1000)}")],
        callback_id=CONFIRM,
        submit=words,
        metadata=form.kept(),
    )


@dataclass(frozen=True, slots=True)
class Opening:
    """What the form for a new case starts with. `asks_link`: nobody knows yet which thread it is about, if any."""

    title: str = ""
    workflow: str | None = None
    asks_link: bool = False


def open_case(form: Form, opening: Opening, policy: Policy) -> Block:
    """The form for a new case. The failure modes are those of the workflow that is chosen in it."""
    blocks = []
    if opening.asks_link:
        hint = "Its thread becomes the case. Leave it empty for a case without a thread."
        blocks.append(labelled("link", "Link to a message", text_input("link", most=1000), hint=hint, optional=True))
    written = text_input("title", start=opening.title[:TITLE], most=TITLE)
    workflows = [(each.workflow, each.title) for each in policy.workflows.values()]
    pick = select(WORKFLOW, workflows, placeholder="A workflow", chosen=opening.workflow)
    blocks += [
        labelled("title", "What is wrong?", written),
        labelled(WORKFLOW, "Which workflow is it?", pick, dispatches=True),
        _failure_mode(opening.workflow, policy),
        labelled(
            "priority",
            "How urgent?",
            select("priority", PRIORITIES, placeholder="As its contract says"),
            optional=True,
        ),
    ]
    return _form(OPEN, form, "Open a case", blocks, submit="Open")


def _failure_mode(workflow: str | None, policy: Policy) -> Block:
    """Named after the workflow, so that Slack forgets the choice when another workflow is chosen."""
    contract = policy.workflows.get(workflow or "")
    modes = [*(mode for mode in (contract.exceptions if contract else ()) if mode != OTHER), OTHER]
    named = [(mode, mode.replace("_", " ").capitalize()) for mode in modes]
    pick = select(FAILURE_MODE, named, placeholder="A failure mode", chosen=OTHER)
    return labelled(f"{FAILURE_MODE}:{workflow or ''}"[:255], "What kind of failure?", pick)


@dataclass(frozen=True, slots=True)
class Entries:
    """A page of a case's audit trail, latest first, each entry in words."""

    case: str
    lines: Sequence[str]
    page: int
    has_older: bool


def audit(entries: Entries) -> Block:
    """The audit trail."""
    blocks: list[Block] = [section(line) for line in entries.lines] or [section("Nothing is on record.")]
    turning = []
    if entries.has_older:
        turning.append(button("Older", OLDER, Form(entries.case, page=entries.page + 1).kept()))
    if entries.page:
        turning.append(button("Newer", NEWER, Form(entries.case, page=entries.page - 1).kept()))
    if turning:
        blocks += [divider(), actions(turning)]
    return modal(f"{entries.case}: audit trail", within_budget(blocks))


def told(title: str, *texts: str) -> Block:
    """Something to read, nothing to fill in."""
    return modal(title, [section(text) for text in texts])


def _reason(label: str, hint: str) -> Block:
    return labelled("reason", label, text_input("reason", lines=True, most=LINES), hint=hint)


def _form(callback_id: str, form: Form, title: str, blocks: Sequence[Block], *, submit: str = "") -> Block:
    about = [context(f"About {form.case}")] if form.case and callback_id in (SNOOZE, PRIORITY, REOPEN) else []
    return modal(title, [*about, *blocks], callback_id=callback_id, submit=submit or title, metadata=form.kept())
