"""What is owed to the outside: claimed by lease, sent after the commit, at least once, in order for each case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import and_, bindparam, case, exists, func, or_, select, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from bot.desk import outages, pace, storms
from bot.desk.announcing import placed
from bot.desk.intake import Report, report_one
from bot.desk.pages import owe_page_updates, page_updated
from bot.desk.people import reach
from bot.desk.telling import in_thread, page
from bot.desk.tx import Tx
from bot.rules.actors import SYSTEM
from bot.rules.fallback import next_try
from bot.rules.pacing import Kind, buckets
from bot.rules.saying import What
from store.columns import Instant
from store.models import Case, Owed

CLAIM_LEASE = timedelta(seconds=30)
"""Longer than a sender may take."""
COLUMNS = ("id", "kind", "key", "case_id", "channel", "payload", "attempts", "maybe_sent", "state", "created_at")
EDITS = ("page_update", "question_update", "storm_update")
EDITED = ("page", "question")
"""What is edited where it stands when it is no longer true."""
_EDITS_OF_THESE = tuple(f"{kind}_update" for kind in EDITED)
WINDOW = 100
"""So many messages are looked at in one claim."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message to send now. `maybe_sent`: an earlier try may have arrived; look before posting again.
    `key` is stable over all tries."""

    id: int
    kind: str
    key: str
    case_id: int | None
    channel: str
    payload: Mapping[str, Any]
    attempts: int
    maybe_sent: bool
    created_at: datetime
    trace: str | None = None
    lease_until: datetime | None = None
    """From then on another process may have taken it over."""


class Undelivered(Exception):
    """The message did not leave. Decided where the answer is read: `permanent` is never tried again; otherwise it
    is, not before `retry_after` if the other side named one; `unknown` says that it may have arrived all the same;
    `scope` is what a `retry_after` holds back: this message, its `channel`, or its `kind` everywhere. `is_away`:
    nothing else would have left either."""

    def __init__(
        self,
        because: str,
        *,
        permanent: bool = False,
        retry_after: timedelta | None = None,
        unknown: bool = False,
        scope: str = "message",
        is_away: bool = False,
    ) -> None:
        super().__init__(because)
        self.because = because
        self.permanent = permanent
        self.retry_after = retry_after
        self.unknown = unknown
        self.scope = scope
        self.is_away = is_away


@dataclass(frozen=True, slots=True)
class ClaimOwed:
    """What may be claimed: messages of these kinds. `among`: only those of these ids, which `find_owed` found."""

    kinds: tuple[str, ...]
    among: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A claimed message left; `result` is what the other side said (channel and ts of a Slack message)."""

    message: Claimed
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NotSent:
    """A claimed message did not leave, or nobody knows. `holds`: until then, nothing else that takes from this bucket
    leaves either."""

    message: Claimed
    because: str
    permanent: bool
    unknown: bool
    again_at: datetime
    is_away: bool = False
    holds: str | None = None


def find_owed(session: Session, now: datetime, command: ClaimOwed) -> tuple[int, ...]:
    """The ids of what a claim would look at. With many messages waiting for their channels this takes a while, so it
    is asked beside the writers."""
    return tuple(row.id for row in _candidates(session, now, command, pace.empty(session, now)))


def claim_owed(tx: Tx, command: ClaimOwed) -> list[Claimed]:
    """Takes messages that are due for one lease, pages first and edits of pages last. One at a time for each case and
    channel, in their order, as far as Slack's limits have room; a message whose sender did not come back within its
    lease is taken over as perhaps sent."""
    candidates = _candidates(tx.session, tx.now, command, None)
    may = pace.take(tx, [_buckets(row) for row in candidates])
    chosen = [row for row, may_leave in zip(candidates, may, strict=True) if may_leave]
    if chosen:
        ids = [row.id for row in chosen]
        taken = (
            update(Owed)
            .where(col(Owed.id).in_(ids))
            .values(state="sending", attempts=col(Owed.attempts) + 1, lease_until=tx.now + CLAIM_LEASE)
        )
        tx.session.execute(taken.execution_options(synchronize_session=False))
    return [_claimed(row, tx.now + CLAIM_LEASE) for row in chosen]


