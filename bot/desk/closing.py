"""How cases close: when their checks hold, or in spite of one that does not, because somebody who may says why.

Whoever wants a case closed starts a closing: its machine checks are owed to `bot.desk.checks`, and what follows from
their answers is decided here. A case that is put to another state meanwhile withdraws its closing (`ongoing.save`)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update
from sqlmodel import Session, col

from bot.desk import clocks, lanes, postmortems
from bot.desk.acting import allow, get_ongoing, roles_of_contract
from bot.desk.connector_words import is_of_system
from bot.desk.contradicting import decide
from bot.desk.kept import digest_of
from bot.desk.ongoing import Ongoing, save
from bot.desk.people import reach
from bot.desk.reading import See
from bot.desk.runs import autofix
from bot.desk.telling import cancel_pages, channel_line, direct, in_thread, tell
from bot.desk.tx import Tx
from bot.rules.actors import Actor, Kind
from bot.rules.closing import (
    DECISIONS,
    REASONS,
    SHORTEST_REASON,
    Verdict,
    back_to,
    needed,
    nothing_to_override,
    to_tick,
    unticked,
    verdict,
)
from bot.rules.lifecycle import State
from bot.rules.permissions import Act
from bot.rules.refusals import Refused
from bot.rules.saying import What
from bot.rules.texts import clean
from runbooks import contracts
from runbooks.policy import Policy
from store.closing_models import Check, Closing
from store.models import Case
from store.rows import insert_rows

Said = tuple[What, dict[str, Any]]
"""What there is to tell of it, and the facts of its sentence."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants a case resolved, and with what."""

    by: Actor
    reason: str
    note: str = ""
    decision: str = ""

    def kept(self) -> dict[str, Any]:
        """How its closing keeps it."""
        return {"by": self.by.on_record(), "reason": self.reason, "note": self.note, "decision": self.decision}


def wish_of(closing: Closing) -> Wish:
    """The wish that a closing keeps."""
    wanted = closing.wanted
    by = Actor(Kind(wanted["by"]["kind"]), wanted["by"]["id"])
    return Wish(by, wanted["reason"], wanted.get("note", ""), wanted.get("decision", ""))


def checks_of(policy: Policy, case: Case) -> tuple[contracts.Check, ...]:
    """The checks that the case has to pass, by the policy that it was opened with. They are about what happened to an
    event: an action has none, and neither has the case of a system that is left alone."""
    if case.follows_id is not None or is_of_system(case):
        return ()
    return needed(policy.workflows.get(case.workflow), case.failure_mode)


def last_closing(session: Session, case_id: int) -> Closing | None:
    """The last time that somebody wanted the case closed."""
    mine = select(Closing).where(col(Closing.case_id) == case_id).order_by(col(Closing.id).desc()).limit(1)
    return session.execute(mine.execution_options(populate_existing=True)).scalar_one_or_none()


def results(session: Session, closing_id: int) -> list[Check]:
    """What came of each check of a closing so far, in the order of the contract."""
    mine = select(Check).where(col(Check.closing_id) == closing_id).order_by(col(Check.id))
    return list(session.execute(mine.execution_options(populate_existing=True)).scalars())


# --- somebody wants it closed


def check_ticked(case: Case, checks: Sequence[contracts.Check], ticked: Collection[str]) -> None:
    """Passes where every confirmation is given. Raises `Refused` that says which is missing."""
    if missing := unticked(checks, ticked):
        raise Refused("confirmation_needed", f"{case.ref} is not closed yet: {to_tick(missing)}", case_id=case.id)


def ask_to_close(tx: Tx, going: Ongoing, wish: Wish, ticked: Collection[str] = ()) -> Said:
    """Resolves the case where it has no checks; else these are owed, the confirmations kept that the actor `ticked`,
    and the case is closing until all are answered."""
    checks = checks_of(tx.policy_of(going.case), going.case)
    if not checks:
        return conclude(tx, going, wish)
    closing_id = _begin(tx, going, wish, checks, ticked)
    return settle(tx, going, closing_id) or _closing(tx, going, wish, checks)


