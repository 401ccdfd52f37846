"""JSON Schemas of the policy's files, for editors."""

from typing import Any

from pydantic import TypeAdapter

from runbooks.contracts import ContractShape
from runbooks.files import ConnectorsFile, TeamFile
from runbooks.runbook import Runbook

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SHAPES: dict[str, tuple[type[Any], str]] = {
    "team": (TeamFile, "team.yml: who owns what, when they work, and who is on call"),
    "connectors": (ConnectorsFile, "connectors.yml: the systems that do the work, and those that may report"),
    "workflow": (ContractShape, "workflows/NAME.yml: the execution contract of a workflow"),
    "runbook": (Runbook, "runbooks/NAME.yml: a runbook"),
}


def json_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema (2020-12) of each kind of file, by `team`, `connectors`, `workflow` and `runbook`.

    They hold the shapes, so that an editor completes and warns; names across files are for `check` alone.
    """
    return {kind: _schema(shape, title) for kind, (shape, title) in _SHAPES.items()}


def _schema(shape: type[Any], title: str) -> dict[str, Any]:
    return {"$schema": _DIALECT, **TypeAdapter(shape).json_schema(by_alias=True), "title": title}
