"""`GET /openapi.json`: the API as OpenAPI 3.1, from the models that the requests are read with."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from bot.web.bodies import MAX_BYTES
from bot.web.cases import CHECK_FIELDS, CLOSING_FIELDS, FIELDS, KNOWN_STATES
from bot.web.cloud_events import BATCH, STRUCTURED
from bot.web.events import MAX_EVENTS
from bot.web.exceptions import MAX_REPORTS
from bot.web.openapi_workflows import ROLLOUT, WORKFLOWS
from bot.web.outcomes import MAX_OUTCOMES, STATES
from bot.web.paging import MAX_PAGE, PAGE
from bot.web.reports import ReportBody
from bot.web.runs import RUN_FIELDS, STEP_FIELDS

_RESULT = {
    "type": "object",
    "required": ["case", "occurrence", "deduplicated"],
    "properties": {
        "case": {"type": "string", "examples": ["C-17"]},
        "occurrence": {"type": "integer", "minimum": 1},
        "deduplicated": {"type": "boolean", "description": "It joined a case that was open."},
    },
}
_TAKEN = {
    "type": "object",
    "required": ["event", "status"],
    "properties": {
        "event": {"type": ["string", "null"], "examples": ["E-17"]},
        "status": {"enum": ["done", "failed", "late", "waiting", "unclear", "early", "unmatched"]},
        "case": {"type": "string", "examples": ["C-17"]},
        "because": {"type": "string"},
    },
}
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}


def openapi() -> dict[str, Any]:
    """The document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Pointsman", "version": version("pointsman"), "description": _ABOUT},
        "security": [{"token": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": _CREDENTIALS}},
            "schemas": {
                "Exception": ReportBody.model_json_schema(),
                "Result": _RESULT,
                "Outcome": {"type": "object"},
                "Taken": _TAKEN,
                "Problem": _PROBLEM,
                "Workflows": WORKFLOWS,
                "Rollout": ROLLOUT,
                "Case": _fields(FIELDS),
                "WholeCase": _whole_case(),
                "Closing": _fields(CLOSING_FIELDS, checks=_list("Check")),
                "Run": _fields(
                    RUN_FIELDS, run={"type": "integer"}, event={}, steps=_list("Step"), approvals={"type": "array"}
                ),
                "Step": _fields(STEP_FIELDS, attempts={"type": "array"}),
                "Check": _fields(CHECK_FIELDS),
            },
        },
    }


_ABOUT = f"Bodies are JSON of at most {MAX_BYTES} bytes. Errors are application/problem+json (RFC 9457)."
_CREDENTIALS = (
    "The token of a source in connectors.yml. A source with a secret signs instead: Standard Webhooks, "
    "webhook-id, webhook-timestamp and webhook-signature."
)


def _whole_case() -> dict[str, Any]:
    more = _object(
        reports={"type": "array"}, deliveries={"type": "array"}, closings=_list("Closing"), runs=_list("Run")
    )
    return {"allOf": [_ref("Case"), more]}


def _paths() -> dict[str, Any]:
    return {
        "/v1/exceptions": {"post": _post_exceptions()},
        "/v1/cases": {"get": _get("Cases, latest first", _object(cases=_list("Case"), next={}), _case_parameters())},
        "/v1/cases/{ref}": {"get": _get("One case", _ref("WholeCase"), [_REF])},
        "/v1/cases/{ref}/audit": {"get": _get("Its audit trail", _object(entries={"type": "array"}), [_REF])},
        "/v1/cases/{ref}/postmortem": {"get": _get_document("What was learnt from it, as Markdown", [_REF])},
        "/v1/quarantine": {"get": _get("Events that are held", _object(events={"type": "array"}, next={}), _page())},
        "/v1/events/{workflow}": {"post": _post_events()},
        "/v1/outcomes/{workflow}": {"post": _post_outcomes()},
        "/v1/outcomes": {"get": _get("Outcomes", _object(outcomes=_list("Outcome"), next={}), _outcomes())},
        "/v1/workflows": {"get": _get("The handoff matrix", _ref("Workflows"))},
        "/v1/workflows/{workflow}/rollout": {"get": _get("How a contract is rolled out", _ref("Rollout"), [_WORKFLOW])},
        "/v1/oncall": {"get": _get("Who is on call now", _object(oncall={"type": "array"}))},
        "/metrics": {"get": _get_document("Figures for Prometheus", [], "text/plain", secured=False)},
        "/openapi.json": {"get": _get("This page", {"type": "object"}, secured=False)},
        "/healthz": {"get": _get("The process is alive", _object(status={"type": "string"}), secured=False)},
        "/readyz": {"get": _ready()},
    }


_REF = {"name": "ref", "in": "path", "required": True, "schema": {"type": "string", "examples": ["C-17"]}}


_REPEATED = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Printable ASCII. A repeat with the same key and body is answered as the first was.",
}


