"""What `GET /openapi.json` says of workflows: the handoff matrix, and the versions of a contract side by side. Each
answer has exactly these members."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bot.desk.inventory import COUNTED, PROPOSED, Named, State
from bot.desk.rollouts import COMPARED
from bot.desk.rollouts import STATES as EVENT_STATES

Schema = dict[str, Any]


def _exactly(about: str = "", /, **members: Schema) -> Schema:
    described: Schema = {"description": about} if about else {}
    shape = {"type": "object", "required": list(members), "properties": members, "additionalProperties": False}
    return shape | described


def _text(about: str = "", *, example: str | None = None) -> Schema:
    return _described({"type": "string"} | ({"examples": [example]} if example else {}), about)


def _described(schema: Schema, about: str) -> Schema:
    return schema | {"description": about} if about else schema


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _one_of(words: Iterable[str], about: str = "") -> Schema:
    return _described({"type": "string", "enum": list(words)}, about)


def _count(about: str = "") -> Schema:
    return _described({"type": "integer", "minimum": 0}, about)


def _list(items: Schema, about: str = "") -> Schema:
    return _described({"type": "array", "items": items}, about)


def _by_name(of: Schema, about: str) -> Schema:
    return {"type": "object", "additionalProperties": of, "description": about}


_INSTANT: Schema = {"type": "string", "format": "date-time"}
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_ROLE = _text("A role of team.yml", example="revenue-ops")
_PEOPLE = _list({"type": "string"}, "Whom telling the role reaches now, by their Slack ids")
_LENGTH = _text("A length as the policy writes it", example="2bh")
_PRIORITY = _one_of(("P1", "P2", "P3", "P4"))
_MODE = _one_of(("shadow", "canary", "live"))
_PERCENT = _or_null({"type": "number", "minimum": 0, "maximum": 100})

_CONTRACT: dict[str, Schema] = {
    "workflow": _text(example="refund"),
    "title": _text(),
    "purpose": _or_null(_text()),
    "version": {"type": "integer"},
    "rollout": _exactly(mode=_MODE, percent=_PERCENT),
    "risk": _one_of(("critical", "high", "medium", "low")),
    "owners": _exactly("Who answers for the result, and who runs it", accountable=_ROLE, steward=_ROLE),
    "source_of_record": _or_null(_text("The connector that is right")),
    "trigger": _or_null(_exactly(schema=_text(), id=_text("What an event is known by"))),
    "deliver": _or_null(_exactly(connector=_or_null(_text()), runbook=_or_null(_text()))),
    "outcome": _or_null(_exactly(id=_text(), within=_LENGTH)),
    "freshness": _or_null(_exactly(at_least=_count(), every=_LENGTH)),
    "census": _or_null(_exactly(every=_LENGTH)),
    "failure_modes": _list(_text(), "Those that the contract itself names"),
}
_NAMED_BY = _one_of((each.value for each in Named), "By its own name, by `other`, or not at all: it is unrouted")
_PATH = _exactly(
    "Where a failure mode goes, without what a routing rule may change for one case",
    failure_mode=_text(example="delivery_failed"),
    named_by=_NAMED_BY,
    priority=_PRIORITY,
    owner=_ROLE,
    people=_PEOPLE,
    route=_one_of(("owner_queue", "on_call"), "Where it goes, after the auto-fix if there is one"),
    auto_fix=_or_null(_text("The runbook that goes first")),
    acknowledge_within=_LENGTH,
    resolve_within=_LENGTH,
    runbooks=_list(_text()),
    next_step=_or_null(_text()),
)
_METRIC = _exactly(
    f"Of what came in the last {COUNTED.days} days, without drills",
    days=_count(),
    came=_count(),
    succeeded=_count("Delivered, and done where an outcome must come"),
    pending=_count("Under way, or waiting for its outcome"),
    success_rate=_or_null(_described(_SHARE, "succeeded of came; null where nothing came")),
)
_PROPOSALS = _exactly(
    f"What a runbook proposed in shadow in the last {PROPOSED.days} days, and how much of it somebody said yes to",
    runbook=_text(),
    mode=_one_of(("shadow", "live"), "What the runbook is in now"),
    days=_count(),
    accepted=_count(),
    answered=_count("Those that somebody said yes or no to: the share that was accepted is of these"),
    proposed=_count(),
)
_DOING: dict[str, Schema] = {
    "exception_paths": _list(_PATH),
    "people": _by_name(_PEOPLE, "By role: whom telling it reaches now"),
    "state": _one_of((each.value for each in State), "What matters most first"),
    "open_cases": _count(),
    "open_by_failure_mode": _by_name(_count(), "Open cases by failure mode"),
    "held": _count("Events in quarantine, and those that wait for a connector to which nothing is sent for now"),
    "held_by": _or_null(_text("Why nothing is sent there")),
    "quarantined": _count(),
    "unmatched_outcomes": _count(),
    "last_event_at": _or_null(_INSTANT),
    "metric": _METRIC,
    "proposals": _list(_PROPOSALS),
}
WORKFLOWS = _exactly(
    at=_INSTANT, workflows=_list(_exactly("A contract in force, and how it does", **_CONTRACT, **_DOING))
)

_VERSION = _exactly(
    "The events that went by one version of the contract, without drills",
    version={"type": "integer"},
    came=_count(),
    success=_or_null(_described(_SHARE, "What arrived of what has ended; null where nothing has")),
    states=_by_name(_count(), f"How many are in each state: {', '.join(EVENT_STATES)}"),
    first_at=_INSTANT,
    last_at=_INSTANT,
)
_WOULD = _exactly(event=_text(example="E-17"), received_at=_INSTANT, would=_text("What would have become of it"))
ROLLOUT = _exactly(
    workflow=_text(),
    version={"type": "integer"},
    mode=_MODE,
    percent=_PERCENT,
    match=_or_null(_text()),
    versions=_list(_VERSION, f"Those of the last {COMPARED.days} days, the newest first"),
    shadowed=_list(_WOULD, "The latest events that came while it was in shadow"),
)
