"""Asks one check of a contract: its request is filled in and sent, and its condition decides over what came back."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic_core import to_json

from bot.desk.checks import Answer, Question
from bot.jobs.credentials import with_secrets
from bot.rules.closing import Found, found_in_words, read_answer
from bot.rules.redaction import HIDDEN, as_shown, struck_out
from bot.rules.texts import storable
from bot.settings import SettingsFault
from runbooks import calls
from runbooks.calls import KEPT_BYTES, Caller
from runbooks.connectors import Connector, MissingVariable, Resolved
from runbooks.contracts import Check
from runbooks.filling import Filled, fill
from runbooks.policy import Policy
from runbooks.request import Request
from runbooks.templates import Expression, ExpressionFault, Missing

LONGEST_SECONDS = 60.0
"""Whatever its connector says: a check is asked within its lease."""
LONGEST_PATH = 2000
PLAYED = "a drill: nothing was asked"


async def ask(question: Question, caller: Caller, environment: Mapping[str, str]) -> Answer:
    """What the check finds now. It is asked once, and only a drill's is not sent. Never raises for what a system, the
    environment or the policy does wrong: that is in the answer. What is redacted in the event is nowhere in it but in
    its `body`."""
    if question.is_drill:
        return Answer(Found.PASSED, PLAYED)
    request = question.check.request
    if request is None:
        return _decided(question, question.names, None, "")
    try:
        connector, resolved = _connector(question.policy, request.connector or "", environment)
        filled = fill(request, question.names)
    except Missing as missing:
        return Answer(Found.FAILED, f"it cannot be asked: {missing}")
    except ExpressionFault as fault:
        return _at_fault(question.check, fault)
    except (MissingVariable, SettingsFault) as fault:
        return Answer(Found.IMPOSSIBLE, str(fault))
    timeout = min(connector.timeout.seconds, LONGEST_SECONDS)
    came = await caller.send(connector, resolved, filled, timeout=timeout, headers={})
    return _hidden(_read(question, came), question, request, filled)


def _connector(policy: Policy, name: str, environment: Mapping[str, str]) -> tuple[Connector, Resolved]:
    connector = policy.connectors[name]
    return connector, with_secrets(connector, environment)


def _read(question: Question, came: calls.Answer) -> Answer:
    if came.status is None:
        return Answer(Found.UNKNOWN, came.error, share=_share())
    names = {**question.names, "response": came.as_names()}
    answer = _decided(question, names, came.status, _cut(came))
    return replace(answer, status=came.status, body=came.text, retry_after=came.retry_after, share=_share())


def _decided(question: Question, names: Mapping[str, Any], status: int | None, more: str) -> Answer:
    check, expect = question.check, question.check.expect
    assert isinstance(expect, Expression)
    try:
        decision = expect.decide(names)
    except ExpressionFault as fault:
        return _at_fault(check, fault)
    found, because = read_answer(status, met=decision.met, because=decision.because)
    values = found_in_words(_facts(question, expect, names)) if found is Found.FAILED else ""
    return Answer(found, because if decision.met else f"{because}{more}", values=storable(values))


def _facts(question: Question, expect: Expression, names: Mapping[str, Any]) -> dict[str, Any]:
    """What the condition read, as it may be said: where the event as it is shown gives something else, it is hidden."""
    facts = expect.facts(names)
    if not question.removed:
        return facts
    seen, removed = expect.facts({**names, "event": question.shown_event}), question.removed.values()
    shown = {path: value if path in seen and seen[path] == value else HIDDEN for path, value in facts.items()}
    return {path: HIDDEN if struck_out(str(value), removed) != str(value) else value for path, value in shown.items()}


def _at_fault(check: Check, fault: ExpressionFault) -> Answer:
    return Answer(Found.IMPOSSIBLE, f"the contract has a fault: {fault}", fault=f"check {check.name!r}: {fault}")


def _cut(came: calls.Answer) -> str:
    return f" (of its answer, only the first {KEPT_BYTES // 1024} KiB were read)" if came.is_cut else ""


def _share() -> float:
    """At least half of each wait: somebody waits, and the system has some time to come back."""
    return random.uniform(0.5, 1.0)  # noqa: S311


def _hidden(answer: Answer, question: Question, request: Request, filled: Filled) -> Answer:
    """The answer as it may be kept: without what is redacted in the event, and of a bounded length."""
    shown = as_shown(filled.on_record(), _without_redacted(request, question)) if question.removed else None
    kept = shown if isinstance(shown, dict) else filled.on_record()
    because = struck_out(answer.because, question.removed.values())
    return replace(answer, request=_bounded(kept), because=storable(because))


def _without_redacted(request: Request, question: Question) -> Any:
    try:
        return fill(request, {**question.names, "event": question.shown_event}).on_record()
    except (Missing, ExpressionFault):
        return dict.fromkeys(("method", "path", "headers", "json"), HIDDEN)


def _bounded(request: dict[str, Any]) -> dict[str, Any]:
    """Of a request that is too long, only where it went."""
    size = len(to_json(request))
    if size <= KEPT_BYTES:
        return request
    return {"method": request["method"], "path": str(request["path"])[:LONGEST_PATH], "json": f"{size:,} bytes"}