def _buckets(row: Any) -> tuple[str, ...]:
    return buckets(_cost(row.kind, is_new=row.card_ts is None), row.channel)


def _cost(kind: str, *, is_new: bool) -> Kind:
    if kind == "page":
        return Kind.PAGE
    if kind == "card":
        return Kind.NEW_CARD if is_new else Kind.UPDATE
    return Kind.UPDATE if kind in EDITS else Kind.POST


def _claimed(row: Any, lease_until: datetime) -> Claimed:
    return Claimed(
        row.id,
        row.kind,
        row.key,
        row.case_id,
        row.channel,
        row.payload,
        row.attempts + 1,
        row.maybe_sent or row.state == "sending",
        row.created_at,
        row.trace,
        lease_until,
    )


def _candidates(session: Session, now: datetime, command: ClaimOwed, empty: pace.Empty | None) -> Sequence[Any]:
    """What is due, in its order: but for what the `empty` buckets keep, or else locked."""
    held = (empty and empty.channels) or None
    given = {"now": now, "kinds": command.kinds, "held": held, "among": command.among}
    updates_held = empty is not None and empty.has_updates
    if empty and (full := empty.channels_of_cards):
        given["full"] = full
    wanted = _wanted(held is not None, updates_held, command.among is not None, empty is None, "full" in given)
    return session.execute(wanted, {name: value for name, value in given.items() if value is not None}).all()


@cache
def _wanted(has_held: bool, updates_held: bool, is_among: bool, lock: bool, has_full: bool) -> Any:
    """The query, made once: it is asked after every commit."""
    outbox: Any = aliased(Owed)
    earlier: Any = aliased(Owed)
    cases: Any = aliased(Case)
    now = bindparam("now", type_=Instant)
    is_due = or_(
        and_(outbox.state == "owed", outbox.not_before_at <= now),
        and_(outbox.state == "sending", outbox.lease_until <= now),
    )
    is_update = or_(outbox.kind.in_(EDITS), and_(outbox.kind == "card", cases.card_ts.is_not(None)))
    is_new = and_(outbox.kind == "card", cases.card_ts.is_(None))
    # the first card of a case makes the thread that its lines wait for
    is_root = and_(is_new, cases.thread_ts.is_(None))
    in_front = exists().where(
        earlier.case_id == outbox.case_id,
        earlier.channel == outbox.channel,
        earlier.id < outbox.id,
        earlier.state.in_(_waiting()),
        or_(and_(earlier.kind != "card", ~is_root), and_(earlier.kind == "card", cases.card_ts.is_(None))),
    )
    wanted = (
        select(*(getattr(outbox, name) for name in COLUMNS), cases.card_ts, cases.trace)
        .outerjoin(cases, cases.id == outbox.case_id)
        .where(outbox.state.in_(_waiting()), is_due, outbox.kind.in_(_several("kinds")), ~in_front)
        .order_by(_rank(outbox), case((is_new, _urgency(cases)), else_=0), outbox.id)
        .limit(WINDOW)
    )
    if has_held:
        wanted = wanted.where(or_(outbox.channel.not_in(_several("held")), is_update))
    if has_full:
        wanted = wanted.where(or_(outbox.channel.not_in(_several("full")), ~is_new))
    if updates_held:
        wanted = wanted.where(~is_update)
    if is_among:
        wanted = wanted.where(outbox.id.in_(_several("among")))
    return wanted.with_for_update(skip_locked=True, of=outbox) if lock else wanted


def _rank(outbox: Any) -> Any:
    return case((outbox.kind == "page", 0), (outbox.kind == "storm", 1), (outbox.kind.in_(EDITS), 3), else_=2)


