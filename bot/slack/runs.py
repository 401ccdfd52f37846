"""How a card shows the runs of its case: what each is, its steps with what came of them, and what may be pressed. Pure.

Nothing that a person or a system wrote gets past `quote`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

from bot.desk.runs.offering import has_form
from bot.desk.runs.reading import RunSeen
from bot.rules.foreseeing import given
from bot.rules.refusals import Refused
from bot.slack.given import given_line
from bot.slack.parts import Block, actions, button, context, section
from bot.slack.words import Names, cut, date, listed, one_line, quote, spoken
from runbooks.runbook import Runbook, Step
from runbooks.steps import KINDS
from store.run_models import Run, RunStep

START = tuple(f"run.start.{at}" for at in range(5))
"""The buttons that start a runbook: so many are in sight, more are in the menu."""
STARTS = "run:"
"""What an entry of the menu begins with that starts a runbook."""
EVIDENCE = "run.evidence"
STOP = "run.stop"
UNDO = "run.undo"
DO_IT = "run.do_it"
NOT_THIS = "run.not_this"
APPROVE = "run.approve"
REFUSE = "run.refuse"

STEPS = 10
"""So many steps of a run are shown: those around the one that it is at."""
WORDS = 160
TITLE = 120
WHOLE = 2600
REQUEST = 300
REQUESTS = 5
OTHERS = 4
MARKS = {
    "under_way": ":arrows_counterclockwise:",
    "waiting": ":hourglass_flowing_sand:",
    "done": ":white_check_mark:",
    "failed": ":x:",
    "skipped": ":heavy_minus_sign:",
    "overtaken": ":heavy_minus_sign:",
    "undoing": ":arrows_counterclockwise:",
    "undone": ":rewind:",
    "not_undone": ":warning:",
}
QUEUED = ":white_circle:"
STATES = {
    "held": ":double_vertical_bar: *{title}* is held back",
    "approving": ":raised_hand: *{title}* waits for a yes",
    "running": ":arrow_forward: *{title}* is under way",
    "proposed": ":bulb: *{title}* proposes this and waits for a yes",
    "undoing": ":rewind: *{title}* is being taken back",
    "done": ":white_check_mark: *{title}* is done",
    "failed": ":x: *{title}* did not go through",
    "stopped": ":octagonal_sign: *{title}* was stopped",
    "undone": ":rewind: *{title}* was taken back",
    "declined": ":no_entry_sign: *{title}* was refused",
    "unanswered": ":no_entry_sign: *{title}* is not carried out",
}
CAUSES = {
    "auto_fix": "started by itself",
    "on_open": "started when the case was opened",
    "on_close": "started when the case was closed",
    "delivery": "delivers its event",
    "step": "carried out by a step",
}
UNDERSTOOD = frozenset({"all its steps are done", "what it did is taken back"})
"""Why a run ended, where that is what its state says already."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """What a button about a run carries. `version` and `drawn`: of the drawing that it is on, so that a double click
    is one; `asks`: the runbook has a form."""

    case: str
    run: int = 0
    step: int = 0
    runbook: str = ""
    version: int = 0
    drawn: int = 0
    asks: bool = False
    page: int = 0

    def kept(self) -> str:
        """The value of the button."""
        return json.dumps({name: value for name, value in asdict(self).items() if value}, separators=(",", ":"))


def read_pressed(value: str) -> Pressed:
    """What a button carried. Raises `Refused` for a value that is not ours."""
    try:
        return Pressed(**json.loads(value))
    except (TypeError, ValueError):
        raise Refused("not_ours", "That button is from another version of Pointsman. Use `/case show C-…`.") from None


@dataclass(frozen=True, slots=True)
class RunsShown:
    """What a card shows of runbooks: those that may be pressed, and the runs. `foreseen`: the requests that a run which
    waits for a yes would make, by its number, as they may be shown."""

    offered: Sequence[Runbook] = ()
    runs: Sequence[RunSeen] = ()
    foreseen: Mapping[int, Sequence[str]] = field(default_factory=dict)
    twice: Mapping[str, str] = field(default_factory=dict)
    """What of a runbook may happen twice, by its name."""
    lasting: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What of a runbook cannot be taken back, by its name."""

    @property
    def startable(self) -> list[Runbook]:
        """The runbooks that are not under way already."""
        busy = {seen.run.runbook for seen in self.runs if seen.is_under_way}
        return [runbook for runbook in self.offered if runbook.name not in busy]

    @property
    def people(self) -> list[str]:
        """Who is named."""
        approvers = [approval.by for seen in self.runs for approval in seen.approvals if approval.by]
        rows = [row for seen in self.runs for row in seen.steps.values() if row.kind == "ask"]
        asked = [str(who) for row in rows for key in ("person", "by") if (who := (row.response or {}).get(key))]
        chosen = [each["person"] for seen in self.runs for each in _given(seen) if each.get("person")]
        return [*(seen.run.asked_by for seen in self.runs), *approvers, *asked, *chosen]


