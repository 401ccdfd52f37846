"""What was sent stays true: a direct message is edited when what it shows of its case has changed, and a line of a
thread that asks something when that is decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlmodel import col

from bot.desk.asked import asked as asked_in_thread
from bot.desk.runs.asked import Asked, asked
from bot.desk.tx import Tx
from store.models import Case, Owed

SHOWN = ("state", "priority", "owner", "assignee", "acknowledged_by", "card_ts")
"""What of a case a direct message shows that may change; the due times change with these. A reminder, another
occurrence or a renewed lease is no reason to edit."""


def shown(case: Case, still_asks: bool | None = None) -> list[Any]:
    """What a direct message that is drawn of this row shows. `still_asks`: whether what it asks waits for an answer
    (None: it asks nothing)."""
    own = [getattr(case, name) for name in SHOWN]
    return own if still_asks is None else [*own, still_asks]


def owe_page_updates(tx: Tx, cases: Iterable[Case]) -> None:
    """Each direct message about these cases that shows them as they no longer are, and each message that asks what is
    decided, is owed an edit, however often it is asked for one. The cases are locked by this transaction: one that
    marks a message as sent waits, and looks then."""
    now = {case.id: case for case in cases}
    if not now:
        return
    rows = tx.session.execute(_pages(), {"cases": list(now)})
    for page_id, kind, case_id, reader, payload, result in rows:
        if result and result.get("ts") and result.get("shown") != _as_it_is(tx, kind, now[case_id], payload):
            place = {"page": page_id, "ts": result["ts"], "reader": reader}
            tx.owe(
                f"{kind}_update",
                f"{kind}_update:{page_id}",
                channel=result["channel"],
                case_id=case_id,
                payload={**payload, **place},
            )


def shown_in_thread(asks: Asked | None) -> list[Any]:
    """What a line that asks something shows that may change: whether it waits for an answer."""
    return [asks is None or asks.is_open]


def _as_it_is(tx: Tx, kind: str, case: Case, payload: Mapping[str, Any]) -> list[Any]:
    if kind == "question":
        return shown_in_thread(asked_in_thread(tx.session, payload))
    asks = asked(tx.session, payload)
    return shown(case, asks.is_open if asks else None)


def page_updated(tx: Tx, payload: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    """The message shows now what `result` says. One that is gone has no `ts` and is edited no more."""
    page = update(Owed).where(col(Owed.id) == payload["page"])
    tx.session.execute(page.values(result=dict(result)).execution_options(synchronize_session=False))


@cache
def _pages() -> Any:
    """The query, made once: it is asked with every change of a case."""
    table = Owed.__table__  # type: ignore[attr-defined]
    outbox = table.c
    # written into the SQL: SQLite uses an index of some rows only where the words of its condition stand there
    kinds: Any = bindparam(None, ("page", "question"), expanding=True, literal_execute=True)
    is_sent = outbox.state == bindparam(None, "sent", literal_execute=True)
    found = select(outbox.id, outbox.kind, outbox.case_id, outbox.channel, outbox.payload, outbox.result)
    return found.where(outbox.case_id.in_(bindparam("cases", expanding=True)), outbox.kind.in_(kinds), is_sent)
