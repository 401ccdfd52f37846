"""`on_open` and `on_close`: the runbooks that a contract wants carried out when a case of it opens or closes, for
example to write back to the ticket. What one of them cannot do is a line in its case's thread, and no case of its
own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, select, update

from bot.desk.runs.owing import owe, owed
from bot.desk.tx import Tx
from store.columns import Instant
from store.models import Case
from store.run_models import Run

_RUNS = Run.__table__  # type: ignore[attr-defined]
_FIXING = (
    update(_RUNS)
    .where(_RUNS.c.case_id.in_(bindparam("_ids", expanding=True)), _RUNS.c.cause == "auto_fix")
    .where(_RUNS.c.ended_at.is_(None))
)
_LOOKS_AGAIN = _FIXING.where(_RUNS.c.lease_until.is_(None)).values(due_at=bindparam("_now", type_=Instant))
_ASKS_IN_VAIN = (
    update(_RUNS)
    .where(_RUNS.c.case_id.in_(bindparam("_ids", expanding=True)), _RUNS.c.state.in_(("approving", "proposed")))
    .where(_RUNS.c.cause != "on_close")
    .values(due_at=bindparam("_now", type_=Instant))
)
_OVERTAKEN = _FIXING.values(overtaken_by=bindparam("_by"))
_REPAIRS = (
    select(_RUNS.c.id)
    .where(_RUNS.c.case_id == bindparam("_id"), _RUNS.c.cause == "pressed", _RUNS.c.started_at.is_not(None))
    .where(_RUNS.c.state.in_(("running", "done")))
    .order_by(_RUNS.c.id.desc())
    .limit(1)
)
_REPAIRED = update(_RUNS).where(_RUNS.c.id == bindparam("_run"))
_IS_REPAIRED = _REPAIRED.values(overtaken_by=bindparam("_by"))
_LOOKED_AT = _REPAIRED.where(_RUNS.c.lease_until.is_(None)).values(due_at=bindparam("_now", type_=Instant))


def at_opening(tx: Tx, workflow: str, case_id: int, event_id: int | None) -> list[dict[str, Any]]:
    """The runs to owe for a case that opens now."""
    contract = tx.policy.workflows.get(workflow)
    names = contract.on_open if contract else ()
    if not names:
        return []
    about: dict[str, Any] = {"case_id": case_id, "event_id": event_id}
    return [owed(tx, tx.policy, name, cause="on_open", workflow=workflow, **about) for name in names]


def closed(tx: Tx, cases: Iterable[Case]) -> None:
    """These cases are closed: what their contracts want at closing is owed, and what tried to fix them stops, and
    so does what waits for a yes."""
    rows: list[dict[str, Any]] = []
    ids = []
    for case in cases:
        ids.append(case.id)
        policy = tx.policy_of(case)
        contract = policy.workflows.get(case.workflow)
        names = contract.on_close if contract and not case.is_drill and case.follows_id is None else ()
        about: dict[str, Any] = {"case_id": case.id, "event_id": case.event_id}
        rows += [owed(tx, policy, name, cause="on_close", workflow=case.workflow, **about) for name in names]
    owe(tx, rows)
    if ids:
        tx.session.connection().execute(_LOOKS_AGAIN, {"_ids": ids, "_now": tx.now})
        tx.session.connection().execute(_ASKS_IN_VAIN, {"_ids": ids, "_now": tx.now})


def overtake(tx: Tx, case: Case, by: str) -> None:
    """What the case is about is over before its auto-fix was: that ends as if it had done it. A request of it that is
    under way is waited for."""
    connection = tx.session.connection()
    connection.execute(_OVERTAKEN, {"_ids": [case.id], "_by": by})
    connection.execute(_LOOKS_AGAIN, {"_ids": [case.id], "_now": tx.now})


def repaired(tx: Tx, case: Case, by: str) -> bool:
    """What the case is about is over after somebody had a runbook carried out: its end, or if that was before a further
    look at it, closes the case. Whether there is such a run."""
    connection = tx.session.connection()
    run_id = connection.execute(_REPAIRS, {"_id": case.id}).scalar()
    if run_id is None:
        return False
    connection.execute(_IS_REPAIRED, {"_run": run_id, "_by": by})
    connection.execute(_LOOKED_AT, {"_run": run_id, "_now": tx.now})
    return True