# --- what may be started


def label(runbook: Runbook) -> str:
    """What its button says."""
    return runbook.button or runbook.title


def start_buttons(shown: RunsShown, pressed: Pressed) -> Iterator[Block]:
    """A button for each runbook, as far as they are in sight."""
    for action_id, runbook in zip(START, shown.startable, strict=False):
        asks_first = has_form(runbook, shown.twice.get(runbook.name, ""))
        value = replace(pressed, runbook=runbook.name, asks=asks_first)
        asks = None if asks_first else (f"{label(runbook)}?", _will(runbook, shown.lasting.get(runbook.name, ())))
        yield button(label(runbook), action_id, value.kept(), style=runbook.style, asks=asks)


def start_menu(shown: RunsShown) -> Iterator[tuple[str, str]]:
    """The entries of the menu for those that are out of sight."""
    for runbook in shown.startable[len(START) :]:
        yield f"{STARTS}{runbook.name}", f"Run: {one_line(runbook.title, 60)}"


def _will(runbook: Runbook, lasting: Sequence[str]) -> str:
    """What Slack says before it starts: what it does, and what of it cannot be taken back."""
    steps = [ahead(step) for step in runbook.steps]
    kept = f" Cannot be taken back: {listed(lasting)}." if lasting else ""
    return f"It will {one_line('; then '.join(steps), 290 - len(kept))}.{kept}"


# --- the runs


def run_blocks(shown: RunsShown, names: Names, pressed: Pressed, now: datetime, *, is_open: bool) -> Iterator[Block]:
    """The runs: those under way and the last one step by step, the others in a line."""
    last = shown.runs[-1] if shown.runs else None
    others = [seen for seen in shown.runs if not seen.is_under_way and seen is not last]
    if others:
        yield context("\n".join(_head(seen, names) for seen in others[-OTHERS:]))
    for seen in shown.runs:
        if seen not in others:
            yield section(_whole(seen, names, shown.foreseen.get(seen.run.id or 0, ()), now))
            yield from _row(seen, pressed, is_open=is_open)


def _row(seen: RunSeen, pressed: Pressed, *, is_open: bool) -> Iterator[Block]:
    run = seen.run
    value = Pressed(pressed.case, run=run.id or 0, version=run.version, drawn=pressed.drawn)
    buttons = list(_buttons(seen, value.kept(), is_open=is_open))
    if buttons:
        yield actions(buttons, block_id=f"run:{run.id}:{run.version}:{pressed.drawn}")


def _buttons(seen: RunSeen, value: str, *, is_open: bool) -> Iterator[Block]:
    state, title = seen.run.state, seen.runbook.title
    if state == "proposed":
        yield button("Do it", DO_IT, value, style="primary")
        yield button("Not this…", NOT_THIS, value)
    elif state == "approving":
        yield button("Approve", APPROVE, value, style="primary")
        yield button("Refuse…", REFUSE, value)
    if seen.steps:
        yield button("Evidence", EVIDENCE, value)
    if state in ("held", "approving", "running", "undoing"):
        yield button("Stop", STOP, value, asks=(f"Stop {one_line(title, 80)}?", _stops(seen)))
    elif is_open and not seen.is_under_way and seen.can_be_undone:
        yield button("Undo", UNDO, value, style="danger", asks=(f"Undo {one_line(title, 80)}?", _undoes(seen)))


