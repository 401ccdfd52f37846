"""Errors as `application/problem+json` (RFC 9457): what went wrong, in words that help whoever sent the request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from aiohttp import web

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A request that is refused. `detail` is for people; `errors` names places in the body by JSON pointers
    (RFC 6901); `more` are further members of the problem."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        kind: str = "about:blank",
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.kind = kind
        self.errors = errors
        self.headers = headers
        self.more = more or {}

    def members(self) -> dict[str, Any]:
        """The problem as a JSON object."""
        told: dict[str, Any] = {
            "type": self.kind,
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
        }
        if self.errors:
            told["errors"] = [dict(error) for error in self.errors]
        return told | dict(self.more)

    def response(self) -> web.Response:
        """The answer that tells it."""
        return web.Response(
            status=self.status,
            body=json.dumps(self.members(), ensure_ascii=False).encode(),
            content_type=MEDIA_TYPE,
            headers=self.headers,
        )


def kind(name: str) -> str:
    """The `type` of a problem of ours."""
    return f"urn:pointsman:problem:{name}"
