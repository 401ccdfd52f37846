"""Cases that people open: a thread becomes one in place, or one is opened by hand; and what is said in a thread that
is a case's is kept with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import or_, select
from sqlmodel import col

from bot.desk.acting import answer, answered, check_may_open, get_ongoing, renew_if_working
from bot.desk.commands import HeardReply, OpenByHand, OpenThread, Outcome, Reply
from bot.desk.intake import report_policy_fault
from bot.desk.kept import digest_of
from bot.desk.ongoing import save
from bot.desk.opening import Opening, open_cases
from bot.desk.people import reach
from bot.desk.telling import channel_line, in_thread, page
from bot.desk.tx import Tx
from bot.rules.fingerprint import fingerprint
from bot.rules.refusals import Refused
from bot.rules.routing import Routing, route
from bot.rules.saying import What
from bot.rules.texts import LONGEST_TITLE, clean, clean_line
from store.ids import new_key
from store.models import PRIORITIES, Case, Note
from store.writing import add_new, change


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the card goes, if not to the owner's channel."""

    channel: str
    thread_ts: str


def open_thread(tx: Tx, command: OpenThread) -> Outcome:
    """The thread is a case: its card is owed there, a notice to the owner's queue, and what was said so far is its
    timeline. A thread that has a case (open, or closed and to be reopened) gives that one, `existed`."""
    if before := answered(tx, command):
        return before
    check_may_open(tx)
    known = case_of_thread(tx, command.channel, command.thread_ts)
    if known:
        return answer(tx, command.request_key, replace(_opened(tx, known, What.OPENED_FROM_THREAD), existed=True))
    workflow = command.workflow or _workflow_of(tx, command.channel)
    case = _open(tx, command, workflow, _Place(command.channel, command.thread_ts))
    _keep_replies(tx, case, command.replies)
    outcome = _opened(tx, case, What.OPENED_FROM_THREAD)
    reached = reach(tx, case.owner)
    if reached.channel != case.channel:
        change(tx.session, case, notice_channel=reached.channel)
        channel_line(tx, case, reached.channel, What.OPENED_FROM_THREAD, **outcome.facts)
    cut: dict[str, Any] = {"kept": len(command.replies)} if command.is_cut else {}
    in_thread(tx, case, What.OPENED_FROM_THREAD, **outcome.facts, **cut)
    return answer(tx, command.request_key, outcome)


def open_by_hand(tx: Tx, command: OpenByHand) -> Outcome:
    """A case of its own; its card is owed to its owner's channel."""
    if before := answered(tx, command):
        return before
    check_may_open(tx)
    case = _open(tx, command, command.workflow or tx.policy.team.defaults.thread_workflow, None)
    return answer(tx, command.request_key, _opened(tx, case, What.OPENED_BY_HAND))


def heard_reply(tx: Tx, command: HeardReply) -> Outcome:
    """Keeps the message if a case has the thread, whoever wrote it: it was said there. The author's own work on the
    case renews the lease. Without a case nothing is kept, and `case_id` is 0."""
    if before := answered(tx, command):
        return before
    known = case_of_thread(tx, command.channel, command.thread_ts)
    text = clean(command.text)
    if known is None or not text:
        return Outcome(0, "", What.NOTED)
    going = get_ongoing(tx, known.id)
    _keep_replies(tx, going.case, [Reply(command.author, text, command.message_ts, tx.now)])
    renew_if_working(tx, going)
    save(tx, [going])
    facts = {"by": command.author, "text": text}
    outcome = Outcome(known.id, known.ref, What.NOTED, facts, existed=True)
    answer(tx, command.request_key, replace(outcome, facts={"by": command.author}))
    return outcome


def case_of_thread(tx: Tx, channel: str, thread_ts: str) -> Case | None:
    """The case that has a thread: the open one, or else the last; also by the card that is the thread's root."""
    is_its = or_(col(Case.thread_ts) == thread_ts, col(Case.card_ts) == thread_ts)
    newest = select(Case).where(col(Case.channel) == channel, is_its)
    ordered = newest.order_by(col(Case.closed_at).is_not(None), col(Case.id).desc())
    return tx.session.execute(ordered.limit(1)).scalars().first()


def _workflow_of(tx: Tx, channel: str) -> str:
    named = (name for name, contract in tx.policy.workflows.items() if channel in contract.threads)
    return next(named, None) or tx.policy.team.defaults.thread_workflow


def _open(tx: Tx, command: OpenThread | OpenByHand, workflow: str, place: _Place | None) -> Case:
    title, detail = clean_line(command.title), clean(command.detail)
    _check(tx, command, title)
    mode = command.failure_mode or "other"
    routing = _route(tx, workflow, mode, title, command.priority)
    thread = f"{place.channel}:{place.thread_ts}" if place else None
    opening = Opening(
        workflow=workflow,
        failure_mode=mode,
        title=title,
        routing=routing,
        fingerprint=fingerprint(workflow, mode, title=title, subject=thread),
        match_key=f"thread:{thread}" if thread else new_key("hand"),
        by=tx.actor,
        detail=detail,
        channel=place.channel if place else None,
        thread_ts=place.thread_ts if place else None,
    )
    case_id = open_cases(tx, [opening])[0]
    case = tx.session.get_one(Case, case_id)
    if routing.policy_fault:
        report_policy_fault(tx, workflow, routing.policy_fault, found_by=case_id)
    if case.route == "on_call":
        page(tx, case, reach(tx, case.owner), What.OPENED_ON_CALL)
    return case


def _check(tx: Tx, command: OpenThread | OpenByHand, title: str) -> None:
    if not title:
        raise Refused("title_needed", f"Give the case a title, up to {LONGEST_TITLE} characters.")
    if command.workflow and command.workflow not in tx.policy.workflows:
        known = ", ".join(tx.policy.workflows)
        raise Refused("no_such_workflow", f"There is no workflow {command.workflow!r}; there are: {known}.")
    if command.priority and command.priority not in PRIORITIES:
        raise Refused("no_such_priority", f"A priority is one of {', '.join(PRIORITIES)}.")


def _route(tx: Tx, workflow: str, mode: str, title: str, priority: str | None) -> Routing:
    case = {
        "title": title,
        "subject": None,
        "priority": priority,
        "state": "queued",
        "workflow": workflow,
        "failure_mode": mode,
        "opened_at": tx.now,
    }
    names: dict[str, Any] = {"event": {}, "case": case, "now": tx.now}
    return route(tx.policy, workflow=workflow, failure_mode=mode, names=names, asked_priority=priority)


def _keep_replies(tx: Tx, case: Case, replies: Sequence[Reply]) -> None:
    """Keeps what is not kept yet: a message may be read with its thread and be heard by itself too."""
    kept = set(tx.session.execute(select(col(Note.message_ts)).where(col(Note.case_id) == case.id)).scalars())
    rows = []
    for reply in replies:
        if reply.message_ts in kept:
            continue
        text = clean(reply.text)
        row = {"case_id": case.id, "at": reply.at, "author": reply.author, "text": text}
        rows.append(row | {"message_ts": reply.message_ts})
        tx.record(
            "case.heard",
            case_id=case.id,
            author=reply.author,
            text_digest=digest_of(tx, text),
            message_ts=reply.message_ts,
        )
    if rows:
        add_new(tx.session, Note, rows, unique=["case_id", "message_ts"])


def _opened(tx: Tx, case: Case, what: What) -> Outcome:
    facts = {"by": tx.actor.id, "title": case.title, "owner": case.owner, "channel": case.channel}
    return Outcome(case.id, case.ref, what, facts | {"thread_ts": case.thread_ts, "state": case.state})