def _stops(seen: RunSeen) -> str:
    """What stays done, and what is left: of one for each of several events, of all of them."""
    if seen.run.upto_id is not None:
        of = seen.run.counts
        at = f", besides E-{seen.run.item_id}, which it is at" if seen.run.item_id else ""
        so_far = f"{of.get('done', 0):,} done, which stay so; {of.get('failed', 0):,} failed; {seen.left:,} left"
        return f"Events: {so_far}{at}."
    done = [row.name for _, row in sorted(seen.steps.items()) if row.state == "done"]
    return f"Done already, and it stays so: {one_line(listed(done), 200)}." if done else "Nothing of it is done yet."


def _undoes(seen: RunSeen) -> str:
    lasting, each = seen.stays_done, f" for each of {seen.events:,} events" if seen.events > 1 else ""
    kept = f" Cannot be taken back: {one_line(listed(lasting), 120)}." if lasting else ""
    return f"It takes back {one_line(listed(seen.can_be_undone), 110)}{each}, last first.{kept}"


def _whole(seen: RunSeen, names: Names, foreseen: Sequence[str], now: datetime) -> str:
    filled_in = given_line(_given(seen), names) if seen.run.state in ("approving", "proposed") else ""
    lines = [_head(seen, names), *_patience(seen), *_asked(seen, names), *([filled_in] if filled_in else [])]
    if seen.run.upto_id is not None:
        lines.append(_counted(seen))
    lines += _steps(seen, names, now, ahead_too=seen.is_under_way and not foreseen)
    lines += [f"• {quote(request, REQUEST)}" for request in foreseen[:REQUESTS]]
    if len(foreseen) > REQUESTS:
        lines.append(f"• … and {len(foreseen) - REQUESTS} more")
    return cut("\n".join(lines), WHOLE)


def _given(seen: RunSeen) -> list[dict[str, str]]:
    return given(seen.runbook.inputs, seen.run.inputs or {})


def _head(seen: RunSeen, names: Names) -> str:
    """What became of it, when, and who asked for it."""
    run = seen.run
    is_unanswered = run.state == "declined" and not _is_refused(seen)
    said = STATES["unanswered" if is_unanswered else run.state].format(title=quote(seen.runbook.title, TITLE))
    why = "" if run.because in UNDERSTOOD or run.state == "proposed" else run.because
    because = f": {quote(why, WORDS)}" if why and not (seen.is_under_way and run.state != "held") else ""
    at = run.ended_at or run.started_at or run.asked_at
    return f"{said}{because} · {date(at)} · {_by(run, names)}"


def _is_refused(seen: RunSeen) -> bool:
    """Whether somebody said no."""
    return bool(seen.run.refused_by) or any(approval.answer == "no" for approval in seen.approvals)


def _by(run: Run, names: Names) -> str:
    return CAUSES.get(run.cause) or f"asked by {names.person(run.asked_by)}"


def _patience(seen: RunSeen) -> Iterator[str]:
    """How long an auto-fix has, and when one that is held begins."""
    run = seen.run
    if run.gives_up_at is None or not seen.is_under_way:
        return
    if run.waits_for_yes_since is not None:
        yield "Its time stands still until somebody says yes."
        return
    begins = (
        f"Begins {date(run.due_at)}. " if run.state == "held" and run.due_at and run.due_at < run.gives_up_at else ""
    )
    yield f"{begins}It has until {date(run.gives_up_at)}; then this goes to people."


def _asked(seen: RunSeen, names: Names) -> Iterator[str]:
    """Who is to say yes and until when, and who said what."""
    for approval in seen.approvals:
        role, by = names.role(approval.role), names.person(approval.by)
        if approval.answer == "yes":
            yield f":white_check_mark: {by} of {role} said yes {date(approval.answered_at or approval.asked_at)}"
        elif approval.answer == "no":
            yield f":no_entry_sign: {by} of {role} said no: {quote(approval.reason, WORDS)}"
        elif approval.answer == "expired":
            yield f":hourglass: {role} said nothing in time"
        elif approval.answer == "nobody":
            yield f":ghost: {role}: nobody there may say yes"
        elif seen.run.state == "approving":
            yield f":hourglass_flowing_sand: {role} is asked, until {date(approval.expires_at)}"


