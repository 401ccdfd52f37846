"""JSON answers. Instants are RFC 3339 in UTC."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web


def answer(content: Mapping[str, Any], *, status: int = 200) -> web.Response:
    """The content as JSON."""
    body = json.dumps(content, ensure_ascii=False, default=_told).encode()
    return web.Response(status=status, body=body, content_type="application/json")


def _told(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} has no form in JSON")
