"""Reads a Web API call's arguments as Slack does: query, form and JSON merged, objects also as JSON strings."""

import json
from typing import Any

from aiohttp import web

from .errors import SlackError


class Arguments(dict[str, Any]):
    """The arguments of one call by name, without the token."""

    def text(self, name: str, default: str = "") -> str:
        """The argument as a string."""
        value = self.get(name)
        return default if value is None else str(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """The argument as a boolean: Slack takes 1, true and "true"."""
        value = self.get(name)
        return default if value is None else str(value).lower() in ("1", "true")

    def number(self, name: str, default: int) -> int:
        """The argument as a whole number. Raises SlackError invalid_arguments."""
        value = self.get(name)
        if value in (None, ""):
            return default
        try:
            return int(str(value))
        except ValueError:
            raise invalid(f"{name} must be a number", f"/{name}") from None

    def names(self, name: str) -> list[str]:
        """The argument as a list: an array, or names with commas between."""
        value = self.get(name)
        parts = value if isinstance(value, list) else str(value or "").split(",")
        return [str(part).strip() for part in parts if str(part).strip()]

    def parsed(self, name: str) -> Any:
        """The argument as JSON, also when it came as a string; None when it is absent.

        Raises SlackError invalid_arguments when the string is no JSON.
        """
        value = self.get(name)
        if not isinstance(value, str) or value == "":
            return value or None if isinstance(value, str) else value
        try:
            return json.loads(value)
        except ValueError:
            raise invalid(f"{name} is not JSON", f"/{name}") from None


def invalid(sentence: str, pointer: str) -> SlackError:
    """Slack's `invalid_arguments` with its message."""
    messages = [f"[ERROR] {sentence} [json-pointer:{pointer}]"]
    return SlackError("invalid_arguments", response_metadata={"messages": messages})


async def read(request: web.Request) -> tuple[str, Arguments]:
    """Return the token ("" when there is none) and the arguments of a request."""
    found: dict[str, Any] = dict(request.query)
    if request.method == "POST":
        found |= await _body(request)
    token = str(found.pop("token", ""))
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        token = given.strip()
    return token, Arguments({name: value for name, value in found.items() if value is not None})


async def _body(request: web.Request) -> dict[str, Any]:
    if request.content_type != "application/json":
        return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    try:
        body = json.loads(await request.text() or "{}")
    except ValueError:
        raise SlackError("invalid_json") from None
    if not isinstance(body, dict):
        raise SlackError("json_not_object")
    return body
