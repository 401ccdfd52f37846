"""What is owed to people about a case: lines in its thread, lines in a channel, direct messages.

The desk says what happened (`what`, and facts); Slack's side finds the words. With a `key`, which says what this
message is for, it is owed once however often it is asked for."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import bindparam, update

from bot.desk.asked import ASKING
from bot.desk.people import Reach
from bot.desk.tx import Tx
from store.ids import new_key
from store.models import Case, Owed


def in_thread(tx: Tx, case: Case, what: str, /, *, key: str | None = None, **facts: Any) -> None:
    """A short line in the case's thread: its history. One that asks something is edited when that is decided."""
    kind = "question" if what in ASKING else "line"
    _owe(tx, case, kind, case.channel, key, {"what": what, **facts})


def channel_line(tx: Tx, case: Case, channel: str, what: str, /, *, key: str | None = None, **facts: Any) -> None:
    """A line with the case's link in a role's channel, outside of any thread."""
    _owe(tx, case, "notice", channel, key, {"what": what, **facts})


def page(
    tx: Tx,
    case: Case,
    reach: Reach,
    what: str,
    *,
    key: str | None = None,
    until_acknowledged: bool = True,
    **facts: Any,
) -> None:
    """Tells a role, on the case's own record too: a line in the thread, and what `tell` does."""
    in_thread(tx, case, what, key=key, role=reach.role, people=list(reach.people), **facts)
    tell(tx, case, reach, what, key=key, until_acknowledged=until_acknowledged, **facts)


def tell(
    tx: Tx,
    case: Case,
    reach: Reach,
    what: str,
    *,
    key: str | None = None,
    until_acknowledged: bool = True,
    **facts: Any,
) -> None:
    """Tells a role: one line in its channel (unless the case's thread is there already), and a direct message with
    *Acknowledge* to each person reached. Being told gives the right to act. With `until_acknowledged`, what is not
    sent before somebody acknowledges is not sent."""
    payload = {"role": reach.role, "people": list(reach.people), **facts}
    if reach.channel != case.channel:
        channel_line(tx, case, reach.channel, what, key=key, **payload)
    for person in reach.people:
        direct(tx, case, person, what, key=key, until_acknowledged=until_acknowledged, **payload)
    tx.tell_to_act(case.id, f"role:{reach.role}")


def direct(
    tx: Tx,
    case: Case,
    person: str,
    what: str,
    *,
    key: str | None = None,
    until_acknowledged: bool = False,
    **facts: Any,
) -> None:
    """A direct message with *Acknowledge* to one person, who may act on the case from now on."""
    _owe(tx, case, "page", person, key, {"what": what, **facts}, until_acknowledged=until_acknowledged)
    tx.tell_to_act(case.id, person)


def consult(tx: Tx, case: Case, reach: Reach, what: str, *, key: str | None = None, **facts: Any) -> None:
    """Asks a role for its word: a line in its channel, and a direct message to each person reached. It gives no right
    to act on the case."""
    payload = {"role": reach.role, "people": list(reach.people), **facts}
    if reach.channel != case.channel:
        channel_line(tx, case, reach.channel, what, key=key, **payload)
    for person in reach.people:
        inform(tx, case, person, what, key=key, **payload)


def inform(tx: Tx, case: Case, person: str, what: str, *, key: str | None = None, **facts: Any) -> None:
    """A direct message that gives no right to act on the case."""
    _owe(tx, case, "page", person, key, {"what": what, **facts})


def _owe(
    tx: Tx,
    case: Case,
    kind: str,
    channel: str,
    key: str | None,
    payload: dict[str, Any],
    *,
    until_acknowledged: bool = False,
) -> None:
    prefix = "line" if kind == "question" else kind
    named = f"{prefix}:{case.id}:{key}:{payload['what']}:{channel}" if key else new_key(prefix, case.id)
    tx.owe(kind, named, channel=channel, case_id=case.id, payload=payload, while_unacknowledged=until_acknowledged)


def cancel_pages(tx: Tx, case: Case, *, even_if_acknowledged: bool = False) -> int:
    """Cancels the direct messages that are not sent yet and were owed only as long as nobody had acknowledged, or
    (`even_if_acknowledged`) all of them; returns how many."""
    cancelled = tx.session.connection().execute(_cancel(even_if_acknowledged), {"_case_id": case.id})
    return int(cancelled.rowcount)


@cache
def _cancel(even_if_acknowledged: bool) -> Any:
    outbox = Owed.__table__  # type: ignore[attr-defined]
    is_ours = outbox.c.case_id == bindparam("_case_id"), outbox.c.state == "owed", outbox.c.kind == "page"
    waiting = update(outbox).where(*is_ours)
    if not even_if_acknowledged:
        waiting = waiting.where(outbox.c.while_unacknowledged.is_(True))
    return waiting.values(state="cancelled")