def _ready() -> dict[str, Any]:
    state = _object(status={"type": "string"}, reasons={"type": "array", "items": {"type": "string"}})
    told = _get("It is able to work", state, secured=False)
    return told | {"responses": {**told["responses"], "503": {"description": "Not now", "content": _json(state)}}}


_APART = "One for each report, in their order; one that cannot be taken in holds up no other."


def _post_exceptions() -> dict[str, Any]:
    many = {"type": "array", "items": _ref("Exception"), "minItems": 1, "maxItems": MAX_REPORTS}
    each = {"oneOf": [_ref("Result"), _object(problem=_ref("Problem"))]}
    results = _object(results={"type": "array", "items": each, "description": _APART})
    return {
        "summary": "Reports an exception, or a list of them",
        "parameters": [_REPEATED],
        "requestBody": {"required": True, "content": _json({"oneOf": [_ref("Exception"), many]})},
        "responses": {
            "202": {"description": "On disk", "content": _json({"oneOf": [_ref("Result"), results]})},
            "default": _problem(),
        },
    }


_WORKFLOW = {"name": "workflow", "in": "path", "required": True, "schema": {"type": "string"}}


def _post_events() -> dict[str, Any]:
    many = {"type": "array", "items": {"type": "object"}, "minItems": 1, "maxItems": MAX_EVENTS}
    status = {"type": "string", "enum": ["accepted", "duplicate", "quarantined", "ignored"]}
    result = _object(event={"type": "string"}, status=status)
    result["properties"]["case"] = {"type": "string"}
    body = {"schema": {"oneOf": [{"type": "object"}, many]}}
    kinds = ("application/json", STRUCTURED, BATCH)
    taken = {"oneOf": [result, _object(results={"type": "array", "items": result})]}
    return {
        "summary": "Takes in an event that triggers a workflow, or several",
        "parameters": [_WORKFLOW, _REPEATED],
        "requestBody": {"required": True, "content": dict.fromkeys(kinds, body)},
        "responses": {
            "202": {"description": "On disk", "content": _json(taken)},
            "default": _problem(),
        },
    }


def _post_outcomes() -> dict[str, Any]:
    many = {"type": "array", "items": _ref("Outcome"), "minItems": 1, "maxItems": MAX_OUTCOMES}
    taken = {"oneOf": [_ref("Taken"), _object(results=_list("Taken"))]}
    return {
        "summary": "Says what came of an event, or of several",
        "parameters": [_WORKFLOW, _REPEATED],
        "requestBody": {"required": True, "content": _json({"oneOf": [_ref("Outcome"), many]})},
        "responses": {"202": {"description": "On disk", "content": _json(taken)}, "default": _problem()},
    }


def _outcomes() -> list[dict[str, Any]]:
    kept = [each for each in _case_parameters() if each["name"] in ("workflow", "limit", "cursor")]
    return [{"name": "state", "in": "query", "schema": {"type": "string", "enum": list(STATES)}}, *kept]


def _get(
    summary: str, schema: dict[str, Any], parameters: list[dict[str, Any]] | None = None, *, secured: bool = True
) -> dict[str, Any]:
    answers = {"200": {"description": "OK", "content": _json(schema)}, "default": _problem()}
    unsecured: dict[str, Any] = {} if secured else {"security": []}
    return {"summary": summary, "parameters": parameters or [], "responses": answers, **unsecured}


def _page() -> list[dict[str, Any]]:
    return [each for each in _case_parameters() if each["name"] in ("workflow", "limit", "cursor")]


def _case_parameters() -> list[dict[str, Any]]:
    texts: list[tuple[str, dict[str, Any]]] = [
        ("state", {"type": "string", "enum": list(KNOWN_STATES)}),
        ("workflow", {"type": "string"}),
        ("owner", {"type": "string"}),
        ("limit", {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": PAGE}),
        ("cursor", {"type": "string"}),
    ]
    return [{"name": name, "in": "query", "schema": schema} for name, schema in texts]


def _get_document(
    summary: str, parameters: list[dict[str, Any]], kind: str = "text/markdown", *, secured: bool = True
) -> dict[str, Any]:
    document = {"description": summary, "content": {kind: {"schema": {"type": "string"}}}}
    told = {"summary": summary, "parameters": parameters, "responses": {"200": document, "default": _problem()}}
    return told if secured else told | {"security": []}


def _problem() -> dict[str, Any]:
    return {"description": "Refused", "content": {"application/problem+json": {"schema": _ref("Problem")}}}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _object(**properties: Any) -> dict[str, Any]:
    """Each answer has all of these."""
    return {"type": "object", "required": list(properties), "properties": properties}


def _fields(names: Iterable[str], **more: Any) -> dict[str, Any]:
    return _object(**{name: {} for name in names}, **more)


def _list(name: str) -> dict[str, Any]:
    return {"type": "array", "items": _ref(name)}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}