def begin_closing(tx: Tx, case: Case, *, by: Actor, reason: str = "fixed", note: str = "") -> State:
    """For what fixes a case without a person: its machine checks are asked, and if they hold it is resolved in the name
    of `by`. Where a person has to confirm something, the owner is told "fixed, please confirm" and the case stays open;
    where a check fails it takes its route. Returns the state that the case is in now: `resolved`, `closing`, or, for
    one that is closed or closing already, that state, unchanged. What was changed of the case before has to be
    saved."""
    going = get_ongoing(tx, case.id)
    if going.case.is_open and going.case.state != State.CLOSING:
        tx.flush()
        part = Tx(tx.session, tx.now, by, tx.policies)
        make_known(part, going, ask_to_close(part, going, Wish(by, reason, note)))
        part.flush()
    return State(going.case.state)


def make_known(tx: Tx, going: Ongoing, said: Said) -> None:
    """Writes the case and tells what came of it: the card, and a line in its thread."""
    what, facts = said
    save(tx, [going])
    tx.owe_card(going.case.id, going.case.channel)
    in_thread(tx, going.case, what, **facts)


def _begin(
    tx: Tx,
    going: Ongoing,
    wish: Wish,
    checks: Sequence[contracts.Check],
    ticked: Collection[str] = (),
    state: str = "checking",
) -> int:
    row = {
        "case_id": going.case.id,
        "asked_by": wish.by.id,
        "asked_at": tx.now,
        "state": state,
        "state_before": going.case.state,
        "wanted": wish.kept(),
    }
    made = tx.session.execute(insert(Closing).values(**row).returning(col(Closing.id)))
    closing_id = int(made.scalar_one())
    is_asked = state == "checking"
    insert_rows(tx.session, Check, [_row(tx, closing_id, each, each.name in ticked, is_asked) for each in checks])
    return closing_id


def _row(tx: Tx, closing_id: int, check: contracts.Check, is_ticked: bool, is_asked: bool) -> dict[str, Any]:
    if check.confirm is not None:
        state = "confirmed" if is_ticked else "unconfirmed"
    else:
        state = "owed" if is_asked else "unknown"
    return {
        "closing_id": closing_id,
        "name": check.name,
        "kind": "request" if check.confirm is None else "confirm",
        "state": state,
        "due_at": tx.now if state == "owed" else None,
        "at": tx.now if is_ticked else None,
        "by": tx.actor.id if is_ticked else None,
        "because": "it was not asked" if state == "unknown" else "",
        "found": "",
    }


def _closing(tx: Tx, going: Ongoing, wish: Wish, checks: Sequence[contracts.Check]) -> Said:
    going.enter(State.CLOSING.value, at=tx.now)
    clocks.reset_resolution(tx, going)
    asked = [check.name for check in checks if check.confirm is None]
    tx.record("case.closing", case_id=going.case.id, reason=wish.reason, checks=asked)
    return What.CLOSING, {"by": wish.by.id, "checks": asked}


# --- its checks are answered


def settle(tx: Tx, going: Ongoing, closing_id: int) -> Said | None:
    """Decides what follows from the checks of a closing; None while one is owed. The actor is who asked for it."""
    checks = results(tx.session, closing_id)
    chosen = verdict([check.state for check in checks])
    if chosen is Verdict.WAIT:
        return None
    row = tx.session.get_one(Closing, closing_id)
    if chosen is Verdict.CLOSE:
        return _pass(tx, going, row, checks)
    if chosen is Verdict.CONFIRM:
        return _ask_to_confirm(tx, going, row, checks)
    return _refuse(tx, going, row, checks, [_failed(check) for check in checks if check.state in ("failed", "unknown")])


def _pass(tx: Tx, going: Ongoing, row: Closing, checks: Sequence[Check]) -> Said:
    try:
        said = conclude(tx, going, wish_of(row), checks=[_evidence(check) for check in checks])
    except Refused as refused:
        return _refuse(tx, going, row, checks, [{"name": "", "because": refused.text}])
    _decided(tx, row, "passed")
    return said


