"""What must hold in a contract beyond the shape of each value."""

from collections.abc import Iterator, Mapping
from typing import Any

from runbooks.faults import Fault
from runbooks.folder import Folder, matching, texts
from runbooks.references import fields_used, root_used
from runbooks.shape_faults import Source
from runbooks.suggestions import nearest
from runbooks.team_rules import ladder_rules, one_of, written_twice
from runbooks.yaml_source import Node

_OF_A_REQUEST = (
    *("connector", "request", "expect", "already", "timeout", "retry"),
    *("order", "key_lasts", "find", "verify"),
)
"""What a `deliver` says of its one request."""
_NEEDS_TRIGGER = ("preconditions", "deliver", "outcome", "freshness", "census")


def contract_rules(source: Source, schemas: Mapping[str, Any]) -> Iterator[Fault]:
    """The faults of one `workflows/NAME.yml`; `schemas` are the parsed files of `schemas/`."""
    yield from _deliver(source)
    yield from _needs_trigger(source)
    yield from _checks(source)
    yield from _rollout(source)
    yield from _fields_of_schema(source, schemas)
    yield from _redacted_names(source)
    for place in ("exceptions.*.escalation", "routing.*.escalation"):
        yield from ladder_rules(source, place)
    for place in ("preconditions", "routing", "checks"):
        yield from written_twice(source, list(matching(source.root, f"{place}.*.name")))
    for place in ("census.request", "checks.*.request"):
        yield from requests(source, place, needs_connector=True)
    for place in ("deliver.request", "deliver.find.request", "deliver.verify.request"):
        yield from requests(source, place, needs_connector=False)


def requests(source: Source, place: str, *, needs_connector: bool) -> Iterator[Fault]:
    """What must hold of the requests at a place of any file."""
    for request in matching(source.root, place):
        method = request.find("method")
        sends = method.data if method else "GET"
        if "json" in request.pairs and sends in ("GET", "HEAD"):
            yield source.fault(
                request.pairs["json"][0], f"a {sends} carries no json", "add method: POST (or PUT, PATCH)"
            )
        if needs_connector and request.pairs and "connector" not in request.pairs:
            yield source.fault(request, "connector is missing in this request", "add connector: … to it")


def _deliver(source: Source) -> Iterator[Fault]:
    deliver = source.root.find("deliver")
    if not deliver or not deliver.pairs:
        return
    if "runbook" in deliver.pairs:
        yield from _beside_runbook(source, deliver)
        return
    for key in ("connector", "request"):
        if key not in deliver.pairs:
            here = source.root.pairs["deliver"][0]
            yield source.fault(here, f"{key} is missing in deliver", f"add {key}: …, or runbook: …")
    order = deliver.find("order")
    if order and order.data == "subject" and not source.root.find("trigger", "subject"):
        yield source.fault(order, "order: subject needs to know the subject", "add subject: … to trigger")


def _beside_runbook(source: Source, deliver: Node) -> Iterator[Fault]:
    """A runbook's steps have requests, tries and checks of their own, and nobody asks a receiver about the whole."""
    for key, (node, _) in deliver.pairs.items():
        if key in _OF_A_REQUEST:
            yield source.fault(node, f"{key} stands beside runbook", "keep runbook, or connector and request")


def _needs_trigger(source: Source) -> Iterator[Fault]:
    for key in _NEEDS_TRIGGER:
        if key in source.root.pairs and "trigger" not in source.root.pairs:
            node = source.root.pairs[key][0]
            yield source.fault(node, f"{key} needs a trigger", "add trigger: {schema: …, id: …}")


def _checks(source: Source) -> Iterator[Fault]:
    for check in matching(source.root, "checks.*"):
        yield from one_of(source, check, ("expect", "confirm"), "what must hold")
        if "confirm" in check.pairs and "request" in check.pairs:
            key = check.pairs["request"][0]
            yield source.fault(key, "a person confirms without a request", "write expect: … in place of confirm")
        expect = check.find("expect")
        if expect and expect.text and "request" not in check.pairs and root_used(expect.text, "response"):
            yield source.fault(expect, "there is no response without a request", "add request: … to this check")


def _rollout(source: Source) -> Iterator[Fault]:
    rollout = source.root.find("rollout")
    mode = rollout.find("mode") if rollout else None
    is_canary = bool(mode and mode.data == "canary")
    if not rollout:
        return
    if is_canary and not {"percent", "match"} & set(rollout.pairs):
        yield source.fault(rollout, "a canary needs its share", "add percent: 20, or match: …")
    if not is_canary:
        for key in ("percent", "match"):
            if key in rollout.pairs:
                yield source.fault(
                    rollout.pairs[key][0], f"{key} is for a canary only", "add mode: canary, or remove it"
                )


def _fields_of_schema(source: Source, schemas: Mapping[str, Any]) -> Iterator[Fault]:
    """A field to ignore or redact that the schema does not know but nearly so is misspelt, and would leak."""
    name = source.root.find("trigger", "schema")
    schema = schemas.get(name.text) if name and name.text else None
    known = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(known, dict):
        return
    for place in ("trigger.ignore.*", "trigger.redact.*"):
        for node in matching(source.root, place):
            if node.text and (near := _misspelt(node.text, known)):
                yield source.fault(node, f'the schema has no field "{node.text[:80]}"', f'did you mean "{near}"?')


def _redacted_names(source: Source) -> Iterator[Fault]:
    """What an event is known by, and whom it is about, are shown: a field that is shown to nobody cannot be in them."""
    redacted = {node.text.removeprefix("/") for node in matching(source.root, "trigger.redact.*") if node.text}
    for key in ("id", "subject"):
        node = source.root.find("trigger", key)
        if node is None or node.text is None:
            continue
        for field, _ in fields_used(node.text, "event"):
            if field in redacted:
                message = f'trigger.{key} shows "{field[:80]}", which is redacted'
                yield source.fault(node, message, f"take another field for {key}, or do not redact this one")


def _misspelt(field: str, known: Mapping[str, Any]) -> str | None:
    first = field.strip("/").replace("/", ".").split(".")[0].split("[")[0]
    return None if first in known else nearest(first, known, cutoff=0.7)


def shared_threads(folder: Folder) -> Iterator[Fault]:
    """A thread belongs to one workflow: no channel may be claimed by two."""
    claimed: dict[str, tuple[str, Source]] = {}
    for name, source in folder.contracts():
        for node in texts(source.root, "threads.*"):
            channel = str(node.data)
            if channel in claimed:
                other, its = claimed[channel]
                message = f'"{channel[:80]}" belongs to the threads of "{other}" already'
                yield source.fault(node, message, f"keep it in {its.file} or here")
            claimed.setdefault(channel, (name, source))
