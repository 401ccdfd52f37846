"""Another package adds a kind of step by the entry point `pointsman.steps`: it is checked and carried out like the ten,
and one that cannot be used is one clear line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.processes import PATIENCE, ROOT, Ended, pointsman
from tests.test_running import SERVICE, ask, folder, service

__all__ = ["folder"]

SMS = """
from pydantic.dataclasses import dataclass

from runbooks.fields import Name, TextField
from runbooks.filling import Filled
from runbooks.request import STRICT
from runbooks.steps.shape import Call, Kind, always


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Sms:
    connector: Name
    to: TextField
    text: TextField


def act(step, names):
    body = {"to": step.sms.to.render_text(names), "text": step.sms.text.render_text(names)}
    return Call(step.sms.connector, Filled("POST", "/texts", {}, body))


def plainly(step):
    return f"text {step.sms.to.source}"


KIND = Kind("sms", act, plainly, always, shape=Sms)
"""
WAITS = SMS.replace("Call, Kind", "Kind, Pause").replace("    body", "    return Pause(None)\n    body")
RUNBOOK = """
runbook: text-somebody
title: Text somebody
steps:
  - name: text
    sms: {connector: shop, to: "{{ event.phone }}", text: "{{ case.ref }} is open"}
    expect: response.status == 201
"""


def install(folder: Path, code: str, *, point: str = "sms = sms_steps:KIND") -> str:
    """A small package in a folder of its own; the path by which Python finds it."""
    place = folder / "packages"
    about = place / "sms_steps-1.0.dist-info"
    about.mkdir(parents=True)
    (place / "sms_steps.py").write_text(code)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: sms-steps\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[pointsman.steps]\n{point}\n")
    return f"{ROOT}:{place}"


def check(folder: Path, path: str, **changes: str) -> Ended:
    """`pointsman check` on the starter's folder with a runbook that texts somebody."""
    text = RUNBOOK
    for old, new in changes.items():
        text = text.replace(old, new)
    (folder / "p" / "runbooks" / "text-somebody.yml").write_text(text)
    contract = folder / "p" / "workflows" / "orders.yml"
    fix = "other: {priority: P3, auto_fix: {runbook: text-somebody, give_up_after: 10m}}"
    contract.write_text(contract.read_text().replace("other: {priority: P3}", fix))
    return pointsman("check", "p", folder=folder, PYTHONPATH=path)


def test_a_kind_that_is_added_is_checked_like_the_others(folder: Path) -> None:
    path = install(folder, SMS)
    assert check(folder, path).code == 0
    misspelt = check(folder, path, sms="smss")
    assert misspelt.code == 1
    assert 'runbooks/text-somebody.yml:6:5: there is no key "smss" here; did you mean "sms"?' in misspelt.out
    assert 'there is no key "too" here; did you mean "to"?' in check(folder, path, to="too").out
    assert 'there is no connector "shp"; did you mean "shop"?' in check(folder, path, shop="shp").out
    assert "unknown name 'events'" in check(folder, path, event="events").out
    assert '"sms"' in pointsman("schema", folder=folder, PYTHONPATH=path).out


def test_without_the_package_the_kind_is_not_known(folder: Path) -> None:
    ended = check(folder, str(ROOT))
    assert ended.code == 1
    assert 'there is no key "sms" here' in ended.out


UNFIT = {
    "cannot be imported": ("import nothing_of_this_name", "sms = sms_steps:KIND", "cannot be imported: ModuleNotFound"),
    "is nothing": ("", "sms = sms_steps:KIND", "cannot be imported: AttributeError"),
    "is no kind": ("KIND = 7", "sms = sms_steps:KIND", "is no kind of step (no act, plainly, changes, judge"),
    "another name": (SMS, "text = sms_steps:KIND", 'calls its kind "sms"'),
    "taken": (SMS.replace('"sms"', '"pause"'), "pause = sms_steps:KIND", 'adds "pause", which there is already'),
    "unreadable": (SMS.replace("shape=Sms", "shape=7"), "sms = sms_steps:KIND", "has a shape that pydantic cannot"),
}


@pytest.mark.parametrize(("code", "point", "words"), UNFIT.values(), ids=UNFIT)
def test_one_that_cannot_be_used_is_one_line_at_start(folder: Path, code: str, point: str, words: str) -> None:
    path = install(folder, code, point=point)
    ended = pointsman("run", folder=folder, **SERVICE, PYTHONPATH=path)
    assert ended.code == 2
    (line,) = [line for line in ended.err.splitlines() if line.startswith("pointsman: ")]
    assert "of the package sms-steps" in line
    assert words in line
    assert "Traceback" not in ended.err


def test_check_and_doctor_tell_it_too(folder: Path) -> None:
    path = install(folder, "import nothing_of_this_name")
    checked = pointsman("check", "p", folder=folder, PYTHONPATH=path)
    assert (checked.code, "cannot be imported" in checked.err) == (2, True)
    looked = pointsman("doctor", folder=folder, **SERVICE, PYTHONPATH=path)
    assert "of the package sms-steps (sms_steps:KIND) cannot be imported" in looked.out


@asynccontextmanager
async def shop(texts: list[Any]) -> AsyncIterator[str]:
    """A system that sends texts."""

    async def send(request: web.Request) -> web.Response:
        texts.append(await request.json())
        return web.json_response({"sent": True}, status=201)

    app = web.Application()
    app.add_routes([web.post("/texts", send)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


EXCEPTION = {"workflow": "orders", "title": "An order is late", "event": {"phone": "+49 30 1"}}


@pytest.mark.parametrize(
    ("code", "ended", "sent"), [(SMS, ("resolved", "auto_fix"), 1), (WAITS, ("queued", "owner_queue"), 0)]
)
async def test_the_running_service_carries_out_what_does_not_wait(
    folder: Path, code: str, ended: tuple[str, str], sent: int
) -> None:
    path, texts = install(folder, code), list[Any]()
    assert check(folder, path).code == 0
    connectors = folder / "p" / "connectors.yml"
    connectors.write_text(connectors.read_text().replace("health: /health", "health: /health\n    private: true"))
    async with shop(texts) as url, service(folder, PYTHONPATH=path, SHOP_URL=url, SHOP_TOKEN="t") as (_, at):
        assert (await ask(f"{at}/v1/exceptions", EXCEPTION))["case"] == "C-1"
        async with asyncio.timeout(PATIENCE):
            while (seen := await case(at)) == ("queued", "auto_fix"):
                pass
    assert seen == ended
    assert texts == [{"to": "+49 30 1", "text": "C-1 is open"}] * sent


async def case(at: str) -> tuple[str, str]:
    """Where the case is, and by which route."""
    seen = await ask(f"{at}/v1/cases/C-1")
    return seen["state"], seen["route"]
