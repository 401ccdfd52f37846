"""The form of a report over HTTP: what is taken, what is refused, and in which words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

T = TypeVar("T")


def _not_given(value: Any) -> Any:
    """An empty text counts as not given: templates of automations leave them behind."""
    return None if value == "" else value


def _web_address(value: str) -> str:
    if not _LINK.fullmatch(value):
        raise ValueError("this is not a link; write https://host/path, with spaces and < > | percent-encoded")
    return value


_LINK = re.compile(r"https?://[^\s<>|\"/?#@\\]+(?:[/?#][^\s<>|\"]*)?", re.IGNORECASE)
"""A web address that can be put into Slack's `<link>` as it is, and that hides its host behind no user."""


def _header_value(value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise ValueError("an Idempotency-Key is a header: printable ASCII characters only")
    return value


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Key = Annotated[str, StringConstraints(max_length=500)]
SentKey = Annotated[Key, AfterValidator(_header_value)]
Link = Annotated[str, StringConstraints(max_length=2_000), AfterValidator(_web_address)]
Maybe = Annotated[T | None, BeforeValidator(_not_given)]


class ReportBody(BaseModel):
    """One report of one failure. `null` and `""` count as not given. `detail` has no limit of its own: the whole
    request is at most 1 MiB. `event` is the payload of the automation's event, `event_key` the Idempotency-Key under
    which it was first sent; `dedup_key` is the sender's own name for this failure."""

    model_config = ConfigDict(extra="forbid", strict=True, title="Exception")

    workflow: Name
    title: Title
    failure_mode: Maybe[Name] = None
    detail: str | None = None
    priority: Maybe[Literal["P1", "P2", "P3", "P4"]] = None
    subject: Maybe[Key] = None
    event: dict[str, Any] | None = None
    event_key: Maybe[SentKey] = None
    dedup_key: Maybe[Key] = None
    links: Annotated[list[Link], Field(max_length=20)] | None = None


KEYS = tuple(ReportBody.model_fields)


def errors_of(fault: ValidationError, *, under: str = "") -> list[dict[str, str]]:
    """What is wrong, each with the JSON pointer of its place. What was sent is not repeated."""
    return [
        {"pointer": under + _pointer(each["loc"]), "detail": _words(each)}
        for each in fault.errors(include_url=False, include_input=False)
    ]


def _pointer(loc: Sequence[int | str]) -> str:
    """RFC 6901."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in loc)


def _words(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return _unknown_key(str(error["loc"][-1]))
    if error["type"] == "missing":
        return "this is required"
    if error["type"] in ("model_type", "model_attributes_type"):
        return "a report is a JSON object"
    return error["msg"].removeprefix("Value error, ")


def _unknown_key(key: str) -> str:
    near = get_close_matches(key.lower(), KEYS, n=1)
    if near:
        return f"unknown key; did you mean {near[0]}?"
    return f"unknown key; known are {', '.join(KEYS)} (what belongs to the automation's own data goes into event)"