def _urgency(cases: Any) -> Any:
    """The order of new cards: what somebody has taken, then by priority, and what is over last."""
    by_priority = ((cases.priority == priority, rank) for rank, priority in enumerate(("P1", "P2", "P3"), start=2))
    return case((cases.closed_at.is_not(None), 9), (cases.acknowledged_at.is_not(None), 1), *by_priority, else_=5)


def _several(name: str) -> Any:
    return bindparam(name, expanding=True)


def _waiting() -> Any:
    """The states of what has not left, written into the SQL: SQLite uses an index of some rows only where the words
    of its condition stand in the query."""
    return bindparam(None, ("owed", "sending"), expanding=True, literal_execute=True)


def sent(tx: Tx, command: Sent) -> datetime | None:
    """The message left. A card's place is kept on its case, so that it is edited from then on; a page is on record. If
    the case changed while a page of it or a question was sent or edited, that is owed an edit. Where another process
    took the message over, nothing of this counts; a card that may have been drawn over with an older one is drawn once
    more. Since when Slack was away, if it is back by this."""
    message, way = command.message, command.result.get("fallback")
    mine = update(Owed).where(
        col(Owed.id) == message.id, col(Owed.state) == "sending", col(Owed.attempts) == message.attempts
    )
    values = {"state": "sent", "sent_at": tx.now, "result": dict(command.result), "lease_until": None}
    back = None if way else outages.over(tx, outages.SLACK)
    if not tx.session.execute(mine.values(**values)).rowcount:  # type: ignore[attr-defined]
        if message.kind == "card" and message.case_id is not None:
            tx.owe_card(message.case_id, message.channel)
        return back
    is_placed = message.kind == "card" and _keep_place(tx, message, command.result)
    if message.kind == "proposal":
        placed(tx, message.payload, command.result)
    if message.kind == "storm":
        storms.placed(tx, message.payload, command.result)
    if message.kind == "page":
        _page_sent(tx, message, way)
    if message.kind in _EDITS_OF_THESE:
        page_updated(tx, message.payload, command.result)
    if is_placed or message.kind in (*EDITED, *_EDITS_OF_THESE):
        its_case = select(Case).where(col(Case.id) == message.case_id).with_for_update()
        found = tx.session.execute(its_case.execution_options(populate_existing=True)).scalars()
        owe_page_updates(tx, found)
    return back


def _page_sent(tx: Tx, message: Claimed, way: str | None) -> None:
    """Somebody was told; of another way than Slack there is a line in the thread."""
    facts: dict[str, Any] = {"way": way} if way else {}
    person, what = message.channel, message.payload.get("what")
    tx.record("page.sent", case_id=message.case_id, person=person, what=what, **facts)
    if way and message.case_id:
        case = tx.session.get_one(Case, message.case_id)
        in_thread(tx, case, What.TOLD_OTHERWISE, people=[person], way=way)


def _keep_place(tx: Tx, message: Claimed, result: Mapping[str, Any]) -> bool:
    """Whether the card has a place that it did not have before."""
    if not result.get("ts"):
        return False
    place = update(Case).where(col(Case.id) == message.case_id, col(Case.card_ts).is_distinct_from(result["ts"]))
    thread = func.coalesce(col(Case.thread_ts), result["ts"])
    values = {"channel": result["channel"], "card_ts": result["ts"], "thread_ts": thread}
    moved = tx.session.execute(place.values(**values).execution_options(synchronize_session=False))
    return bool(moved.rowcount)  # type: ignore[attr-defined]


