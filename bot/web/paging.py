"""What all lists over HTTP have in common: parameters that are checked, and pages by cursor."""

from __future__ import annotations

import base64
import binascii
from difflib import get_close_matches
from http import HTTPStatus

from aiohttp import web

from bot.web.problems import Problem, kind

PAGE, MAX_PAGE = 50, 500


def check_parameters(request: web.Request, known: tuple[str, ...]) -> None:
    """Passes for parameters that there are, each given once. Raises `Problem` 400."""
    for name, value in request.query.items():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise bad(f"unknown parameter {name!r}", f"did you mean {near[0]}?" if near else listed(known))
        if len(request.query.getall(name)) > 1:
            raise bad(f"{name} is given more than once", "ask once for each")
        if "\0" in value:
            raise bad(f"{name} has a NUL character", "leave it out")


def limit(text: str | None) -> int:
    """How many a page has. Raises `Problem` 400."""
    if not text:
        return PAGE
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MAX_PAGE):
        raise bad(f"limit {text[:20]!r} is not one", f"a limit is a number from 1 to {MAX_PAGE}")
    return int(text)


def cursor(last_id: int) -> str:
    """Where the page after the one that ended with this id begins."""
    return base64.urlsafe_b64encode(f"v1:{last_id}".encode()).decode().rstrip("=")


def before(cursor: str | None) -> int | None:
    """The id that a page ended with. Raises `Problem` 400."""
    if not cursor:
        return None
    try:
        version, _, number = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(":")
    except (binascii.Error, ValueError):
        version, number = "", ""
    if version != "v1" or not (number.isascii() and number.isdigit() and len(number) <= 18):
        raise bad("this is not a cursor", "use the next of an answer, as it is")
    return int(number)


def bad(what: str, right: str) -> Problem:
    """A parameter that is wrong, and what would be right."""
    return Problem(HTTPStatus.BAD_REQUEST, f"{what}; {right}", kind=kind("bad-parameter"))


def listed(names: tuple[str, ...]) -> str:
    """The names that there are."""
    return f"known are {', '.join(names)}"
