"""One short sentence for everything that there is to tell: what the case's thread says, and what a clicker is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.rules.saying import What
from bot.slack import closing_lines
from bot.slack.given import given_line
from bot.slack.told import NOTE, Facts, Sentence
from bot.slack.words import Names, mention, quote, spoken


def _handed_off(facts: Facts) -> str:
    people = facts.people()
    to = f"{facts.role('to')} ({people})" if people else facts.role("to")
    return f":leftwards_arrow_with_hook: {facts.who('by')} handed it from {facts.role('from')} to {to}."


def _reminded(facts: Facts) -> str:
    people = facts.people(wake=True)
    return f":bell: {people + ': ' if people else ''}this is to be {facts.window()} by {facts.at('due_at')}."


def _escalated(facts: Facts) -> str:
    why = {
        "unacknowledged": "Nobody has acknowledged it",
        "unresolved": "It is not resolved in time",
    }.get(str(facts.given.get("ladder")), f"{facts.who('by')} escalated it")
    step = f"step {facts.given['step']} of {facts.given['of']}" if facts.given.get("of") else ""
    people = facts.people() or "nobody"
    notes = "; ".join(filter(None, (step, facts.text("because", most=200))))
    return f":rotating_light: {why}: {people} of {facts.role('role')} is told now{notes and f' ({notes})'}."


def _post_mortem_owed(facts: Facts) -> str:
    if facts.given.get("again"):
        return ":notebook: Its post-mortem was written before it was opened again. Is it still right?"
    return f":notebook: It gets a post-mortem{facts.text('because', ': ')}."


def _exhausted(facts: Facts) -> str:
    people = facts.people()
    told = f" {people} is told once more." if people else ""
    return f":sos: Everybody whom the policy names was told. Somebody has to take this by hand.{told}"


def _opened_from_thread(facts: Facts) -> str:
    said = f":railway_track: {facts.who('by')} made this thread a case. What is said here is kept with it."
    kept = facts.given.get("kept")
    if kept is None:
        return said
    before = f"only the first {kept} messages" if kept else "nothing"
    return f"{said} Of what was said before, {before} could be kept."


def _opened_on_call(facts: Facts) -> str:
    people = facts.people()
    return f":rotating_light: This one does not wait: {people or 'nobody'} of {facts.role('role')} is told now."


def _delivery_asked(facts: Facts) -> str:
    verb = {"retry": "retry", "replay": "replay"}.get(str(facts.given.get("verb")), "send it again")
    return f":arrows_counterclockwise: {facts.who('by')} asked to {verb}{facts.text('request', ': ', 200)}."


def _delivery_done(facts: Facts) -> str:
    status = f" with status {facts.given['status']}" if facts.given.get("status") else ""
    if facts.given.get("already"):
        return f":white_check_mark: Nothing was sent: the receiver was asked, and it is there already{status}."
    answered = facts.text("response", ": ", 300)
    return f":white_check_mark: The {facts.word('verb')} went through{status}{answered}."


def _resolved(facts: Facts) -> str:
    said = f"{facts.reason()}{facts.text('decision', '. ')}{facts.text('note', '. ', NOTE)}"
    return f":white_check_mark: {facts.who('by')} resolved it: {said}"


def _connector_back(facts: Facts) -> str:
    held = int(facts.given.get("held") or 0)
    going = {0: "Nothing is held any more", 1: "The event that is held goes on"}.get(
        held, f"{held:,} held events go on"
    )
    return f":electric_plug: {facts.text('connector', most=80) or 'The system'} answers again. {going}.{_over(facts)}"


def _delivery_failed(facts: Facts) -> str:
    stays = " The case stays open." if facts.given.get("is_open", True) else ""
    status = f" with status {facts.given['status']}" if facts.given.get("status") else ""
    return (
        f":x: The {facts.word('verb')} did not go through{status}{facts.text('because', ': ', 300)}"
        f"{facts.text('response', '. It answered: ', 300)}.{stays}"
    )


def _over(facts: Facts) -> str:
    """What follows for a case from what came."""
    if facts.given.get("healed"):
        return " Nobody had taken the case, so it is closed."
    if facts.given.get("closes"):
        return " It closes when its runbook is done and its checks hold."
    return " What this case is about is over; whoever has it closes it." if facts.given.get("is_over") else ""


def _outcome_came(facts: Facts) -> str:
    late = " after its time" if facts.given.get("late") else ""
    if facts.given.get("failed_in"):
        said = f", and it is a failure: {facts.text('failed_in')}"
    else:
        said = ", and it is done" if facts.given.get("status") in ("done", "late") else "; it says that more is to come"
    return f":incoming_envelope: The outcome of {facts.text('whose', most=150)} came{late}{said}.{_over(facts)}"


def _missed_came(facts: Facts) -> str:
    ids = ", ".join(quote(str(each), 100) for each in (facts.given.get("ids") or ())[:10])
    more = int(facts.given.get("came") or 0) - min(len(facts.given.get("ids") or ()), 10)
    named = f"{ids} and {more} more" if more > 0 else ids
    return f":incoming_envelope: Came: {named}. Still missing: {facts.given.get('left') or 'none'}.{_over(facts)}"


def _released(facts: Facts) -> str:
    count, still = int(facts.given.get("count") or 0), int(facts.given.get("still") or 0)
    event = facts.text("event", most=40)
    said = f":unlock: {facts.who('by')} released {event or _events(count)} from quarantine."
    if ignored := int(facts.given.get("ignored") or 0):
        said += f" A precondition ignores {'it' if event else _events(ignored)}: nothing is delivered."
    if known := int(facts.given.get("known") or 0):
        said += f" {'It' if event else _events(known).capitalize()} came properly meanwhile: not delivered again."
    if still:
        because = facts.text("because", ", for example: ", 300)
        said += f" {_events(still).capitalize()} still {'does' if still == 1 else 'do'} not fit and stay{because}."
    if left := int(facts.given.get("left") or 0):
        said += f" {left:,} more follow by themselves."
    return said


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count:,} events"


def _counted(facts: Facts) -> str:
    """For how many events a run was carried out."""
    done = int((facts.given.get("counts") or {}).get("done") or 0)
    return f" for {_events(done)}" if done else ""


def _so_far(facts: Facts) -> str:
    """How far a run for each of several events came."""
    if facts.given.get("left") is None:
        return ""
    counts = facts.given.get("counts") or {}
    done, failed = int(counts.get("done") or 0), int(counts.get("failed") or 0)
    at = f", besides E-{facts.given['at']}, which it was at" if facts.given.get("at") else ""
    return f" Events: {done:,} done, {failed:,} failed, {int(facts.given['left']):,} left{at}."


STEPS = {"done": "done", "skipped": "left out", "failed": "failed", "undone": "taken back"}


def _counted_things(count: int) -> str:
    return "There is one thing" if count == 1 else f"There are {count:,} things"


def _auto_fix_held(facts: Facts) -> str:
    most = facts.given.get("most") or "many"
    workflow = facts.names.workflow(str(facts.given.get("workflow") or "its workflow"))
    return (
        f":hourglass: {most} auto-fixes of {workflow} began within the hour, so this one and those after it are held. "
        f"This one begins {facts.at('until')}, if there is time left."
    )


def _auto_fix_gave_up(facts: Facts) -> str:
    """What was tried, and who has it now."""
    people, role = facts.people(wake=True), facts.role("role")
    who = f"{people}: it is yours now" if people else f"It is in the queue of {role} now"
    tried = "".join(
        f"\n• {quote(str(each['step']), 60)}: {STEPS.get(str(each['state']), 'not finished')}"
        f"{': ' + quote(str(each['because']), 200) if each.get('because') else ''}"
        for each in facts.given.get("tried") or ()
    )
    why = facts.text("why", ": ", 300)
    return f":wrench: {facts.text('runbook', most=150)} was tried first and did not help{why}. {who}.{tried}"


def _approval_asked(facts: Facts) -> str:
    people = facts.people() or "somebody"
    events = int(facts.given.get("events") or 0)
    for_events = f" for {_events(events)}" if events else ""
    return (
        f":raised_hand: {facts.text('runbook', most=150)} waits for a yes of {facts.role('role')} ({people}) until "
        f"{facts.at('until')}{for_events}; {facts.who('by')} asked for it.{_requests(facts)}"
    )


def _proposed(facts: Facts) -> str:
    return f":bulb: {facts.text('runbook', most=150)} would go on now, and waits for a yes.{_requests(facts)}"


def _requests(facts: Facts) -> str:
    """What was filled in, what a run would do, a line each, and what of it cannot be taken back."""
    filled_in = given_line(facts.given.get("given") or (), facts.names)
    wanted = [quote(str(each), 300) for each in facts.given.get("requests") or ()]
    shown = "".join(f"\n• {each}" for each in wanted[:10])
    more = f"\n• and {len(wanted) - 10} more" if len(wanted) > 10 else ""
    lasting = ", ".join(quote(str(each), 80) for each in (facts.given.get("lasting") or ())[:10])
    kept = f"\nCannot be taken back: {lasting}." if lasting else ""
    return (f"\n{filled_in}" if filled_in else "") + f"{shown}{more}{kept}"


def _approved(facts: Facts) -> str:
    missing = int(facts.given.get("missing") or 0)
    more = f" {missing} more {'yes is' if missing == 1 else 'yeses are'} missing." if missing else ""
    return f":+1: {facts.who('by')} said yes to {facts.text('runbook', most=150)}.{more}"


SENTENCES: Mapping[What, Sentence] = {
    What.ACKNOWLEDGED: lambda f: (
        f":eyes: {f.who('by')} {'still has' if f.given.get('again') else 'has'} it until {f.at('until')}."
    ),
    What.LEASE_RAN_OUT: lambda f: (
        f":hourglass: {f.who('by')} had it and has said nothing since. It is queued again, and the telling goes on."
    ),
    What.ASSIGNED: lambda f: (
        f":bust_in_silhouette: {f.who('by')} assigned it to {mention(str(f.given.get('to') or 'somebody'))}."
    ),
    What.HANDED_OFF: _handed_off,
    What.PRIORITY_CHANGED: lambda f: (
        f":arrow_right: {f.who('by')} changed the priority from {f.word('from')} to {f.word('to')}."
    ),
    What.SNOOZED: lambda f: f":zzz: {f.who('by')} silenced its reminders until {f.at('until')}. Its clocks run on.",
    What.SNOOZE_OVER: lambda f: ":alarm_clock: The snooze is over.",
    What.NOTED: lambda f: f":memo: {f.who('by')}: {f.text('text', most=NOTE)}",
    What.STATE_CHANGED: lambda f: f":vertical_traffic_light: {f.who('by')}: {f.word('from')} → {f.word('to')}.",
    What.RESOLVED: _resolved,
    What.CLOSING: closing_lines.closing,
    What.CLOSING_REFUSED: closing_lines.closing_refused,
    What.CLOSING_STOPPED: lambda f: (
        f":arrows_counterclockwise: {f.who('by')} stopped its closing{f.text('reason', ': ', NOTE)}"
    ),
    What.PLEASE_CONFIRM: closing_lines.please_confirm,
    What.OVERRIDDEN: closing_lines.overridden,
    What.FAILED: lambda f: f":no_entry: {f.who('by')} gave it up{f.text('reason', ': ', NOTE)}",
    What.REOPENED: lambda f: f":arrows_counterclockwise: {f.who('by')} opened it again{f.text('reason', ': ', NOTE)}",
    What.POST_MORTEM_OWED: _post_mortem_owed,
    What.POST_MORTEM_WRITTEN: lambda f: (
        f":notebook: {f.who('by')} {'changed' if f.given.get('changed') else 'wrote'} "
        f"the post-mortem of {f.text('ref')}."
    ),
    What.REMINDED: _reminded,
    What.WINDOW_PASSED: lambda f: f":warning: It was to be {f.window()} by {f.at('due_at')}.",
    What.ESCALATED: _escalated,
    What.NOBODY_FOUND: lambda f: (
        f":warning: Nobody could be told for {f.role('role')}{f.text('because', ': ', 200)}. The next step comes now."
    ),
    What.EXHAUSTED: _exhausted,
    What.OPENED_ON_CALL: _opened_on_call,
    What.OPENED_FROM_THREAD: _opened_from_thread,
    What.OPENED_BY_HAND: lambda f: f":railway_track: {f.who('by')} opened it by hand, for {f.role('owner')}.",
    What.ROTA_OVERRIDDEN: lambda f: (
        f":calendar: {f.names.person(f.given.get('person'))} has {f.word('rota')} from {f.at('start_at')} "
        f"to {f.at('end_at')}."
    ),
    What.FAILED_TOLD: lambda f: (
        f":no_entry: {f.who('by')} gave up a case that you answer for{f.text('reason', ': ', NOTE)}"
    ),
    What.DELIVERY_ASKED: _delivery_asked,
    What.DELIVERY_DONE: _delivery_done,
    What.DELIVERY_FAILED: _delivery_failed,
    What.EVENTS_RELEASED: _released,
    What.EVENT_DROPPED: lambda f: (
        f":wastebasket: {f.who('by')} dropped {f.text('event', most=40)}: it is never delivered"
        f"{f.text('reason', '. ', NOTE)}"
    ),
    What.QUARANTINE_CLEARED: lambda f: (
        f":white_check_mark: Nothing of this case is in quarantine any more, and what was released "
        f"({_events(int(f.given.get('count') or 0))}) is through."
    ),
    What.DEAD_LETTER: lambda f: (
        f":outbox_tray: A message ({f.word('kind')}) was given up{f.text('because', ': ', 300)}."
    ),
    What.FOUND: lambda f: (
        f":mag: {_counted_things(int(f.given.get('count') or 0))} that should have happened and had not: "
        "the case says what."
    ),
    What.TOLD_OTHERWISE: lambda f: (
        f":incoming_envelope: Slack was away, so {f.people()} was told "
        f"{'by e-mail' if f.given.get('way') == 'email' else 'by the webhook of the fallback'}."
    ),
    What.POLICY_CHANGED: lambda f: ":scroll: The policy folder has no faults any more.",
    What.OUTCOME_CAME: _outcome_came,
    What.CONNECTOR_BACK: _connector_back,
    What.OUTCOME_CONTRADICTS: lambda f: (
        f":twisted_rightwards_arrows: Another outcome of {f.text('whose', most=150)} says that it is done. "
        "Which of the two was last is not known: look there before you close this."
    ),
    What.EVENTS_FLOW: lambda f: (
        f":incoming_envelope: Events come again: {f.word('count')} since {f.at('since')}.{_over(f)}"
    ),
    What.MISSED_CAME: _missed_came,
    What.DRILL_OVER: lambda f: (
        f":test_tube: The drill is over: {'it was caught' if f.given.get('caught') else 'it was *missed*'}. "
        "Nobody has to do anything."
    ),
    What.RUN_STARTED: lambda f: f":arrow_forward: {f.who('by')} started {f.text('runbook', most=150)}.",
    What.RUN_DONE: lambda f: f":white_check_mark: {f.text('runbook', most=150)} is done{_counted(f)}.",
    What.RUN_FAILED: lambda f: (
        f":x: {f.text('runbook', most=150)} did not go through{f.text('because', ': ', 300)}.{_so_far(f)}"
    ),
    What.RUN_UNDONE: lambda f: f":rewind: {f.text('runbook', most=150)} was taken back{f.text('because', ': ', 300)}.",
    What.RUN_PROPOSED: _proposed,
    What.AUTO_FIX_HELD: _auto_fix_held,
    What.AUTO_FIX_GAVE_UP: _auto_fix_gave_up,
    What.AUTO_FIX_DONE: lambda f: (
        f":white_check_mark: {f.people(wake=True)}: {f.text('runbook', most=150)} is done. "
        "You have the case: look, and press *Resolve*."
    ),
    What.RUN_SAYS: lambda f: f":speech_balloon: {f.text('runbook', most=150)}: {f.text('text', most=NOTE)}",
    What.RUN_ASKS: lambda f: f":question: {f.text('runbook', most=150)} asks: {f.text('text', most=NOTE)}",
    What.RUN_ANSWERED: lambda f: (
        f":speech_balloon: {f.who('by')} said {f.word('answer')} to {f.text('runbook', most=150)}"
        f"{f.text('text', ': ', 300)}"
    ),
    What.RUN_APPROVAL_ASKED: _approval_asked,
    What.RUN_APPROVED: _approved,
    What.RUN_REFUSED: lambda f: (
        f":-1: {f.who('by')} said no to {f.text('runbook', most=150)}{f.text('reason', ': ', NOTE)}"
    ),
    What.RUN_DECLINED: lambda f: (
        f":no_entry_sign: {f.text('runbook', most=150)} is not carried out{f.text('because', ': ', NOTE)}"
    ),
    What.RUN_ACCEPTED: lambda f: f":arrow_forward: {f.who('by')} said *Do it* to {f.text('runbook', most=150)}.",
    What.RUN_UNDOING: lambda f: f":rewind: {f.who('by')} has {f.text('runbook', most=150)} taken back.",
    What.RUN_STOPPED: lambda f: f":octagonal_sign: {f.who('by')} stopped {f.text('runbook', most=150)}.",
    What.CENSUS_ASKED: lambda f: f":incoming_envelope: The census could be asked again.{_over(f)}",
}


def sentence(what: str, given: Mapping[str, Any], names: Names) -> str:
    """The sentence, as mrkdwn. A word that this version does not know is said as it is."""
    try:
        known = What(what)
    except ValueError:
        return spoken(what)
    return SENTENCES[known](Facts(given, names))
