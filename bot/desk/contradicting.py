"""Of events that say that they are the same and differ, a person says which is right."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlmodel import col

from bot.desk import lanes
from bot.desk.events import foresee
from bot.desk.judging import Arrival
from bot.desk.kept import check_whole, contents_of
from bot.desk.sending_again import send_instead
from bot.desk.tx import Tx
from bot.rules.actors import Actor
from bot.rules.admission import Verdict, identity_of, with_content
from bot.rules.refusals import Refused
from store.contract_models import Expected, Trigger
from store.models import Case
from store.queries.quarantine import HELD


def decide(tx: Tx, case: Case, decision: str, *, by: Actor) -> None:
    """`first`: what contradicts it is dropped. `second`: it takes the place of the first, by whose identity it is known
    from then on, and is sent; where the receiver can be asked, it is. The events are locked. Raises `Refused` where
    that cannot be done now; then nothing has changed."""
    if case.failure_mode != "duplicate":
        return
    held = _held(tx, case)
    if decision == "first":
        _drop(tx, case, held)
    elif second := _second(tx, case, held):
        _replace(tx, case, second, by)


def _held(tx: Tx, case: Case) -> list[Trigger]:
    mine = select(Trigger).where(col(Trigger.case_id) == case.id, col(Trigger.state) == HELD)
    return list(tx.session.execute(mine.order_by(col(Trigger.event_id)).with_for_update()).scalars())


def _second(tx: Tx, case: Case, held: Sequence[Trigger]) -> Trigger | None:
    """The one that is held; of a case that was opened again, the one that was dropped. None: it was sent already."""
    if len(held) > 1:
        named = ", ".join(f"E-{each.event_id}" for each in held)
        raise Refused(
            "several_held",
            f"{case.ref} is about {len(held)} events that differ from the first: {named}. Drop those that are wrong "
            "(`/case quarantine`) until one is left, and decide then.",
            case_id=case.id,
        )
    if held:
        return held[0]
    before = tx.session.get(Trigger, case.event_id) if case.event_id else None
    return before if before and before.state == "dropped" else None


def _drop(tx: Tx, case: Case, held: Sequence[Trigger]) -> None:
    if held:
        _change(tx, [each.event_id for each in held], state="dropped")
        tx.record("event.dropped", case_id=case.id, events=[each.event_id for each in held])


def _replace(tx: Tx, case: Case, second: Trigger, by: Actor) -> None:
    identity = identity_of(second.identity, second.digest)
    _check_fits(tx, case, second, by)
    known = col(Trigger.workflow) == second.workflow, col(Trigger.identity) == identity
    first = tx.session.execute(select(Trigger).where(*known).with_for_update()).scalar_one_or_none()
    if first:
        _step_aside(tx, first)
    _change(tx, [second.event_id], state="delivering", identity=identity, policy_digest=tx.policy.digest, because=None)
    tx.record("event.replaced", case_id=case.id, event=first.event_id if first else None, by_event=second.event_id)
    send_instead(tx, case, second, identity, first, by=by)


def _check_fits(tx: Tx, case: Case, second: Trigger, by: Actor) -> None:
    """What is sent is checked by the contract of now, as all that leaves quarantine is."""
    check_whole(tx.session, second.event_id)
    content = contents_of(tx.session, [second.event_id])[second.event_id]
    [seen] = foresee(tx, [Arrival(by, second.workflow, content, released_from=second.event_id)])
    if seen.admission.verdict is not Verdict.ACCEPT:
        because = "; ".join(seen.misfit.lines) if seen.misfit else seen.admission.because
        text = f"E-{second.event_id} cannot be sent: {because}. Decide for the first, or mend E-{second.event_id}."
        raise Refused("does_not_fit", text, case_id=case.id)


def _step_aside(tx: Tx, first: Trigger) -> None:
    """It is known by its content as well from now on, waits for no outcome, and is not delivered if it was not."""
    was_not_delivered = first.state in (HELD, "failed")
    _change(
        tx,
        [first.event_id],
        identity=with_content(first.identity, first.digest),
        state="dropped" if was_not_delivered else first.state,
    )
    waits = update(Expected).where(
        col(Expected.event_id) == first.event_id, col(Expected.state).in_(("waiting", "missing"))
    )
    over = waits.values(state="superseded", due_at=None, lease_until=None, settled_at=tx.now)
    tx.session.execute(over.execution_options(synchronize_session=False))
    lanes.go_on(tx, [first.event_id])
    if first.case_id:
        about = tx.session.get_one(Case, first.case_id)
        tx.owe_card(about.id, about.channel)


def _change(tx: Tx, event_ids: Sequence[int], **values: object) -> None:
    changed = update(Trigger).where(col(Trigger.event_id).in_(event_ids)).values(**values)
    tx.session.execute(changed.execution_options(synchronize_session=False))
