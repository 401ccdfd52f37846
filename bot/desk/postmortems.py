"""Post-mortems: owed when a critical or late case closes, written by somebody who may resolve it, changed until they
are right; and their actions, each a case of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlmodel import Session, col

from bot.desk.acting import Acting, begin, finish, name_of
from bot.desk.commands import OnCase, Outcome
from bot.desk.kept import digest_of
from bot.desk.ongoing import Ongoing
from bot.desk.opening import Opening, open_cases
from bot.desk.tx import Tx
from bot.rules.fingerprint import fingerprint
from bot.rules.permissions import Act
from bot.rules.postmortems import ACTION, ACTION_PRIORITY, MOST_ACTIONS, TOLD, Calling, Moment, Said, timeline, why_owed
from bot.rules.refusals import Refused
from bot.rules.routing import Routing, terms_of_action
from bot.rules.saying import What
from bot.rules.texts import clean, clean_line
from runbooks.calendars import end_of_day
from runbooks.policy import Policy
from store.audit import chain_of
from store.closing_models import PostMortem
from store.ids import new_key
from store.models import AuditEntry, Case, Note, Person
from store.writing import add_new

LONGEST = 3000
"""Characters of each of its texts: what a field of a form holds."""
MOST_NOTES = 200
LONGEST_AHEAD = timedelta(days=730)


@dataclass(frozen=True, slots=True)
class NewAction:
    """What is to be done, by which role, by the end of which of its days."""

    what: str
    role: str
    due: date


@dataclass(frozen=True, slots=True)
class WritePostMortem(OnCase):
    """What was learnt. `seen`: the version that it was written from."""

    seen: int
    summary: str
    causes: str
    actions: tuple[NewAction, ...] = ()


class ActionRefused(Refused):
    """Refused because of one of the actions, by its place."""

    def __init__(self, text: str, *, place: int, case_id: int) -> None:
        super().__init__("action_refused", text, case_id=case_id)
        self.place = place


# --- owed


def owe(tx: Tx, going: Ongoing, *, is_healed: bool = False) -> None:
    """A case that closes gets a post-mortem if the rule says so: on record, and a line with its button. Where one was
    written before the case was opened again, it is asked whether that is still right."""
    case = going.case
    because = why_owed(
        risk=case.risk,
        failure_mode=case.failure_mode,
        is_drill=case.is_drill,
        is_action=case.follows_id is not None,
        response_passed=case.response_breached_at is not None,
        resolution_passed=case.resolution_breached_at is not None,
        is_healed=is_healed,
    )
    if because is None:
        return
    before = find(tx.session, case.id)
    if before is None:
        row = {"case_id": case.id, "owed_at": tx.now, "because": because, "summary": "", "causes": "", "version": 1}
        add_new(tx.session, PostMortem, [row], unique=["case_id"])
        tx.record("post_mortem.owed", case_id=case.id, because=because)
    is_written = before is not None and before.written_at is not None
    payload = {"what": What.POST_MORTEM_OWED, "ref": case.ref, "because": because, "again": is_written}
    key = new_key("line", case.id)
    tx.owe("line", key, channel=case.channel, case_id=case.id, payload=payload, is_last=True)


def find(session: Session, case_id: int) -> PostMortem | None:
    """The post-mortem of a case, written or owed; None: it gets none, or is still open."""
    mine = select(PostMortem).where(col(PostMortem.case_id) == case_id)
    return session.execute(mine.execution_options(populate_existing=True)).scalar_one_or_none()


def to_write(session: Session, roles: Iterable[str], *, most: int) -> list[tuple[Case, PostMortem]]:
    """The closed cases of these roles whose post-mortem is not written, the longest owed first. The few that are owed
    are read first, and not all cases that the roles ever owned: SQLite would begin with these, by their index."""
    owner = func.coalesce(col(Case.owner), "")
    waiting = (
        select(Case, PostMortem)
        .join(PostMortem, col(PostMortem.case_id) == col(Case.id))
        .where(col(PostMortem.written_at).is_(None), col(Case.closed_at).is_not(None), owner.in_(list(roles)))
        .order_by(col(PostMortem.owed_at), col(Case.id))
    )
    return [(case, row) for case, row in session.execute(waiting.limit(most))]


# --- written


def open_form(tx: Tx, command: OnCase) -> int:
    """The version from which the actor may write. Raises `Refused` for those who may not, and where there is none."""
    acting = begin(tx, command, Act.WRITE_POST_MORTEM)
    assert isinstance(acting, Acting)
    return _owed_of(tx, acting.case).version


def write(tx: Tx, command: WritePostMortem) -> Outcome:
    """Keeps it and posts it to the thread; each action becomes a case of the role that is named, due at the end of that
    day in its hours. Raises `Refused` where somebody else has changed it meanwhile, and `ActionRefused`."""
    acting = begin(tx, command, Act.WRITE_POST_MORTEM)
    if isinstance(acting, Outcome):
        return acting
    case, before = acting.case, _owed_of(tx, acting.case)
    if before.version != command.seen:
        raise _changed(tx, case, before)
    summary, causes = (clean(said, most=LONGEST) for said in (command.summary, command.causes))
    if not summary:
        raise Refused("empty", "Say what happened.", case_id=case.id)
    if (summary, causes) == (before.summary, before.causes) and not command.actions:
        raise Refused("unchanged", "Nothing was changed.", case_id=case.id)
    made = _open_actions(tx, case, command.actions)
    _keep(tx, before, summary, causes, [each["ref"] for each in made])
    facts: dict[str, Any] = {"by": tx.actor.id, "ref": case.ref, "changed": before.written_at is not None}
    return finish(tx, acting, What.POST_MORTEM_WRITTEN, facts | {"summary": summary, "causes": causes, "actions": made})


def _owed_of(tx: Tx, case: Case) -> PostMortem:
    row = find(tx.session, case.id)
    if case.is_open:
        raise Refused("not_closed", f"{case.ref} is open: a post-mortem is written when it is closed.", case_id=case.id)
    if row is None:
        why = "it is not critical, and neither of its windows passed"
        raise Refused("no_post_mortem", f"{case.ref} gets no post-mortem: {why}.", case_id=case.id)
    return row


def _changed(tx: Tx, case: Case, before: PostMortem) -> Refused:
    who = name_of(tx.session, before.written_by or "somebody")
    text = f"{who} has written it meanwhile. Copy what is yours, close this form, and open it again to add it."
    return Refused("changed_meanwhile", text, case_id=case.id)


def _keep(tx: Tx, before: PostMortem, summary: str, causes: str, actions: list[str]) -> None:
    """Keeps the texts; the record has their digests, so that they can be erased."""
    action = "post_mortem.written" if before.written_at is None else "post_mortem.changed"
    digests: dict[str, Any] = {"summary_digest": digest_of(tx, summary), "causes_digest": digest_of(tx, causes)}
    tx.record(action, case_id=before.case_id, version=before.version + 1, **digests, actions=actions)
    mine = update(PostMortem).where(col(PostMortem.case_id) == before.case_id)
    written = {"written_at": tx.now, "written_by": tx.actor.id, "summary": summary, "causes": causes}
    kept = mine.values(**written, version=before.version + 1)
    tx.session.execute(kept.execution_options(synchronize_session=False))


# --- its actions


def _open_actions(tx: Tx, case: Case, actions: Sequence[NewAction]) -> list[dict[str, Any]]:
    if len(actions) > MOST_ACTIONS:
        raise Refused(
            "too_many", f"At most {MOST_ACTIONS} actions at once; add the others after this.", case_id=case.id
        )
    openings = [_opening(tx, case, action, place) for place, action in enumerate(actions)]
    ids = open_cases(tx, openings)
    return [
        {"ref": f"C-{case_id}", "title": each.title, "owner": each.routing.terms.owner, "due_at": _iso(each.due_at)}
        for case_id, each in zip(ids, openings, strict=True)
    ]


def _opening(tx: Tx, case: Case, action: NewAction, place: int) -> Opening:
    """An action goes to the role that was named; no event brought it, so nothing is routed."""
    title = clean_line(action.what)
    if not title:
        raise ActionRefused("Say what is to be done.", place=place, case_id=case.id)
    if action.role not in tx.policy.team.roles:
        raise ActionRefused(f"There is no role {action.role!r} any more.", place=place, case_id=case.id)
    due_at = _due(tx, case, action, place)
    terms = terms_of_action(tx.policy, action.role, ACTION_PRIORITY)
    because = f"an action of the post-mortem of {case.ref}"
    return Opening(
        workflow=case.workflow,
        failure_mode=ACTION,
        title=title,
        detail=f"A{because[1:]}: {case.title}",
        routing=Routing(terms, because, {}, ()),
        fingerprint=fingerprint(case.workflow, ACTION, title=title, subject=case.ref),
        match_key=new_key("action"),
        by=tx.actor,
        due_at=due_at,
        follows_id=case.id,
    )


def _due(tx: Tx, case: Case, action: NewAction, place: int) -> datetime:
    role = tx.policy.team.roles[action.role]
    if action.due - tx.now.date() > LONGEST_AHEAD:
        raise ActionRefused("That date is too far away; two years are the most.", place=place, case_id=case.id)
    due_at = end_of_day(tx.policy.team.calendars[role.calendar], action.due)
    if due_at <= tx.now:
        raise ActionRefused(f"That day is over for {role.title}.", place=place, case_id=case.id)
    return due_at


def _iso(at: datetime | None) -> str:
    return at.isoformat() if at else ""


# --- read


@dataclass(frozen=True, slots=True)
class Whole:
    """A post-mortem with all that it tells: its case, how that went, and its actions as they are now."""

    case: Case
    row: PostMortem
    moments: tuple[Moment, ...]
    actions: tuple[Case, ...]
    calling: Calling


def whole(session: Session, policy: Policy, case_id: int) -> Whole | None:
    """The post-mortem of a case, written or owed; None: there is none."""
    case, row = session.get(Case, case_id), find(session, case_id)
    if case is None or row is None:
        return None
    entries, said = _entries(session, case_id), _said(session, case_id)
    calling = Calling(_people(session), {role.name: role.title for role in policy.team.roles.values()})
    follow = select(Case).where(col(Case.follows_id) == case_id).order_by(col(Case.id))
    return Whole(case, row, timeline(entries, said, calling), tuple(session.execute(follow).scalars()), calling)


def _entries(session: Session, case_id: int) -> list[dict[str, Any]]:
    """What of the record is told; a storm's thousands of reports are not read."""
    is_told = or_(*(col(AuditEntry.body).contains(f'"action":"{action}"', autoescape=True) for action in TOLD))
    mine = select(col(AuditEntry.body)).where(col(AuditEntry.chain) == chain_of(case_id), is_told)
    return [_read(body) for body in session.execute(mine.order_by(col(AuditEntry.seq))).scalars()]


def _read(body: str) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads(body)
    return entry


def _said(session: Session, case_id: int) -> list[Said]:
    mine = select(Note).where(col(Note.case_id) == case_id).order_by(col(Note.id)).limit(MOST_NOTES)
    return [Said(note.at, note.author, note.text) for note in session.execute(mine).scalars()]


def _people(session: Session) -> dict[str, str]:
    rows = session.execute(select(col(Person.id), col(Person.name)).where(col(Person.name) != ""))
    return {user: name for user, name in rows}
