"""What the page at /openapi.json says is what the service does, whatever is sent: nothing is answered with 5xx, and
each answer is of the form that the page gives."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from bot.clock import MovableClock
from bot.context import Context
from bot.desk.desk import Desk
from bot.desk.policies import Policies
from bot.settings import Settings
from bot.web.app import build_app
from bot.web.openapi import openapi
from store.database import Database
from tests.conftest import MONDAY, put_in_force
from tests.web.conftest import ENVIRONMENT, MONITORS

CHECKS = [not_a_server_error, response_schema_conformance, content_type_conformance]
SEEDED = settings(
    max_examples=20,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def address(served: web.AppRunner) -> str:
    """Where it listens."""
    host, port = served.addresses[0]
    return f"http://{host}:{port}"


@pytest.fixture(scope="module")
def served(
    migrated_file: object, tmp_path_factory: pytest.TempPathFactory, policy_files: dict[str, str]
) -> Iterator[web.AppRunner]:
    """A service of the module's own, in a thread: what makes requests up waits for each answer."""
    file = tmp_path_factory.mktemp("fuzzed") / "pointsman.db"
    file.write_bytes(migrated_file.read_bytes())  # type: ignore[attr-defined]
    database, clock, loop = Database(f"sqlite:///{file}"), MovableClock(MONDAY, runs=False), asyncio.new_event_loop()
    put_in_force(database, policy_files, at=clock.now())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(_serve(database, clock), loop).result(10)
    yield runner
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    loop.close()
    database.close()


async def _serve(database: Database, clock: MovableClock) -> web.AppRunner:
    desk = Desk(database, clock, Policies())
    await desk.read(desk.policies.in_force)
    runner = web.AppRunner(build_app(Context(desk, clock, desk.policies, Settings()), ENVIRONMENT), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner


@pytest.fixture(scope="module")
def described(served: web.AppRunner) -> set[tuple[str, str]]:
    """The addresses and methods that the service has."""
    routes = [route for route in served.app.router.routes() if route.resource and route.method != "HEAD"]
    return {(route.resource.canonical, route.method) for route in routes if route.resource}


PAGE = schemathesis.openapi.from_dict(openapi())
OPERATIONS = [(path, method) for path, methods in openapi()["paths"].items() for method in methods]


@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=[" ".join(each) for each in OPERATIONS])
def test_whatever_is_sent_is_answered_as_the_page_says(address: str, path: str, method: str) -> None:
    @SEEDED
    @given(case=PAGE[path][method.upper()].as_strategy())
    def ask(case: Case[Any]) -> None:
        answer = case.call(base_url=address, headers={"Authorization": f"Bearer {MONITORS}"})
        case.validate_response(answer, checks=CHECKS)

    ask()


def test_the_page_has_every_address_and_no_other(address: str, described: set[tuple[str, str]]) -> None:
    assert described == {(path, method.upper()) for path, method in OPERATIONS}


READ = ("/v1/cases", "/v1/cases/{ref}", "/v1/cases/{ref}/audit", "/v1/quarantine", "/v1/outcomes", "/v1/workflows")


def test_what_is_there_is_told_as_the_page_says(address: str) -> None:
    headers = {"Authorization": f"Bearer {MONITORS}"}
    said: list[tuple[str, Any]] = [
        ("/v1/exceptions", {"workflow": "refund", "title": "Lost", "event": {"refund_id": "re_9"}}),
        ("/v1/events/refund", {"teir": 1}),
        ("/v1/outcomes/refund", {"refund_id": "re_9", "state": "completed"}),
    ]
    for path, body in said:
        assert requests.post(address + path, json=body, headers=headers, timeout=10).status_code == 202
    for path in READ:
        answer = requests.get(address + path.replace("{ref}", "C-1"), headers=headers, timeout=10)
        assert answer.status_code == 200, path
        PAGE[path]["GET"].validate_response(answer)