def _refuse(tx: Tx, going: Ongoing, row: Closing, checks: Sequence[Check], failed: list[dict[str, str]]) -> Said:
    """The case stays open; who asked is told what failed and what to do. After an auto-fix it takes its route."""
    wish, case = wish_of(row), going.case
    _decided(tx, row, "refused")
    _go_back(tx, going, row)
    accountable, _ = roles_of_contract(tx.policy_of(case), case)
    evidence = [_evidence(check) for check in checks]
    tx.record("case.closing_refused", case_id=case.id, failed=[each["name"] for each in failed], checks=evidence)
    is_person = wish.by.kind is Kind.PERSON
    facts: dict[str, Any] = {
        "by": wish.by.id,
        "closing": row.id,
        "failed": failed,
        "owner": case.owner,
        "accountable": accountable,
    }
    if is_person:
        autofix.leave_if_idle(tx, going, "a check does not hold")
    else:
        autofix.take_route(tx, going, "a check does not hold")
        _tell_whose_it_is(tx, case, facts)
    return What.CLOSING_REFUSED, facts | {"people": [wish.by.id] if is_person else []}


def _tell_whose_it_is(tx: Tx, case: Case, facts: dict[str, Any]) -> None:
    """Nobody pressed anything: whoever has the case hears that it is not fixed, or else its owner role by its route."""
    if case.assignee:
        direct(tx, case, case.assignee, What.CLOSING_REFUSED, **facts)
    elif case.route == "on_call":
        tell(tx, case, reach(tx, case.owner), What.CLOSING_REFUSED, **facts)
    else:
        channel_line(tx, case, reach(tx, case.owner).channel, What.CLOSING_REFUSED, **facts)


def _ask_to_confirm(tx: Tx, going: Ongoing, row: Closing, checks: Sequence[Check]) -> Said:
    """All that a machine can see holds; the rest is for whoever has the case, or else for its owner role."""
    case, wish = going.case, wish_of(row)
    _decided(tx, row, "refused")
    _go_back(tx, going, row)
    autofix.take_route(tx, going, "somebody has to confirm it")
    known = {check.name: check for check in checks_of(tx.policy_of(case), case)}
    waiting = [check.name for check in checks if check.state == "unconfirmed"]
    tx.record("case.confirmation_asked", case_id=case.id, confirm=waiting, checks=[_evidence(each) for each in checks])
    confirm = [str(known[name].confirm) for name in waiting]
    facts: dict[str, Any] = {"by": wish.by.id, "closing": row.id, "confirm": confirm, "note": wish.note}
    if case.assignee:
        direct(tx, case, case.assignee, What.PLEASE_CONFIRM, **facts)
        return What.PLEASE_CONFIRM, facts | {"people": [case.assignee]}
    reached = reach(tx, case.owner)
    tell(tx, case, reached, What.PLEASE_CONFIRM, until_acknowledged=False, **facts)
    return What.PLEASE_CONFIRM, facts | {"people": list(reached.people)}


def _go_back(tx: Tx, going: Ongoing, row: Closing) -> None:
    case = going.case
    if case.state == State.CLOSING:
        going.enter(back_to(row.state_before, is_acknowledged=case.acknowledged_at is not None).value, at=tx.now)
        clocks.reset_resolution(tx, going)


def _decided(tx: Tx, row: Closing, state: str, **values: Any) -> None:
    """A note is kept with the notes; once it is decided, nowhere else."""
    wanted = {name: value for name, value in row.wanted.items() if name != "note"}
    mine = update(Closing).where(col(Closing.id) == row.id)
    tx.session.execute(mine.values(state=state, decided_at=tx.now, wanted=wanted, **values))


def _failed(check: Check) -> dict[str, str]:
    because = check.because if check.state == "failed" else f"nobody knows: {check.because}"
    return {"name": check.name, "because": because, "found": check.found}


def _evidence(check: Check) -> dict[str, Any]:
    """How the audit log has it: digests, no payloads."""
    at = check.at.isoformat() if check.at else None
    seen = {"check": check.name, "state": check.state, "at": at, "because": check.because}
    if check.kind == "confirm":
        return seen | {"by": check.by}
    return seen | {"status": check.status, "body_digest": check.body_digest, "attempts": check.attempts}


# --- it stops


def stop(tx: Tx, going: Ongoing) -> None:
    """The case does not close after all: it is where it was, and its closing is withdrawn."""
    row = last_closing(tx.session, going.case.id)
    assert row
    _go_back(tx, going, row)


def withdraw_confirmation(tx: Tx, case: Case) -> None:
    """What was to be confirmed as fixed is taken back: nobody is asked for it any more."""
    row = last_closing(tx.session, case.id)
    if row is not None and row.state == "refused" and not _has_failed(results(tx.session, row.id or 0)):
        _decided(tx, row, "withdrawn")


