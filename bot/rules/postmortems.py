"""After a case: whether it gets a post-mortem and why, and how it went, from its record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from bot.rules.closing import REASONS
from bot.rules.routing import LOOP_PROOF

ACTION = "action"
"""The failure mode of a case that is an action of a post-mortem."""
ACTION_PRIORITY = "P3"
MOST_ACTIONS = 5
"""In one form."""
LONGEST_SAYING = 300


def why_owed(
    *,
    risk: str,
    failure_mode: str,
    is_drill: bool,
    is_action: bool,
    response_passed: bool,
    resolution_passed: bool,
    is_healed: bool = False,
) -> str | None:
    """Why a case that closes gets a post-mortem; None: it gets none. Drills, the desk's own cases (a faulty policy, a
    dead letter) and the actions of another post-mortem get none: learning would have no end. What healed by itself in
    time, before anybody had it, gets none either."""
    if is_drill or is_action or failure_mode in LOOP_PROOF:
        return None
    late = [name for name, passed in (("response", response_passed), ("resolution", resolution_passed)) if passed]
    because = ["its workflow is critical"] if risk == "critical" and not is_healed else []
    if late:
        because.append(f"its {' and its '.join(late)} window passed")
    return " and ".join(because) or None


@dataclass(frozen=True, slots=True)
class Calling:
    """How people and roles are called, in plain words."""

    people: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)

    def person(self, user: object) -> str:
        """The person's name, or what is known instead."""
        return self.people.get(str(user), str(user)) if user else "somebody"

    def role(self, name: object) -> str:
        """The role's title, or its name."""
        return self.roles.get(str(name), str(name))


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened to a case: when, how long after its opening, and what, in plain words in which anything
    may stand that came from outside."""

    at: datetime
    after: timedelta
    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """A note of the case, or a message of its thread."""

    at: datetime
    author: str
    text: str


@dataclass(frozen=True, slots=True)
class _Entry:
    by: str
    detail: Mapping[str, Any]
    calling: Calling

    @property
    def who(self) -> str:
        return self.calling.person(self.by)

    def word(self, name: str) -> str:
        return str(self.detail.get(name) or "").replace("_", " ")

    def text(self, name: str, before: str = "") -> str:
        said = one_line(str(self.detail.get(name) or ""))
        return f"{before}{said}" if said else ""

    def people(self) -> str:
        return ", ".join(map(self.calling.person, self.detail.get("people") or ())) or "nobody"


def _escalated(entry: _Entry) -> str:
    step = f", step {entry.detail['step']} of {entry.detail['of']}" if entry.detail.get("of") else ""
    return f"escalated to {entry.calling.role(entry.detail.get('role'))} ({entry.people()}){step}"


def _delivered(entry: _Entry) -> str:
    status = f" with status {entry.detail['status']}" if entry.detail.get("status") else ""
    return f"{entry.word('verb')}: {entry.word('state')}{status}{entry.text('because', ': ')}"


def _resolved(entry: _Entry) -> str:
    reason = str(entry.detail.get("reason") or "")
    return f"resolved by {entry.who}: {REASONS.get(reason, reason)}"


def _run(what: str) -> Callable[[_Entry], str]:
    return lambda entry: f"{_runbook(entry)} {what}{entry.text('because', ': ')}"


def _runbook(entry: _Entry) -> str:
    return f"runbook {entry.word('runbook').replace(' ', '-')}"


def _said(word: str) -> Callable[[_Entry], str]:
    """Somebody said this of a run, for the role that was asked."""
    return lambda entry: f"{_runbook(entry)}: {entry.who}{_for_role(entry)} said {word}"


def _for_role(entry: _Entry) -> str:
    return f" of {entry.calling.role(entry.detail['role'])}" if entry.detail.get("role") else ""


_TOLD: Mapping[str, Callable[[_Entry], str]] = MappingProxyType(
    {
        "case.opened": lambda e: f"opened by {e.who}, for {e.calling.role(e.detail.get('owner'))}",
        "case.acknowledged": lambda e: f"acknowledged by {e.who}",
        "case.lease_ran_out": lambda e: (
            f"{e.calling.person(e.detail.get('had_it'))} had it and said nothing: queued again"
        ),
        "case.assigned": lambda e: f"assigned to {e.calling.person(e.detail.get('to'))} by {e.who}",
        "case.handed_off": lambda e: (
            f"handed by {e.who} from {e.calling.role(e.detail.get('from'))} to {e.calling.role(e.detail.get('to'))}"
        ),
        "case.priority_changed": lambda e: f"priority changed by {e.who} from {e.word('from')} to {e.word('to')}",
        "case.state_changed": lambda e: f"{e.word('to')} (by {e.who})",
        "window.passed": lambda e: f"the {e.word('window')} window passed",
        "case.escalated": _escalated,
        "case.nobody_found": lambda e: f"nobody could be told for {e.calling.role(e.detail.get('role'))}",
        "case.exhausted": lambda e: "everybody whom the policy names was told",
        "case.escalated_beyond": _escalated,
        "delivery.retry_asked": lambda e: f"retry asked for by {e.who}",
        "delivery.replay_asked": lambda e: f"replay asked for by {e.who}",
        "delivery.ended": _delivered,
        "event.dropped": lambda e: f"an event dropped by {e.who}{e.text('reason', ': ')}",
        "case.closing_refused": lambda e: (
            f"not closed: {', '.join(map(str, e.detail.get('failed') or ()))} did not hold"
        ),
        "case.checks_overridden": lambda e: f"closed by {e.who} in spite of its checks{e.text('reason', ': ')}",
        "case.resolved": _resolved,
        "case.failed": lambda e: f"given up by {e.who}{e.text('reason', ': ')}",
        "case.reopened": lambda e: f"opened again by {e.who}{e.text('reason', ': ')}",
        "run.asked_for": lambda e: f"{_run('asked for')(e)} by {e.who}",
        "run.started": _run("started"),
        "run.done": _run("done"),
        "run.failed": _run("failed"),
        "run.stopped": _run("stopped"),
        "run.undone": _run("undone"),
        "run.declined": _run("not carried out"),
        "run.approval_asked": lambda e: f"{_runbook(e)} waits for a yes of {e.calling.role(e.detail.get('role'))}",
        "run.approval_expired": lambda e: f"{_runbook(e)}: {e.calling.role(e.detail.get('role'))} said nothing in time",
        "run.approved": _said("yes"),
        "run.refused": _said("no"),
        "run.proposed": _run("says what it would do, and waits"),
        "run.proposed_accepted": _said("Do it"),
        "run.proposed_declined": _said("Not this"),
        "run.asked": lambda e: f"{_runbook(e)} asks somebody: {e.word('step')}",
        "run.answered": lambda e: f"{_said(e.word('answer'))(e)} to {e.word('step')}",
        "run.undo_asked": lambda e: f"{_runbook(e)}: undo asked for by {e.who}",
        "run.undoing": _run("is taken back"),
        "run.repaired": lambda e: f"it was over after {_runbook(e)} of {e.calling.person(e.detail.get('asked_by'))}",
    }
)
"""What of the record is told, and how; the rest (reminders, counted reports, messages) is in the audit trail."""
TOLD = tuple(_TOLD)


def timeline(entries: Sequence[Mapping[str, Any]], said: Sequence[Said], calling: Calling) -> tuple[Moment, ...]:
    """How it went: what the audit entries tell and what people said, in order, each so long after the opening."""
    found = [(each.at, f"{calling.person(each.author)}: {one_line(each.text)}") for each in said]
    found += [(datetime.fromisoformat(each["at"]), _told(each, calling)) for each in entries]
    found = sorted(((at, text) for at, text in found if text), key=lambda each: each[0])
    opened = [datetime.fromisoformat(each["at"]) for each in entries if each["action"] == "case.opened"]
    start = next(iter(opened), found[0][0] if found else None)
    return tuple(Moment(at, max(at - (start or at), timedelta(0)), text) for at, text in found)


def _told(entry: Mapping[str, Any], calling: Calling) -> str:
    tell = _TOLD.get(str(entry["action"]))
    return tell(_Entry(str(entry["actor"].get("id")), entry["detail"], calling)) if tell else ""


def one_line(text: str, most: int = LONGEST_SAYING) -> str:
    """The text on one line."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def lasted(length: timedelta) -> str:
    """How long something took, in its two largest units: `3 h 05 min`."""
    minutes = int(length.total_seconds()) // 60
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60:02} min" if hours else f"{minutes} min"
