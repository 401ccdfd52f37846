"""Events taken in by their contract and delivered, events that come again, and what holding one to its schema costs."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any

from jsonschema_rs import Draft202012Validator

from runbooks.policy import load, read_folder
from tests.bench.figures import Figure, Raw, Target
from tests.bench.load import event
from tests.bench.processes import cpu_seconds, free_port, running, told_by
from tests.bench.service import ACME, TOKEN, service

EVENTS = 10_000
REPEATS = 15_000
WARM = 300
PATIENCE = 60.0
PATH = "/v1/events/orders"
CONTRACT = """\
workflow: orders
version: 1
title: Orders
risk: low
owners: {accountable: customer-success, steward: revenue-ops}
trigger: {schema: order.json, id: "{{ event.order_id }}", subject: "{{ event.customer_id }}"}
deliver:
  connector: helpdesk
  request: {method: POST, path: /tickets, json: {order: "{{ event.order_id }}", cents: "{{ event.amount_cents }}"}}
  expect: response.status == 201
"""
LINE = {
    "type": "object",
    "required": ["sku", "count"],
    "properties": {"sku": {"type": "string"}, "count": {"type": "integer", "minimum": 1}},
}
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["order_id", "customer_id", "amount_cents", "lines"],
    "properties": {
        "order_id": {"type": "string", "minLength": 1},
        "customer_id": {"type": "string"},
        "amount_cents": {"type": "integer", "minimum": 0},
        "currency": {"enum": ["EUR", "USD"]},
        "placed_at": {"type": "string", "format": "date-time"},
        "lines": {"type": "array", "items": LINE},
    },
}


def folder(at: Path) -> Path:
    """The example company's policy, and a workflow without an order or a rate beside its own."""
    shutil.copytree(ACME, at)
    (at / "workflows" / "orders.yml").write_text(CONTRACT)
    (at / "schemas" / "order.json").write_text(json.dumps(SCHEMA))
    return at


@contextmanager
def receiver() -> Iterator[str]:
    """A system that takes everything; gives its address."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    with running("tests.bench.receiver", str(port), ready=f"{url}/count"):
        yield url


def _taken(url: str) -> int:
    with urllib.request.urlopen(f"{url}/count", timeout=5) as answer:
        return int(answer.read())


def _wait_for(url: str, count: int) -> None:
    until = perf_counter() + PATIENCE
    while (taken := _taken(url)) < count:
        if perf_counter() > until:
            raise RuntimeError(f"{taken} of {count} events were delivered")
        sleep(0.01)


def _loaded(port: int, kind: str, amount: int, path: str = PATH) -> Any:
    return told_by("tests.bench.load", str(port), kind, "--token", TOKEN, "--amount", str(amount), "--path", path)


def delivered(place: Path, slack: str, bare_port: int) -> Iterator[Figure]:
    """Events of their own over 64 connections, until the last one has arrived; then the same one again and again."""
    bare = _loaded(bare_port, "events", EVENTS, "/v1/exceptions")["reports_per_second"]
    policy = folder(place / "policy")
    database_url = f"sqlite:///{place / 'events.db'}"
    with receiver() as url, service(database_url, slack, policy=policy, environment=_at(url)) as it:
        _loaded(it.port, "repeats", WARM)
        _wait_for(url, 1)
        before, start = cpu_seconds(it.process.pid), perf_counter()
        told = _loaded(it.port, "events", EVENTS)
        _wait_for(url, EVENTS)
        took, used = perf_counter() - start, cpu_seconds(it.process.pid) - before
        again = _loaded(it.port, "repeats", REPEATS)
        if _taken(url) != EVENTS:
            raise RuntimeError(f"{_taken(url) - EVENTS} events were delivered twice")
    raw = Raw("aiohttp, parses the same JSON", bare)
    note = f"accepted at {told['reports_per_second']:,.0f}/s; {used / EVENTS * 1e6:.0f} µs of CPU each"
    words = "events accepted and delivered, one a request, 64 connections, SQLite"
    yield Figure(words, EVENTS / took, "/s", Target("≥", 1_500), raw, note)
    note = f"p50 {again['p50_ms']} ms, p99 {again['p99_ms']} ms"
    yield Figure("duplicates recognised", again["reports_per_second"], "/s", Target("≥", 4_000), raw, note)


def _at(url: str) -> dict[str, str]:
    return {"HELPDESK_URL": url}


def validated(place: Path) -> Iterator[Figure]:
    """One event of 2 KB held to its schema, which is compiled once; beside what the validator alone takes."""
    schema = load(read_folder(folder(place / "schemas-alone"))).event_schemas["orders"]
    content = event(1) | {"lines": [{"sku": f"sku-{number:06}", "count": number + 1} for number in range(55)]}
    size = len(json.dumps(content))
    if schema.misfits(content) or not 1_900 <= size <= 2_300:
        raise RuntimeError(f"an event of {size} bytes, misfits: {schema.misfits(content)}")
    ours = _microseconds(lambda: schema.misfits(content))
    bare = Draft202012Validator(SCHEMA)
    raw = Raw("jsonschema-rs alone", _microseconds(lambda: bare.is_valid(content)))
    yield Figure(f"validation of an event of {size:,} bytes", ours, "µs", Target("≤", 50), raw)


def _microseconds(work: Any, rounds: int = 30, each: int = 200) -> float:
    took = []
    for _ in range(rounds):
        start = perf_counter()
        for _ in range(each):
            work()
        took.append((perf_counter() - start) / each * 1e6)
    return median(took)
