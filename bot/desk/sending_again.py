"""Retry and Replay: a person has an event sent again, by the rules of *Sending again*."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select
from sqlmodel import Session, col

from bot.desk import connectors
from bot.desk.acting import Acting, begin, finish
from bot.desk.commands import Outcome
from bot.desk.deliveries import deliver_of
from bot.desk.kept import check_whole, content_digest
from bot.desk.runs.delivering import runbook_of
from bot.desk.runs.redelivering import begin_again, fate_of, find_failed, was_run
from bot.desk.telling import in_thread
from bot.desk.tx import Tx
from bot.rules.actors import Actor
from bot.rules.admission import identity_of
from bot.rules.permissions import Act
from bot.rules.refusals import Refused
from bot.rules.saying import What
from bot.rules.sending import Fate, Key, Past, Plan, Verb, plan
from runbooks.contracts import Deliver
from runbooks.policy import Policy
from store.contract_models import Trigger
from store.models import Case, Delivery, Event
from store.sealing import desk_key

FATES = {
    "delivered": Fate.DELIVERED,
    "already_there": Fate.DELIVERED,
    "refused": Fate.REFUSED,
    "unknown": Fate.UNKNOWN,
    "dead": Fate.REFUSED,
    "finding": Fate.UNDER_WAY,
    "sending": Fate.UNDER_WAY,
    "verifying": Fate.DELIVERED,
}
"""`dead` is what was never sent, because it could not be asked for or filled in."""


@dataclass(frozen=True, slots=True)
class AskRetry:
    """Take up what failed last. `confirmed`: a person said yes to "this may do it twice"."""

    case_id: int
    confirmed: bool = False
    request_key: str | None = None


@dataclass(frozen=True, slots=True)
class AskReplay:
    """Send the stored event again, by the contract of now."""

    case_id: int
    confirmed: bool = False
    request_key: str | None = None


@dataclass(frozen=True, slots=True)
class Possible:
    """What a case has to offer: something to retry, something to replay."""

    retry: bool
    replay: bool


NOTHING = Possible(retry=False, replay=False)


def possible(session: Session, case: Case, policy: Policy) -> Possible:
    """Which of the two buttons the card of this case shows."""
    if case.event_id is None:
        return Possible(connectors.of_case(session, case) is not None, False)
    is_run = runbook_of(policy.workflows.get(case.workflow)) is not None
    if (deliver_of(policy, case.workflow) is None and not is_run) or _not_to_send(session, case, case.event_id):
        return NOTHING
    if session.get_one(Event, case.event_id).gone:
        return NOTHING
    if is_run:
        is_under_way = fate_of(session, case.event_id, policy) is Fate.UNDER_WAY
        return Possible(find_failed(session, case.event_id) is not None, not is_under_way)
    last = _last(session, case.event_id)
    fate = FATES[last.state] if last else Fate.NEVER_BY_US
    is_failure = fate in (Fate.UNKNOWN, Fate.REFUSED) or (
        fate is Fate.NEVER_BY_US and case.failure_mode == "delivery_failed"
    )
    return Possible(is_failure, fate is not Fate.UNDER_WAY)


def ask_retry(tx: Tx, command: AskRetry) -> Outcome:
    """Owes the failed delivery once more. Refused (`needs_confirmation`) where it may do its work twice and nobody
    can be asked; refused while it is under way."""
    return _ask(tx, command, Verb.RETRY)


def ask_replay(tx: Tx, command: AskReplay) -> Outcome:
    """Owes the stored event once more, as a new generation. Refused as `ask_retry` is."""
    return _ask(tx, command, Verb.REPLAY)


def _ask(tx: Tx, command: AskRetry | AskReplay, verb: Verb) -> Outcome:
    acting = begin(tx, command, Act.RUN)
    if isinstance(acting, Outcome):
        return acting
    case = acting.case
    if verb is Verb.RETRY and (connector := connectors.of_case(tx.session, case)):
        return _ask_connector(tx, acting, connector)
    policy = tx.policy_of(case) if verb is Verb.RETRY else tx.policy
    deliver, is_run = deliver_of(policy, case.workflow), runbook_of(policy.workflows.get(case.workflow)) is not None
    if case.event_id is None or (deliver is None and not is_run):
        raise Refused("nothing_to_send", _nothing(case, verb))
    check_whole(tx.session, case.event_id)
    if because := _not_to_send(tx.session, case, case.event_id):
        raise Refused("held", because)
    if deliver is None:
        return _ask_run(tx, acting, verb, policy, confirmed=command.confirmed)
    event = tx.session.get_one(Event, case.event_id)
    last = _last(tx.session, event.id)
    chosen = _plan(verb, event, last, deliver, tx.now)
    if chosen is None:
        raise Refused("under_way", f"{case.ref} is being sent already; its thread will say what came of it.")
    if chosen.confirm and not command.confirmed:
        raise Refused("needs_confirmation", chosen.confirm)
    connector = deliver.connector or ""
    delivery_id = _owe(tx, case, event, last, chosen, verb, policy, connector, confirmed=command.confirmed)
    facts = {"by": tx.actor.id, "verb": verb.value, "because": chosen.because}
    tx.record(
        f"delivery.{verb.value}_asked",
        case_id=case.id,
        delivery=delivery_id,
        event=event.id,
        because=chosen.because,
        find_first=chosen.find_first,
        confirmed=command.confirmed,
    )
    return finish(tx, acting, What.DELIVERY_ASKED, facts)


def _ask_run(tx: Tx, acting: Acting, verb: Verb, policy: Policy, *, confirmed: bool) -> Outcome:
    """A runbook delivers: its run goes on at the step that failed, or begins anew."""
    assert acting.case.event_id
    _, chosen = begin_again(tx, acting.case, acting.case.event_id, verb, policy, confirmed=confirmed)
    facts = {"by": tx.actor.id, "verb": verb.value, "because": chosen.because}
    return finish(tx, acting, What.DELIVERY_ASKED, facts)


def owe_again(
    tx: Tx, case: Case, verb: Verb, event_id: int, *, confirmed: bool, changes: Mapping[str, Any] | None = None
) -> int:
    """What a run's step sends: the event once more, with these fields of it (by JSON pointer) changed; the delivery.
    Raises `Refused` as `ask_retry` does."""
    policy = tx.policy_of(case) if verb is Verb.RETRY else tx.policy
    deliver = deliver_of(policy, case.workflow)
    if deliver is None:
        raise Refused("nothing_to_send", _nothing(case, verb))
    check_whole(tx.session, event_id)
    event, last = tx.session.get_one(Event, event_id), _last(tx.session, event_id)
    chosen = _plan(verb, event, last, deliver, tx.now)
    if chosen is None:
        raise Refused("under_way", f"E-{event_id} is being sent already.")
    if chosen.confirm and not confirmed:
        raise Refused("needs_confirmation", chosen.confirm)
    key = None
    if changes:
        digest = content_digest(desk_key(tx.session), [event.digest, dict(changes)])
        key = f"{event.key or f'event-{event.id}'}:{digest[:16]}:{(last.generation if last else 0) + 1}"
    to = deliver.connector or ""
    return _owe(tx, case, event, last, chosen, verb, policy, to, confirmed=confirmed, key=key, changes=changes)


def plans(session: Session, case: Case, *, policy: Policy, of_case: Policy, now: datetime) -> dict[Verb, Plan]:
    """What Retry (by the contract that the case was opened with) and Replay (by that of now) would do at the moment."""
    if case.event_id is None:
        return {}
    event, last = session.get_one(Event, case.event_id), _last(session, case.event_id)
    if event.gone:
        return {}
    found = {}
    for verb, by in ((Verb.RETRY, of_case), (Verb.REPLAY, policy)):
        deliver = deliver_of(by, case.workflow)
        chosen = _plan(verb, event, last, deliver, now) if deliver else None
        if chosen:
            found[verb] = chosen
    return found


def _plan(verb: Verb, event: Event, last: Delivery | None, deliver: Deliver, now: datetime) -> Plan | None:
    lasts = timedelta(seconds=deliver.key_lasts.seconds)
    return plan(verb, _past(event, last), has_find=deliver.find is not None, now=now, key_lasts=lasts)


def _not_to_send(session: Session, case: Case, event_id: int) -> str | None:
    """Why the event is not what may be sent: it went into quarantine, where what is sent is what is released of it
    (one that was dropped after it could not be delivered did not), or another one has taken its place."""
    came = session.get(Trigger, event_id)
    if came is None:
        return None
    was_sent = _last(session, event_id) is not None or was_run(session, event_id)
    if came.state in ("quarantined", "released") or (came.state == "dropped" and not was_sent):
        return f"What {case.ref} is about was held in quarantine; `/case quarantine` releases it."
    if came.identity != identity_of(came.identity, came.digest):
        return f"Of E-{event_id} and an event that contradicted it, the other one was right: that one was sent."
    return None


def send_instead(tx: Tx, case: Case, second: Trigger, identity: str, first: Trigger | None, *, by: Actor) -> None:
    """An event is owed in the place of another one that says that it is the same, under its identity, as a new
    generation. Somebody said which is right, and that is the yes to what may happen twice; where the receiver can be
    asked, it is. Raises `Refused` while the first is on its way."""
    if runbook_of(tx.policy.workflows.get(second.workflow)):
        begin_again(tx, case, second.event_id, Verb.REPLAY, tx.policy, confirmed=True)
        return
    deliver = deliver_of(tx.policy, second.workflow)
    if deliver is None:
        raise Refused("nothing_to_send", _nothing(case, Verb.REPLAY))
    chosen = _plan_instead(tx, first, deliver)
    event, before = tx.session.get_one(Event, second.event_id), _last(tx.session, second.event_id)
    key = f"{identity}:{second.digest[:16]}:{(before.generation if before else 0) + 1}"
    to = deliver.connector or ""
    delivery_id = _owe(tx, case, event, before, chosen, Verb.REPLAY, tx.policy, to, confirmed=True, key=key)
    asked: dict[str, Any] = {
        "delivery": delivery_id,
        "event": second.event_id,
        "because": chosen.because,
        "find_first": chosen.find_first,
    }
    tx.record("delivery.replay_asked", case_id=case.id, confirmed=True, **asked)
    in_thread(tx, case, What.DELIVERY_ASKED, by=by.id, verb="replay", request=f"E-{second.event_id}")


def _plan_instead(tx: Tx, first: Trigger | None, deliver: Deliver) -> Plan:
    last = _last(tx.session, first.event_id) if first else None
    if first is None or last is None:
        return Plan(Key.NEXT, deliver.find is not None, None, "the first was never sent")
    chosen = _plan(Verb.REPLAY, tx.session.get_one(Event, first.event_id), last, deliver, tx.now)
    if chosen is None:
        raise Refused("under_way", f"E-{first.event_id} is being sent; decide when it is known what came of it.")
    return chosen


def _ask_connector(tx: Tx, acting: Acting, connector: str) -> Outcome:
    """One of the events that are held for this connector is sent now, to see whether it is back."""
    connectors.ask_now(tx, connector)
    tx.record("connector.asked", case_id=acting.case.id, connector=connector)
    facts = {"by": tx.actor.id, "verb": Verb.RETRY.value, "request": f"one held event goes to {connector} now"}
    return finish(tx, acting, What.DELIVERY_ASKED, facts)


def _nothing(case: Case, verb: Verb) -> str:
    if case.event_id is None:
        return f"{case.ref} came without the event that failed, so there is nothing to {verb}."
    return f"The contract of {case.workflow} does not say how to send its events (`deliver`), so {verb} cannot."


def _last(session: Session, event_id: int) -> Delivery | None:
    newest = select(Delivery).where(col(Delivery.event_id) == event_id).order_by(col(Delivery.generation).desc())
    return session.execute(newest.limit(1)).scalar_one_or_none()


def _past(event: Event, last: Delivery | None) -> Past:
    if last is None:
        return Past(Fate.NEVER_BY_US, event.key is not None, event.received_at)
    return Past(FATES[last.state], event.key is not None, last.key_born_at)


def _owe(
    tx: Tx,
    case: Case,
    event: Event,
    last: Delivery | None,
    chosen: Plan,
    verb: Verb,
    policy: Policy,
    connector: str,
    *,
    confirmed: bool,
    key: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> int:
    generation = (last.generation if last else 0) + 1
    row = {
        "case_id": case.id,
        "event_id": event.id,
        "workflow": case.workflow,
        "connector": connector,
        "verb": verb.value,
        "generation": generation,
        "idempotency_key": key or _key(event, last, chosen, generation),
        "key_born_at": _born_at(tx, event, last, chosen),
        "policy_digest": policy.digest,
        "state": "finding" if chosen.find_first else "sending",
        "content": dict(changes) if changes else None,
        "asked_by": tx.actor.id,
        "asked_at": tx.now,
        "confirmed": confirmed,
        "attempts": 0,
        "due_at": tx.now,
        "because": "",
    }
    connectors.know(tx, [connector])
    return int(tx.session.execute(insert(Delivery).returning(col(Delivery.id)), [row]).scalar_one())


def _key(event: Event, last: Delivery | None, chosen: Plan, generation: int) -> str:
    """The Idempotency-Key: the event's identity, its content's digest and a generation."""
    if chosen.key is Key.SAME and last:
        return last.idempotency_key
    if chosen.key is Key.REPORTED and event.key:
        return event.key
    return f"{event.key or f'event-{event.id}'}:{event.digest[:16]}:{generation}"


def _born_at(tx: Tx, event: Event, last: Delivery | None, chosen: Plan) -> datetime:
    if chosen.key is Key.SAME and last:
        return last.key_born_at
    return event.received_at if chosen.key is Key.REPORTED else tx.now