def _counted(seen: RunSeen) -> str:
    done, failed = seen.run.counts.get("done", 0), seen.run.counts.get("failed", 0)
    at = f", now at E-{seen.run.item_id}" if seen.is_under_way and seen.run.item_id else ""
    return f"For each event: *{done:,} done*{f', *{failed:,} failed*' if failed else ''}{at}"


def _steps(seen: RunSeen, names: Names, now: datetime, *, ahead_too: bool) -> Iterator[str]:
    """The steps around the one that it is at, or as far as it came."""
    begun = max(seen.steps, default=-1) + 1
    steps = seen.runbook.steps if ahead_too else seen.runbook.steps[:begun]
    at = seen.at if seen.at is not None else max(begun - 1, 0)
    first = max(0, min(at - STEPS // 2, len(steps) - STEPS))
    if first:
        yield f"… {first} before"
    for position in range(first, min(first + STEPS, len(steps))):
        yield _step(seen, position, names, now)
    if first + STEPS < len(steps):
        yield f"… {len(steps) - first - STEPS} more"


def _step(seen: RunSeen, position: int, names: Names, now: datetime) -> str:
    step, row = seen.runbook.steps[position], seen.steps.get(position)
    name = f"*{spoken(step.name)}*"
    if row is not None:
        return f"{MARKS[row.state]} {name}: {_came_of(seen, step, row, names, now)}"
    mark = MARKS["under_way"] if position == seen.at else QUEUED
    return f"{mark} {name}: {quote(ahead(step), WORDS)}"


def _came_of(seen: RunSeen, step: Step, row: RunStep, names: Names, now: datetime) -> str:
    """What came of a step, or what it waits for, in words."""
    match row.state:
        case "waiting":
            until = f", until {date(row.until_at)}" if row.until_at else ""
            return f"{waits(step, row, names)}{until}"
        case "under_way" | "undoing" if row.because:
            again = seen.run.due_at
            at = f"; again {date(again)}" if again and again > now and seen.run.lease_until is None else ""
            return f"{quote(row.because, WORDS)}{at}"
        case "under_way":
            return quote(ahead(step), WORDS)
        case "undoing":
            return "is being taken back"
        case "done":
            return came_of(row)
        case "skipped":
            return f"left out: {quote(row.because, WORDS)}"
        case "overtaken":
            return f"not waited for any more: {quote(row.because, WORDS)}"
        case "undone":
            return "taken back"
        case "not_undone":
            return f"could not be taken back: {quote(row.because, WORDS)}"
    return quote(row.because, WORDS)


def came_of(row: RunStep) -> str:
    """The result of a finished step: what was answered, or else why it counts as done."""
    status = (row.response or {}).get("status")
    if row.kind in ("request", "check") and isinstance(status, int):
        return f"it answered {status}"
    return quote(row.because, WORDS) or "done"


def waits(step: Step, row: RunStep, names: Names) -> str:
    """What a step waits for."""
    if step.ask:
        asked = row.response or {}
        role = names.role(asked["role"]) if asked.get("role") else quote(step.ask.who, 60)
        who = names.person(asked["person"]) if asked.get("person") else role
        return f"{who} is asked: {quote(str(asked.get('text') or ''), WORDS)}"
    if step.wait_for:
        event = step.wait_for.event
        return "waits for the outcome" if event is None else f"waits for an event with {quote(event.source, 100)}"
    return {
        "pause": "waits",
        "run": f"*{quote(step.run or '', 80)}* is carried out",
        "replay": "the event is on its way",
        "retry_failed": "what failed is on its way",
    }.get(step.kind, "waits")


def ahead(step: Step) -> str:
    """What a step will do, in a few words without values."""
    if step.request:
        return f"{step.request.method} to {step.request.connector}"
    if step.notify:
        return f"tell {'who asked' if step.notify.to == 'asker' else step.notify.to}"
    if step.ask:
        return f"ask {'who asked' if step.ask.who == 'asker' else step.ask.who}"
    if step.assign:
        return f"give the case to {step.assign.role or 'a person'}"
    if step.wait_for and step.wait_for.event is None:
        return f"wait for the outcome, at most {step.wait_for.within}"
    return KINDS[step.kind].plainly(step)
