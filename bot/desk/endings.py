"""What follows when a delivery has ended: the event is delivered and its outcome awaited, or its failure is a case; a
person who asked for it is told in the case's thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlmodel import col

from bot.desk import lanes, outcomes
from bot.desk.clearing import arrived
from bot.desk.intake import Report, report_many
from bot.desk.telling import in_thread
from bot.desk.tx import Tx
from bot.rules.actors import SYSTEM
from bot.rules.saying import What
from bot.rules.texts import clean
from runbooks.policy import Policy
from store.contract_models import Trigger
from store.models import Case, Delivery

FIRST_WORDS = 300
"""So much of an answer is said on a case."""


@dataclass(frozen=True, slots=True)
class Ending:
    """A delivery that came to its end. `case_id` None: it was the first of its event, and nobody asked for it.
    `is_verified`: it had arrived before, and now it was asked whether what is there
    `is_right` (None: that could not be seen)."""

    delivery_id: int
    case_id: int | None
    event_id: int
    workflow: str
    policy: Policy
    content: Mapping[str, Any]
    verb: str
    state: str
    status: int | None
    attempts: int
    because: str
    response: str
    response_digest: str
    is_verified: bool = False
    is_right: bool | None = None

    @property
    def is_done(self) -> bool:
        """Whether the event is where it was to go."""
        return self.state in ("delivered", "already_there")

    def on_record(self) -> dict[str, Any]:
        """How the audit log has it."""
        return {
            "delivery": self.delivery_id,
            "event": self.event_id,
            "verb": self.verb,
            "state": self.state,
            "status": self.status,
            "attempts": self.attempts,
            "because": self.because,
            "response_digest": self.response_digest,
        }


_TRIGGERS = Trigger.__table__  # type: ignore[attr-defined]
_DELIVERIES = Delivery.__table__  # type: ignore[attr-defined]
_DELIVERED = (
    update(_TRIGGERS)
    .where(_TRIGGERS.c.event_id.in_(bindparam("_ids", expanding=True)))
    .values(state="delivered", delivered_at=bindparam("_at"))
)
_FAILED = (
    update(_TRIGGERS)
    .where(_TRIGGERS.c.event_id == bindparam("_event_id"))
    .values(state="failed", case_id=bindparam("_case_id"))
)
_OF_CASE = update(_DELIVERIES).where(_DELIVERIES.c.id == bindparam("_id")).values(case_id=bindparam("_case_id"))
_CAME = (
    select(Trigger).where(col(Trigger.event_id).in_(bindparam("ids", expanding=True))).order_by(col(Trigger.event_id))
)


def well_ended(tx: Tx, endings: Sequence[Ending]) -> None:
    """The events are delivered: on record, and their outcomes are awaited from now on."""
    if not endings:
        return
    connection = tx.session.connection()
    connection.execute(_DELIVERED, {"_ids": [each.event_id for each in endings], "_at": tx.now})
    outcomes.expect(tx, [_landed(each) for each in endings])
    for each in endings:
        if each.case_id is None:
            tx.record("event.delivered", workflow=each.workflow, actor=SYSTEM, **each.on_record())
    arrived(tx, [each.event_id for each in endings])
    lanes.go_on(tx, [each.event_id for each in endings if _is_in_order(each)])


def _landed(each: Ending) -> outcomes.Landed:
    return outcomes.Landed(each.event_id, each.workflow, each.policy, was_there=each.state == "already_there")


def _is_in_order(each: Ending) -> bool:
    deliver = each.policy.workflows[each.workflow].deliver
    return deliver is not None and deliver.order == "subject"


def undelivered_first(tx: Tx, endings: Sequence[Ending]) -> None:
    """Nobody asked for these and they did not arrive: a dead letter is a case, one for each subject."""
    if not endings:
        return
    rows = {row.event_id: row for row in tx.session.execute(_CAME, {"ids": [e.event_id for e in endings]}).scalars()}
    reports = [_failure(each, rows[each.event_id]) for each in endings]
    ids = [int(result.case.removeprefix("C-")) for result in report_many(tx, reports)]
    connection = tx.session.connection()
    pairs = list(zip(endings, ids, strict=True))
    connection.execute(_FAILED, [{"_event_id": each.event_id, "_case_id": case_id} for each, case_id in pairs])
    connection.execute(_OF_CASE, [{"_id": each.delivery_id, "_case_id": case_id} for each, case_id in pairs])
    for each, case_id in pairs:
        tx.record("delivery.ended", case_id=case_id, **each.on_record())


def without_owner(tx: Tx, endings: Sequence[Ending]) -> list[Ending]:
    """Those that did not arrive and that nobody has any more: what took the place of another event was sent when its
    case was closed."""
    failed = {each.event_id: each for each in endings if not each.is_done}
    if not failed:
        return []
    rows = tx.session.execute(_CAME, {"ids": list(failed)}).scalars()
    return [failed[row.event_id] for row in rows if row.state == "delivering"]


def _failure(each: Ending, came: Trigger) -> Report:
    about = f" of {came.subject}" if came.subject else ""
    return Report(
        by=SYSTEM,
        workflow=each.workflow,
        failure_mode="delivery_failed",
        title=f"Not delivered: event E-{each.event_id}{about}",
        detail="\n".join(filter(None, (_tried(each), _answered(each)))),
        subject=came.subject,
        event=each.content,
        event_id=each.event_id,
    )


def _tried(each: Ending) -> str:
    attempts = "1 attempt" if each.attempts == 1 else f"{each.attempts} attempts"
    return f"After {attempts}: {each.because}."


def _answered(each: Ending) -> str:
    """The first words of the answer, as text from outside."""
    words = clean(" ".join(each.response.split()), most=FIRST_WORDS)
    return f"It answered: {words}" if words else ""


def verified(tx: Tx, endings: Sequence[Ending]) -> None:
    """What was delivered was looked at where it went: what is not right there, or could not be looked at, is a case for
    somebody who decides which of the two is right."""
    wrong = [each for each in endings if not each.is_right]
    reports = [_conflict(each) for each in wrong]
    cases = {each.event_id: result.case for each, result in zip(wrong, report_many(tx, reports), strict=True)}
    for each in endings:
        tx.record(
            "event.verified",
            workflow=each.workflow,
            actor=SYSTEM,
            event=each.event_id,
            delivery=each.delivery_id,
            right=each.is_right,
            because=each.because,
            response_digest=each.response_digest,
            case=cases.get(each.event_id),
        )


def _conflict(each: Ending) -> Report:
    found = "what is there is not as it should be" if each.is_right is False else "what is there could not be seen"
    return Report(
        by=SYSTEM,
        workflow=each.workflow,
        failure_mode="conflict",
        title=f"E-{each.event_id} was delivered, and {found}",
        detail="\n".join(filter(None, (f"Verifying it: {each.because}.", _answered(each)))),
        event=each.content,
        event_id=each.event_id,
        dedup_key=f"conflict:{each.event_id}",
    )


def tell_cases(tx: Tx, endings: Sequence[Ending]) -> None:
    """What somebody asked for is told in the thread of its case."""
    for each in endings:
        case = tx.session.get_one(Case, each.case_id)
        tx.record("delivery.ended", case_id=case.id, **each.on_record())
        in_thread(
            tx,
            case,
            What.DELIVERY_DONE if each.is_done else What.DELIVERY_FAILED,
            verb=each.verb,
            status=each.status,
            response=each.response[:500],
            because=each.because,
            already=each.state == "already_there",
            is_open=case.is_open,
        )
        tx.owe_card(case.id, case.channel)
