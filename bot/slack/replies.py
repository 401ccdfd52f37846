"""What somebody is told about what they did themselves: the sentences of the thread, spoken to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.desk.commands import Outcome
from bot.rules.saying import What
from bot.slack.lines import sentence
from bot.slack.told import Facts, Sentence
from bot.slack.words import Names, mention


def _taken(facts: Facts) -> str:
    if facts.given.get("again"):
        return f":eyes: You still have it, until {facts.at('until')}."
    return f":eyes: You have it now, until {facts.at('until')}."


def _assigned(facts: Facts) -> str:
    to = str(facts.given.get("to") or "somebody")
    if to == facts.given.get("by"):
        return ":bust_in_silhouette: You have it now."
    return f":bust_in_silhouette: You assigned it to {mention(to)}, who is told."


def _handed_off(facts: Facts) -> str:
    people = facts.people()
    on_call = f" ({people})" if people else ""
    return f":leftwards_arrow_with_hook: You handed it to {facts.role('to')}{on_call}."


def _escalated(facts: Facts) -> str:
    return f":rotating_light: You escalated it: {facts.people() or 'nobody'} of {facts.role('role')} is told now."


def _asked_to_send(facts: Facts) -> str:
    verb = "replay" if facts.given.get("verb") == "replay" else "retry"
    return f":arrows_counterclockwise: Your {verb} is on its way. Its thread will say what came of it."


def _missing(facts: Facts) -> str:
    missing = int(facts.given.get("missing") or 0)
    return f" {missing} more {'yes is' if missing == 1 else 'yeses are'} missing." if missing else " It goes on now."


SPOKEN: Mapping[What, Sentence] = {
    What.ACKNOWLEDGED: _taken,
    What.ASSIGNED: _assigned,
    What.HANDED_OFF: _handed_off,
    What.PRIORITY_CHANGED: lambda f: (
        f":arrow_right: You changed the priority from {f.word('from')} to {f.word('to')}. Both due times are new."
    ),
    What.SNOOZED: lambda f: f":zzz: You silenced its reminders until {f.at('until')}. Its clocks run on.",
    What.NOTED: lambda f: f":memo: Your note is in its thread{f.text('text', ': ')}",
    What.STATE_CHANGED: lambda f: f":vertical_traffic_light: You changed it from {f.word('from')} to {f.word('to')}.",
    What.RESOLVED: lambda f: f":white_check_mark: You resolved it: {f.reason()}",
    What.CLOSING: lambda f: (
        ":hourglass_flowing_sand: You asked to close it: that is done when its checks hold. Its thread will say so."
    ),
    What.CLOSING_STOPPED: lambda f: ":arrows_counterclockwise: You stopped its closing. It is where it was.",
    What.OVERRIDDEN: lambda f: (
        ":warning: You closed it in spite of its checks. That stays on the case, with your reason."
    ),
    What.FAILED: lambda f: ":no_entry: You gave it up. The accountable role is told.",
    What.REOPENED: lambda f: ":arrows_counterclockwise: You opened it again. Nobody has it yet.",
    What.ESCALATED: _escalated,
    What.OPENED_FROM_THREAD: lambda f: (
        f":railway_track: You made this thread a case, for {f.role('owner')}. What is said here is kept with it."
    ),
    What.OPENED_BY_HAND: lambda f: f":railway_track: You opened it, for {f.role('owner')}.",
    What.DELIVERY_ASKED: _asked_to_send,
    What.RUN_STARTED: lambda f: (
        f":arrow_forward: You started {f.text('runbook', most=150)}. The card shows how far it is."
    ),
    What.RUN_ANSWERED: lambda f: f":speech_balloon: You said {f.word('answer')} to {f.text('runbook', most=150)}.",
    What.RUN_APPROVED: lambda f: f":+1: You said yes to {f.text('runbook', most=150)}.{_missing(f)}",
    What.RUN_REFUSED: lambda f: f":-1: You said no to {f.text('runbook', most=150)}. Whoever asked for it is told.",
    What.RUN_ACCEPTED: lambda f: f":arrow_forward: You said *Do it* to {f.text('runbook', most=150)}: it goes on now.",
    What.RUN_UNDOING: lambda f: f":rewind: You have {f.text('runbook', most=150)} taken back. The card shows how far.",
    What.RUN_STOPPED: lambda f: f":octagonal_sign: You stopped {f.text('runbook', most=150)}. What is done stays done.",
}
"""What is missing here concerns nobody in person, and is said as the thread says it."""


def reply(outcome: Outcome, names: Names) -> str:
    """What came of somebody's own request, said to them, as mrkdwn."""
    spoken = SPOKEN.get(outcome.what)
    given: Mapping[str, Any] = outcome.facts
    said = spoken(Facts(given, names)) if spoken else sentence(outcome.what, given, names)
    return f"*{outcome.ref}* {said}" if outcome.ref else said
