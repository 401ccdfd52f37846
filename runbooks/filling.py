"""A request with its texts filled in: what will be sent, before anybody sends it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from runbooks.request import Request
from runbooks.templates import ExpressionFault, Tree, render_tree

_UNFIT = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
"""What the value of a header cannot hold (RFC 9110, section 5.5)."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A request with all its texts rendered: what will be sent, beside the connector's own headers."""

    method: str
    path: str
    headers: Mapping[str, str]
    json: object

    def on_record(self) -> dict[str, Any]:
        """How it is kept as evidence; the connector's secrets are not in it."""
        return {"method": self.method, "path": self.path, "headers": dict(self.headers), "json": self.json}


def fill(request: Request, names: Mapping[str, object]) -> Filled:
    """Renders path, query, headers and body. Raises `Missing` or `ExpressionFault` where a text cannot be, also where
    HTTP or JSON cannot carry what it gives."""
    path = request.path.render_text(names)
    query = {name: render_tree(value, names) for name, value in request.query.items()}
    if query:
        path += ("&" if "?" in path else "?") + _encoded(query)
    headers = {name: _fit(name, text.render_text(names)) for name, text in request.headers.items()}
    body = _writable(render_tree(request.json, names)) if isinstance(request.json, Tree) else request.json
    return Filled(request.method, path, headers, body)


def _encoded(query: Mapping[str, object]) -> str:
    try:
        return urlencode(query, doseq=True)
    except UnicodeEncodeError:
        raise ExpressionFault("the query would hold a text that cannot be written as UTF-8") from None


def _fit(name: str, value: str) -> str:
    if _UNFIT.search(value):
        raise ExpressionFault(f"the header {name} would hold what no header can", "take out line breaks and the like")
    return value


def _writable(body: object) -> object:
    try:
        json.dumps(body, allow_nan=False)
    except (TypeError, ValueError):
        raise ExpressionFault("the body would hold what JSON cannot", "write an instant with a filter: date") from None
    return body
