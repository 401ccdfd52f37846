"""A request with its texts filled in: what will be sent, before anybody sends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from runbooks.request import Request
from runbooks.templates import Tree, render_tree


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
    """Renders path, query, headers and body. Raises `Missing` or `ExpressionFault` where a text cannot be."""
    path = request.path.render_text(names)
    query = {name: render_tree(value, names) for name, value in request.query.items()}
    if query:
        path += ("&" if "?" in path else "?") + urlencode(query, doseq=True)
    headers = {name: text.render_text(names) for name, text in request.headers.items()}
    body = render_tree(request.json, names) if isinstance(request.json, Tree) else request.json
    return Filled(request.method, path, headers, body)
