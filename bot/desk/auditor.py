"""The auditor: what should have happened and has not is found once, counted, and one open case of the desk's role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import insert, select, update
from sqlmodel import col

from bot.desk import turns
from bot.desk.findings import keep_found
from bot.desk.opening import Opening, open_cases, report_row
from bot.desk.people import reach
from bot.desk.telling import page
from bot.desk.turns import Mine
from bot.desk.tx import Tx
from bot.rules.actors import SYSTEM
from bot.rules.auditor import Found, Kind, detail, title
from bot.rules.fingerprint import fingerprint, match_key
from bot.rules.routing import Routing, route
from bot.rules.saying import What
from store.models import Case, ExceptionReport
from store.rechecking import Slice, keep_rechecked
from store.watch_models import Finding
from store.writing import change

TURN = "auditor"
EVERY = timedelta(minutes=1)
WORKFLOW, MODE = "pointsman", "overdue"
"""What the case belongs to: no workflow of the company."""
_MATCH_KEY = match_key(WORKFLOW, dedup_key=MODE, fingerprint="")


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look found, in somebody's turn; `slice` is the part of the audit log that was followed again."""

    mine: Mine
    found: Sequence[Found]
    slice: Slice


def looked(tx: Tx, command: Looked) -> int:
    """Takes in a look, ends the turn, and tells what nobody was told of yet; how many things that were. Raises
    `Overtaken`."""
    turns.end(tx, command.mine, due_at=tx.now + EVERY, cursor=command.slice.cursor)
    keep_rechecked(tx.session, command.slice)
    keep_found(tx, command.found)
    untold = _untold(tx)
    if untold:
        case_id = _tell(tx, [Found(Kind(row.kind), row.key, row.about) for row in untold])
        told = update(Finding).where(col(Finding.id).in_([row.id for row in untold])).values(case_id=case_id)
        tx.session.execute(told.execution_options(synchronize_session=False))
    return len(untold)


def _untold(tx: Tx) -> Sequence[Finding]:
    rows = select(Finding).where(col(Finding.case_id).is_(None)).order_by(col(Finding.id)).limit(500)
    return tx.session.execute(rows.with_for_update(skip_locked=True)).scalars().all()


def _tell(tx: Tx, found: Sequence[Found]) -> int:
    """The open case, with these as its latest report; its people are told directly when it opens."""
    tx.record("auditor.found", count=len(found), what=[each.about for each in found[:20]])
    mine = select(Case).where(col(Case.match_key) == _MATCH_KEY, col(Case.closed_at).is_(None)).with_for_update()
    case: Case | None = tx.session.execute(mine.execution_options(populate_existing=True)).scalar_one_or_none()
    if case is not None:
        _join(tx, case, found)
        return case.id
    (case_id,) = open_cases(tx, [_opening(tx, found)])
    opened = tx.session.get_one(Case, case_id)
    page(tx, opened, reach(tx, opened.owner), What.FOUND, count=len(found))
    return case_id


def _opening(tx: Tx, found: Sequence[Found]) -> Opening:
    return Opening(
        workflow=WORKFLOW,
        failure_mode=MODE,
        title=title(found),
        by=SYSTEM,
        routing=_routing(tx),
        fingerprint=fingerprint(WORKFLOW, MODE, title=MODE, subject=None),
        match_key=_MATCH_KEY,
        detail=detail(found),
        next_step="Look at the log and at /readyz of each replica, and at what `pointsman doctor` says.",
    )


def _routing(tx: Tx) -> Routing:
    """To the governance role, as a P2: somebody may be waiting for help that does not come."""
    routing = route(tx.policy, workflow=WORKFLOW, failure_mode=MODE, names={"event": {}, "case": {}, "now": tx.now})
    defaults = tx.policy.team.defaults
    windows = defaults.priorities["P2"]
    terms = replace(
        routing.terms,
        owner=defaults.governance,
        priority="P2",
        acknowledge_within=windows.acknowledge,
        resolve_within=windows.resolve,
    )
    return replace(routing, terms=terms, because="the desk's own role answers for what it leaves undone")


def _join(tx: Tx, case: Case, found: Sequence[Found]) -> None:
    occurrence, said = case.occurrences + 1, {"title": title(found), "detail": detail(found)}
    row = report_row(tx, case_id=case.id, occurrence=occurrence, by=SYSTEM, **said, event_id=None, links=())
    tx.session.execute(insert(ExceptionReport), [row])
    change(tx.session, case, occurrences=occurrence, last_seen_at=tx.now, detail=said["detail"])
    tx.record("exception.joined", case_id=case.id, occurrence=occurrence, event=None)
    tx.owe_card(case.id, case.channel)
