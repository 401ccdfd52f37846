"""Events that wait for their outcome, and what each outcome does to them: the expectation, the case of a failure, and
the cases that waited for it. However many outcomes there are, each table is read and written once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlmodel import col

from bot.desk.healing import News, tell
from bot.desk.intake import Report, report_many, report_policy_fault
from bot.desk.kept import contents_of
from bot.desk.tx import Tx
from bot.rules.actors import Actor
from bot.rules.instants import at_second
from bot.rules.outcomes import Read, Settled, Then, settle
from bot.rules.saying import What
from bot.rules.texts import clean_line
from store.contract_models import Expected, Trigger

UNRESOLVED = ("missing", "failed")


@dataclass(slots=True)
class Awaited:
    """An event that was delivered and has an outcome to bring, as it changes within this transaction."""

    event_id: int
    workflow: str
    key: str
    state: str
    since_at: datetime
    due_at: datetime | None
    case_id: int | None
    subject: str | None

    @property
    def name(self) -> str:
        """What people call the event."""
        return f"E-{self.event_id} ({self.key})"

    @property
    def about(self) -> str:
        """Whom a case of it is about: its subject, or else the event itself."""
        return self.subject or self.key


@dataclass(slots=True)
class Heard:
    """An outcome of an event that waits for it."""

    awaited: Awaited
    read: Read
    by: Actor
    was: str = ""
    settled: Settled = field(default_factory=lambda: Settled("", "", Then.NOTHING))

    @property
    def has_changed(self) -> bool:
        """Whether it made a difference to what is kept of its event."""
        return self.was != self.settled.state or self.settled.then is Then.REPORT


_AWAITED = (
    select(
        col(Expected.event_id),
        col(Expected.workflow),
        col(Expected.key),
        col(Expected.state),
        col(Expected.since_at),
        col(Expected.due_at),
        col(Expected.case_id),
        col(Trigger.subject),
    )
    .join(Trigger, col(Trigger.event_id) == col(Expected.event_id))
    .where(col(Expected.event_id).in_(bindparam("ids", expanding=True)))
    .order_by(col(Expected.event_id))
    .with_for_update(of=Expected)
)


def awaited(tx: Tx, event_ids: Iterable[int]) -> dict[int, Awaited]:
    """The expectations of these events that there are, locked in the order of their ids."""
    return {row[0]: Awaited(*row) for row in tx.session.execute(_AWAITED, {"ids": list(event_ids)})}


def settle_all(tx: Tx, heard: Sequence[Heard]) -> None:
    """Does what each outcome, in this order, means for its event, and leaves in `settled` what that was."""
    for each in heard:
        waits = each.awaited
        is_late = waits.state == "waiting" and waits.due_at is not None and waits.due_at < tx.now
        each.was = waits.state
        each.settled = settle(waits.state, each.read.meaning, is_late=is_late)
        waits.state = each.settled.state
    news = [*_report_failures(tx, heard), *_news(heard)]
    write(tx, {each.awaited.event_id: each.awaited for each in heard if each.has_changed}.values())
    _tell(tx, news)
    for each in heard:
        if each.read.fault:
            report_policy_fault(tx, each.awaited.workflow, each.read.fault)


def _report_failures(tx: Tx, heard: Sequence[Heard]) -> list[News]:
    """Opens or joins the cases of what failed; what the cases have to hear that waited for an outcome."""
    failed = [each for each in heard if each.settled.then is Then.REPORT]
    contents = contents_of(tx.session, [each.awaited.event_id for each in failed])
    reported = report_many(tx, [_failure(each, contents[each.awaited.event_id]) for each in failed])
    news = []
    for each, result in zip(failed, reported, strict=True):
        before, case_id = each.awaited.case_id, int(result.case.removeprefix("C-"))
        if before is not None and before != case_id:
            facts = {"whose": each.awaited.key, "status": "failed", "late": each.was == "missing"}
            news.append(News(before, What.OUTCOME_CAME, is_over=True, facts=facts | {"failed_in": result.case}))
        each.awaited.case_id = case_id
    return news


def _failure(each: Heard, content: Mapping[str, Any]) -> Report:
    waits = each.awaited
    facts = ", ".join(f"{path} = {value}" for path, value in each.read.facts.items())
    said = {
        "": f"{waits.name} was delivered {at_second(waits.since_at)}, and its outcome says that it failed.",
        "because": f"The contract's words: {each.read.because}",
        "facts": f"What it says: {facts}" if facts else "",
        "before": "An outcome that came before said that it is done." if each.was in ("done", "late") else "",
    }
    return Report(
        by=each.by,
        workflow=waits.workflow,
        failure_mode="outcome_failed",
        title=clean_line(f"The outcome of {waits.about} is a failure"),
        detail="\n".join(filter(None, said.values())),
        subject=waits.about,
        event=content,
        event_id=waits.event_id,
    )


def missing(waits: Awaited, content: Mapping[str, Any], by: Actor) -> Report:
    """No outcome came within the window."""
    due = f" Its outcome was to come by {at_second(waits.due_at)}." if waits.due_at else ""
    return Report(
        by=by,
        workflow=waits.workflow,
        failure_mode="outcome_missing",
        title=clean_line(f"No outcome came for {waits.about}"),
        detail=f"{waits.name} was delivered {at_second(waits.since_at)}.{due} None has come.",
        subject=waits.about,
        event=content,
        event_id=waits.event_id,
    )


def _news(heard: Sequence[Heard]) -> list[News]:
    news = []
    for each in heard:
        case_id, then = each.awaited.case_id, each.settled.then
        if case_id is None or then not in (Then.CLOSE, Then.TELL):
            continue
        facts: dict[str, Any] = {"whose": each.awaited.key, "status": each.settled.status}
        if each.was == "failed":
            news.append(News(case_id, What.OUTCOME_CONTRADICTS, facts=facts))
        else:
            facts["late"] = each.was == "missing"
            news.append(News(case_id, What.OUTCOME_CAME, is_over=then is Then.CLOSE, facts=facts))
    return news


def _tell(tx: Tx, news: Sequence[News]) -> None:
    """A case that is about several events is over with the last of them."""
    about = {each.case_id for each in news if each.is_over}
    left: dict[int, int] = {}
    if about:
        still = select(col(Expected.case_id), func.count()).where(
            col(Expected.case_id).in_(about), col(Expected.state).in_(UNRESOLVED)
        )
        left = {case_id: count for case_id, count in tx.session.execute(still.group_by(col(Expected.case_id)))}
    last = {each.case_id: at for at, each in enumerate(news) if each.is_over}
    tell(
        tx,
        [
            News(each.case_id, each.what, last.get(each.case_id) == at and not left.get(each.case_id), each.facts)
            for at, each in enumerate(news)
        ],
    )


_TABLE = Expected.__table__  # type: ignore[attr-defined]
_WRITTEN = (
    update(_TABLE)
    .where(_TABLE.c.event_id == bindparam("of"))
    .values(
        state=bindparam("to_state"),
        due_at=bindparam("to_due"),
        case_id=bindparam("to_case"),
        settled_at=bindparam("to_settled"),
        lease_until=None,
    )
)


def write(tx: Tx, changed: Iterable[Awaited]) -> None:
    """Writes expectations as they are now. What does not wait any longer is never due."""
    rows = [
        {
            "of": each.event_id,
            "to_state": each.state,
            "to_due": each.due_at if each.state == "waiting" else None,
            "to_case": each.case_id,
            "to_settled": None if each.state in ("waiting", "missing") else tx.now,
        }
        for each in changed
    ]
    if rows:
        tx.session.connection().execute(_WRITTEN, rows)
