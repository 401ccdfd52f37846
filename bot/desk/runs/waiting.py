"""What a step may wait for from outside: the outcome of its event, or another event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from bot.desk.kept import removed_from
from bot.desk.runs.rows import Going, names_of
from bot.desk.tx import Tx
from bot.rules.redaction import restored
from runbooks.templates import Expression, ExpressionFault, Missing
from store.contract_models import Expected, OutcomeCame, Trigger
from store.models import Event

LOOKED_AT_ONCE = 250
OVERLAP = 50
"""Numbers are given before they are committed: so many are looked at again, should an earlier one have come later."""
Found = tuple[bool, str, Mapping[str, Any] | None] | None


def outcome_came(tx: Tx, going: Going) -> Found:
    """Whether the outcome of the run's event is done: the event that it sent last, or else the one that it is
    about."""
    event_id = _sent_last(going) or going.event_id
    if event_id is None:
        return False, "there is no event whose outcome could come", None
    expected = tx.session.get(Expected, event_id, populate_existing=True)
    if expected is not None and expected.state in ("done", "late"):
        return True, "its outcome is done", {"state": expected.state}
    key = expected.key if expected else _identity(tx, going, event_id)
    came = select(OutcomeCame).where(
        col(OutcomeCame.workflow) == going.run.workflow,
        col(OutcomeCame.key) == key,
        col(OutcomeCame.received_at) >= going.run.asked_at,
        col(OutcomeCame.meaning).in_(("done", "failed")),
        col(OutcomeCame.state) != "superseded",
    )
    last = tx.session.execute(came.order_by(col(OutcomeCame.id).desc()).limit(1)).scalar_one_or_none()
    if last is None:
        return None
    return last.meaning == "done", f"its outcome is {last.meaning}", {"state": last.meaning, "body": last.content}


def _sent_last(going: Going) -> int | None:
    sent = [row for row in going.steps.values() if (row.response or {}).get("event")]
    last = max(sent, key=lambda row: row.position, default=None)
    return int(str((last.response or {})["event"]).removeprefix("E-")) if last else None


def _identity(tx: Tx, going: Going, event_id: int) -> str:
    """What the event is known by: as it came in, or as its contract says of one that was only reported."""
    known = tx.session.execute(select(col(Trigger.identity)).where(col(Trigger.event_id) == event_id)).scalar()
    contract = going.policy.workflows.get(going.run.workflow)
    if known or contract is None or contract.trigger is None:
        return known or ""
    try:
        return contract.trigger.id.render_text(names_of(tx, going, shown=False))
    except (Missing, ExpressionFault):
        return ""


def event_came(tx: Tx, going: Going, position: int, condition: Expression) -> Found:
    """Whether an event of the workflow came since the step began for which the condition holds. The step keeps how
    far it has looked."""
    row = going.steps[position]
    wanted = (
        select(Event)
        .join(Trigger, col(Trigger.event_id) == col(Event.id))
        .where(col(Trigger.workflow) == going.run.workflow, col(Trigger.received_at) >= row.started_at)
        .where(col(Trigger.state) != "quarantined", col(Event.id) > (row.link_id or 0) - OVERLAP)
        .order_by(col(Event.id))
        .limit(LOOKED_AT_ONCE)
    )
    events = list(tx.session.execute(wanted).scalars())
    names = names_of(tx, going, shown=False)
    for event, removed in zip(events, removed_from(tx.session, events), strict=True):
        going.touch(position, link_id=event.id)
        if removed is not None and condition.decide({**names, "event": restored(event.content, removed)}).met:
            return True, f"E-{event.id} came", {"event_id": event.id, "body": event.content}
    return None