def _has_failed(checks: Sequence[Check]) -> bool:
    return any(check.state in ("failed", "unknown") for check in checks)


# --- in spite of a check


def look_at_override(tx: Tx, command: See) -> None:
    """Passes for whoever may close this case in spite of its checks, while there is something to override: what is
    asked before the reason is. Raises `Refused`."""
    _check_can_override(tx, get_ongoing(tx, command.case_id or 0).case)


def _check_can_override(tx: Tx, case: Case) -> tuple[Closing | None, tuple[contracts.Check, ...]]:
    allow(tx, case, Act.OVERRIDE_CHECK)
    row, checks = last_closing(tx.session, case.id), checks_of(tx.policy_of(case), case)
    if nothing := nothing_to_override(checks, row.state if row else None):
        raise Refused("nothing_to_override", f"{case.ref}: {nothing}.", case_id=case.id)
    return row, checks


def overrule(tx: Tx, going: Ongoing, wish: Wish, because: str) -> Said:
    """Closes the case in spite of what failed, or of what nobody confirmed. It stays on the case for ever who did, and
    why. Raises `Refused` for those who may not, without a reason, and where nothing has failed."""
    case = going.case
    row, checks = _check_can_override(tx, case)
    reason = in_words(because, case, "close it in spite of its checks")
    if row is None or row.state != "refused":
        row = tx.session.get_one(Closing, _begin(tx, going, wish, checks, state="overridden"))
    found = results(tx.session, row.id or 0)
    failed = [check.name for check in found if check.state not in ("passed", "confirmed")]
    _decided(tx, row, "overridden", overridden_by=tx.actor.id, override_reason=reason)
    going.set(overridden_by=tx.actor.id, override_reason=reason)
    tx.record("case.checks_overridden", case_id=case.id, reason=reason, failed=failed)
    _, facts = conclude(tx, going, wish, override=reason, checks=[_evidence(check) for check in found])
    return What.OVERRIDDEN, facts | {"override": reason, "failed": failed}


def remembered(tx: Tx, case: Case, wish: Wish) -> Wish:
    """The wish, with what it leaves out taken from the one that was refused last."""
    row = last_closing(tx.session, case.id)
    before = wish_of(row) if row else None
    reason = wish.reason or (before.reason if before else next(iter(REASONS)))
    return Wish(wish.by, reason, wish.note, wish.decision or (before.decision if before else ""))


# --- it is closed


def conclude(tx: Tx, going: Ongoing, wish: Wish, **evidence: Any) -> Said:
    """The case is resolved. Of two events that say that they are the same, the second is sent if that one is right.
    Raises `Refused` while the first is on its way; then nothing has changed."""
    case = going.case
    decided = DECISIONS.get(case.failure_mode, {}).get(wish.decision)
    if decided:
        decide(tx, case, wish.decision, by=wish.by)
    close(tx, going, State.RESOLVED, wish.reason)
    digest = digest_of(tx, wish.note) if wish.note else None
    decision: dict[str, Any] = {"decision": wish.decision} if decided else {}
    tx.record("case.resolved", case_id=case.id, reason=wish.reason, note_digest=digest, **decision, **evidence)
    facts = {"by": wish.by.id, "reason": REASONS[wish.reason], "note": wish.note}
    return What.RESOLVED, facts | ({"decision": decided} if decided else {})


def close(tx: Tx, going: Ongoing, state: State, resolution: str) -> None:
    """Puts the case to a closed state: no clock of it runs on, nobody is told any more, and what waited behind it goes
    on."""
    going.enter(state.value, at=tx.now, closed_at=tx.now, resolution=resolution, lease_until=None, snoozed_until=None)
    going.drop()
    cancel_pages(tx, going.case, even_if_acknowledged=True)
    lanes.let_go(tx, going.case.id)
    postmortems.owe(tx, going)


def in_words(reason: str, case: Case, what_for: str) -> str:
    """A reason in free words. Raises `Refused` for one that says nothing."""
    reason = clean(reason, most=3000)
    if len(reason) < SHORTEST_REASON:
        raise Refused(
            "reason_needed",
            f"Say why, in at least {SHORTEST_REASON} characters, to {what_for}.",
            case_id=case.id,
        )
    return reason
