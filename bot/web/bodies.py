"""What a body must be before anybody looks at what it says: JSON, of bounded size and depth, and storable."""

from __future__ import annotations

import math
import re
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic_core import from_json

from bot.web.patience import body_of
from bot.web.problems import Problem, kind

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64


async def read_body(request: web.Request) -> bytes:
    """The bytes of the body. Raises `Problem` 413 for more than 1 MiB, and 408 for one that does not come."""
    try:
        return await body_of(request)
    except web.HTTPRequestEntityTooLarge:
        raise too_large() from None


def refuse_large(request: web.Request) -> None:
    """Passes a request whose body is not announced as larger than 1 MiB: nothing of it is read. Raises `Problem`."""
    if (request.content_length or 0) > MAX_BYTES:
        raise too_large()


def too_large() -> Problem:
    """413, after which the connection ends."""
    detail = f"the body is larger than {MAX_BYTES} bytes; send the reports in several requests"
    headers = {"Connection": "close"}
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, kind=kind("too-large"), headers=headers)


def parse_json(body: bytes) -> Any:
    """The JSON value of a body: UTF-8, at most 64 levels deep, without NUL characters (no database keeps them), lone
    surrogates or numbers beyond what a double holds. Raises `Problem` 400, and for too deep ones 422.

    pydantic's parser stops at a depth of its own, far from the end of the stack; json.loads would not."""
    try:
        value = from_json(body, allow_inf_nan=False, cache_strings="keys")
    except ValueError as fault:
        if "recursion limit" in str(fault):
            raise _too_deep() from None
        detail = f"the body is not JSON in UTF-8: {fault}"
        raise Problem(HTTPStatus.BAD_REQUEST, detail, kind=kind("not-json")) from None
    _refuse_deep(value, MAX_DEPTH)
    if _SUSPECT.search(body):
        _refuse_unstorable(value)
    return value


_SUSPECT = re.compile(rb"\\u0000|[eE]\+?[0-9]{3}|[0-9]{200}")
"""What a NUL or a number beyond a double has in it as JSON; only then is it worth while to look at every value."""


def _refuse_deep(value: Any, levels: int) -> None:
    items = value.values() if type(value) is dict else value if type(value) is list else ()
    for item in items:
        if type(item) is dict or type(item) is list:
            if levels == 1:
                raise _too_deep()
            _refuse_deep(item, levels - 1)


def _refuse_unstorable(value: Any) -> None:
    if isinstance(value, str) and "\0" in value:
        raise _unstorable("it has a NUL character (\\u0000)")
    if isinstance(value, float) and not math.isfinite(value):
        raise _unstorable("it has a number that is too large; send it as a string")
    if isinstance(value, dict):
        for key in value:
            _refuse_unstorable(key)
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _refuse_unstorable(item)


def _unstorable(why: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"the body cannot be kept: {why}", kind=kind("not-json"))


def _too_deep() -> Problem:
    detail = f"the body is nested deeper than {MAX_DEPTH} levels; send the inner part as a string"
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, kind=kind("too-deep"))