def not_sent(tx: Tx, command: NotSent) -> bool:
    """The message is owed again at `again_at` (a page that has another way than Slack: sooner), or given up for good:
    then it is a dead letter, which is a case. Whether Slack is away from now on."""
    message, again_at = command.message, command.again_at
    away_since = outages.begin(tx, outages.SLACK, command.because) if command.is_away else None
    if away_since and message.kind == "page" and tx.policy.team.defaults.fallback:
        again_at = next_try(again_at, away_since=away_since, now=tx.now)
    mine = [col(Owed.id) == message.id, col(Owed.state) == "sending", col(Owed.attempts) == message.attempts]
    if not command.permanent:
        _stand_for_both(tx, message)
    values = {
        "state": "dead" if command.permanent else "owed",
        "not_before_at": again_at,
        "lease_until": None,
        "maybe_sent": message.maybe_sent or command.unknown,
        "result": {"because": command.because},
    }
    changed = tx.session.execute(update(Owed).where(*mine).values(**values)).rowcount  # type: ignore[attr-defined]
    if command.holds:
        pace.hold(tx, command.holds, command.again_at)
    if changed and command.permanent:
        _dead_letter(tx, message, command.because)
    return away_since == tx.now


def _stand_for_both(tx: Tx, message: Claimed) -> None:
    """Where the same was owed once more while this one was on its way, this one stays: it has its place in front of
    what is to follow it, and knows whether it may have left."""
    claimed: Any = aliased(Owed)
    is_mine = exists().where(claimed.id == message.id, claimed.state == "sending", claimed.attempts == message.attempts)
    anew = update(Owed).where(col(Owed.key) == message.key, col(Owed.state) == "owed", is_mine)
    tx.session.execute(anew.values(state="cancelled").execution_options(synchronize_session=False))


def _dead_letter(tx: Tx, message: Claimed, because: str) -> None:
    """One open case for what cannot be delivered to one place for one reason; its people are told directly, since
    the channel may be what is broken. What fails about such a case is only put on its record."""
    about = tx.session.get(Case, message.case_id) if message.case_id else None
    tx.record("dead_letter", case_id=message.case_id, kind=message.kind, channel=message.channel, because=because)
    if (name := _DESKS_OWN.get(message.kind)) is not None:
        _report_dead(tx, message, name, because)
    if about is None or about.failure_mode == "dead_letter":
        return
    case_id, is_new = report_one(
        tx,
        Report(
            by=SYSTEM,
            workflow=about.workflow,
            failure_mode="dead_letter",
            subject=message.channel,
            title=f"Slack does not take messages to {message.channel}: {because}",
            detail=f"First seen with a {message.kind} about {about.ref}.",
            dedup_key=f"dead_letter:{message.channel}:{because}",
        ),
    )
    if is_new and message.kind != "page":
        dead = tx.session.get_one(Case, case_id)
        page(tx, dead, reach(tx, dead.owner), What.DEAD_LETTER, kind=message.kind, because=because)


_DESKS_OWN = {
    "proposal": "the card of a policy change",
    "proposal_notice": "the card of a policy change",
    "checkpoint": "a checkpoint of the audit log",
}
"""Messages about no case: a change of the policy that nobody can see would wait for ever."""


def _report_dead(tx: Tx, message: Claimed, name: str, because: str) -> None:
    report_one(
        tx,
        Report(
            by=SYSTEM,
            workflow="policy",
            failure_mode="dead_letter",
            subject=message.channel,
            title=f"Slack does not take {name} to {message.channel}: {because}",
            dedup_key=f"dead_letter:{message.channel}:{because}",
        ),
    )


def next_due(session: Session, *, kinds: tuple[str, ...]) -> datetime | None:
    """When the next message may be sent or taken over; None: nothing is owed. A channel's pace is not in it."""
    waiting = col(Owed.state).in_(_waiting()), col(Owed.kind).in_(kinds)
    owed = select(func.min(col(Owed.not_before_at))).where(*waiting, col(Owed.state) == "owed")
    left = select(func.min(col(Owed.lease_until))).where(*waiting, col(Owed.state) == "sending")
    times = [session.execute(each).scalar() for each in (owed, left)]
    return min((at for at in times if at is not None), default=None)
