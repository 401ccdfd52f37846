"""What is owed to people about a case: lines in its thread, lines in a channel, direct messages.

The desk says what happened (`what`, and facts); Slack's side finds the words."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update
from sqlmodel import col

from bot.desk.people import Reach
from bot.desk.tx import Tx
from store.ids import new_key
from store.models import Case, Owed, Paged
from store.writing import add_new


def in_thread(tx: Tx, case: Case, what: str, **facts: Any) -> None:
    """A short line in the case's thread: its history."""
    tx.owe("line", new_key("line", case.id), channel=case.channel, case_id=case.id, payload={"what": what, **facts})


def page(tx: Tx, case: Case, reach: Reach, what: str, **facts: Any) -> None:
    """Tells a role: one line in its channel (in the thread, where the card is there already), and a direct message
    with *Acknowledge* to each person reached. Being told gives the right to act. A page that is not sent before the
    case is acknowledged is not sent."""
    payload = {"what": what, "role": reach.role, "people": list(reach.people), **facts}
    for person in reach.people:
        tx.owe(
            "page",
            new_key("page", case.id, person),
            channel=person,
            case_id=case.id,
            payload=payload,
            while_unacknowledged=facts.get("ladder") != "unresolved",
        )
    told = (*reach.people, f"role:{reach.role}")
    add_new(
        tx.session, Paged, [{"case_id": case.id, "who": who, "at": tx.now} for who in told], unique=["case_id", "who"]
    )


def channel_line(tx: Tx, case: Case, channel: str, what: str, **facts: Any) -> None:
    """A line with the case's link in a role's channel, outside of any thread."""
    tx.owe("notice", new_key("notice", case.id), channel=channel, case_id=case.id, payload={"what": what, **facts})


def cancel_pages(tx: Tx, case: Case) -> int:
    """Cancels what was owed only as long as nobody had acknowledged; returns how many."""
    waiting = update(Owed).where(
        col(Owed.case_id) == case.id, col(Owed.state) == "owed", col(Owed.while_unacknowledged).is_(True)
    )
    return int(tx.session.execute(waiting.values(state="cancelled")).rowcount)  # type: ignore[attr-defined]
