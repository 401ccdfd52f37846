"""The event in a CloudEvent 1.0 over HTTP: structured, binary or a batch (CloudEvents HTTP protocol binding, 1.0.2).

What is an event and what is not is for the project's own library to say. Of its attributes nothing is needed: which
workflow it is for says the address, and what it is known by says the contract."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.v1.event import CloudEvent

from bot.web.bodies import parse_json
from bot.web.problems import Problem, kind

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
_BINARY = "ce-"


def contents_of(content_type: str, headers: Mapping[str, str], body: bytes) -> Any:
    """What the request brings: one event's content, or a list of several. JSON that is no CloudEvent is as it came.
    Raises `Problem` 400 for what calls itself a CloudEvent and is none."""
    if content_type == BATCH:
        return _batch(parse_json(body))
    if content_type == STRUCTURED:
        return _structured(parse_json(body))
    if content_type.startswith("application/cloudevents"):
        raise _no_event(f"{content_type} is not read; send {STRUCTURED} or {BATCH}")
    if any(name.lower() == "ce-specversion" for name in headers):
        return _binary(headers, body)
    return parse_json(body)


def _batch(content: Any) -> list[Any]:
    if not isinstance(content, list):
        raise _no_event("a batch is a JSON array of CloudEvents")
    return [_structured(each) for each in content]


def _structured(content: Any) -> Any:
    if not isinstance(content, dict):
        raise _no_event("a CloudEvent is a JSON object")
    attributes = {name: value for name, value in content.items() if name not in ("data", "data_base64")}
    _check(attributes)
    if "data_base64" not in content:
        return content.get("data")
    try:
        return parse_json(base64.b64decode(content["data_base64"], validate=True))
    except (binascii.Error, TypeError, ValueError):
        raise _no_event("data_base64 is not base64") from None


def _binary(headers: Mapping[str, str], body: bytes) -> Any:
    attributes = {
        name[len(_BINARY) :].lower(): unquote(value)
        for name, value in headers.items()
        if name.lower().startswith(_BINARY)
    }
    _check(attributes)
    return parse_json(body)


def _check(attributes: Mapping[str, Any]) -> None:
    """Raises `Problem` where an attribute that has to be there is missing or wrong."""
    said = dict(attributes)
    if said.get("specversion") != "1.0":
        raise _no_event('specversion has to be "1.0"')
    try:
        if isinstance(said.get("time"), str):
            said["time"] = datetime.fromisoformat(said["time"])
        CloudEvent(said, None)
    except CloudEventValidationError as fault:
        wrong = "; ".join(str(errors[0]) for errors in fault.errors.values())
        raise _no_event(wrong[:500]) from None
    except (ValueError, OverflowError):
        raise _no_event("time has to be a timestamp by RFC 3339") from None


def _no_event(why: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"this is no CloudEvent: {why}", kind=kind("bad-cloudevent"))
