"""Cases whose cause went away by itself: closed if nobody has taken them, else told to whoever has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.desk import postmortems
from bot.desk.ongoing import Ongoing, load, save
from bot.desk.runs import hooks
from bot.desk.telling import cancel_pages, in_thread
from bot.desk.tx import Tx
from bot.rules.closing import heals
from bot.rules.routing import AUTO_FIX
from bot.rules.saying import What
from store.models import Case

BY_ITSELF = "fixed_by_itself"
BY_ITSELF_IN_WORDS = "what the case is about is over"


@dataclass(frozen=True, slots=True)
class News:
    """What a case has to hear. `is_over`: its cause is gone."""

    case_id: int
    what: What
    is_over: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)


def tell(tx: Tx, news: Sequence[News]) -> None:
    """A line in the thread of each open case. One whose cause is gone is resolved, if nobody has taken it: nobody
    would know otherwise what its owner is at. One that a runbook tries to fix, or that somebody had a runbook carried
    out for, closes as if that had fixed it, by its checks. Closed cases are left alone."""
    found = load(tx, {each.case_id for each in news})
    for each in news:
        going = found.get(each.case_id)
        if going is None or not going.case.is_open:
            continue
        case = going.case
        healed = each.is_over and heals(case.state, assignee=case.assignee, reopened=case.reopened)
        closes = healed and _closes_by_run(tx, case)
        healed = healed and not closes
        tx.record(f"case.{each.what.value}", case_id=case.id, is_over=each.is_over, **each.facts)
        in_thread(tx, case, each.what, healed=healed, closes=closes, is_over=each.is_over, **each.facts)
        if healed:
            _resolve(tx, going, each.what)
        tx.owe_card(case.id, case.channel)
    save(tx, list(found.values()))


def _closes_by_run(tx: Tx, case: Case) -> bool:
    """Whether the end of a run closes the case."""
    if case.route != AUTO_FIX:
        return hooks.repaired(tx, case, BY_ITSELF_IN_WORDS)
    hooks.overtake(tx, case, BY_ITSELF_IN_WORDS)
    return True


def _resolve(tx: Tx, going: Ongoing, because: What) -> None:
    going.enter("resolved", at=tx.now, closed_at=tx.now, resolution=BY_ITSELF, lease_until=None, snoozed_until=None)
    going.drop()
    cancel_pages(tx, going.case, even_if_acknowledged=True)
    postmortems.owe(tx, going, is_healed=True)
    tx.record("case.resolved", case_id=going.case.id, reason=BY_ITSELF, because=because.value)
