"""Retry and Replay: a person has an event sent again, by the rules of *Sending again*."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select
from sqlmodel import Session, col

from bot.desk.acting import begin, finish
from bot.desk.commands import Outcome
from bot.desk.deliveries import deliver_of
from bot.desk.tx import Tx
from bot.rules.permissions import Act
from bot.rules.refusals import Refused
from bot.rules.saying import What
from bot.rules.sending import Fate, Key, Past, Plan, Verb, plan
from runbooks.policy import Policy
from store.models import Case, Delivery, Event

FATES = {
    "delivered": Fate.DELIVERED,
    "already_there": Fate.DELIVERED,
    "refused": Fate.REFUSED,
    "unknown": Fate.UNKNOWN,
    "dead": Fate.REFUSED,
    "finding": Fate.UNDER_WAY,
    "sending": Fate.UNDER_WAY,
    "verifying": Fate.UNDER_WAY,
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


def possible(session: Session, case: Case, policy: Policy) -> Possible:
    """Which of the two buttons the card of this case shows."""
    if case.event_id is None or deliver_of(policy, case.workflow) is None:
        return Possible(False, False)
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
    policy = tx.policy_of(case) if verb is Verb.RETRY else tx.policy
    deliver = deliver_of(policy, case.workflow)
    if case.event_id is None or deliver is None:
        raise Refused("nothing_to_send", _nothing(case, verb))
    event = tx.session.get_one(Event, case.event_id)
    last = _last(tx.session, event.id)
    chosen = plan(
        verb,
        _past(event, last),
        has_find=deliver.find is not None,
        now=tx.now,
        key_lasts=timedelta(seconds=deliver.key_lasts.seconds),
    )
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
) -> int:
    generation = (last.generation if last else 0) + 1
    row = {
        "case_id": case.id,
        "event_id": event.id,
        "workflow": case.workflow,
        "connector": connector,
        "verb": verb.value,
        "generation": generation,
        "idempotency_key": _key(event, last, chosen, generation),
        "key_born_at": _born_at(tx, event, last, chosen),
        "policy_digest": policy.digest,
        "state": "finding" if chosen.find_first else "sending",
        "content": None,
        "asked_by": tx.actor.id,
        "asked_at": tx.now,
        "confirmed": confirmed,
        "attempts": 0,
        "due_at": tx.now,
        "because": "",
    }
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
