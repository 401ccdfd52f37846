"""What the log says, and what it never says."""

from __future__ import annotations

import json
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
from pydantic import TypeAdapter
from sqlalchemy import create_engine, text

from bot.logs import bound, set_up_logs
from bot.settings import Settings
from bot.starter import write_starter
from tests.processes import running

PLANTED = "sesame-opens-93f1"


def _fails_in_a_library() -> None:
    TypeAdapter(int).validate_python(PLANTED)


def _fails_in_the_database() -> None:
    engine = create_engine("sqlite://", hide_parameters=True)
    with engine.connect() as connection:
        connection.execute(text("SELECT nothing FROM nowhere WHERE :value"), {"value": PLANTED})


def _fails_because_of_another() -> None:
    try:
        raise KeyError(PLANTED)
    except KeyError as fault:
        raise RuntimeError(PLANTED) from fault


@pytest.mark.parametrize("fails", [_fails_in_a_library, _fails_in_the_database, _fails_because_of_another])
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_fault_is_told_by_its_place_and_not_in_its_words(
    fails: Callable[[], None], log_format: str, capfd: pytest.CaptureFixture[str]
) -> None:
    handlers, level = logging.root.handlers[:], logging.root.level
    try:
        set_up_logs(Settings.model_validate({"log_format": log_format}))
        with bound(case="C-7", request="r1"):
            try:
                fails()
            except Exception:
                logging.getLogger("bot.web").exception("request failed", extra={"reference": "ab12"})
    finally:
        logging.root.handlers[:], logging.root.level = handlers, level
    said = capfd.readouterr().err
    assert PLANTED not in said
    assert fails.__name__ in said
    for wanted in ("request failed", "C-7", "r1", "ab12"):
        assert wanted in said


async def test_nothing_of_what_is_sent_or_secret_is_in_the_log(tmp_path: Path) -> None:
    write_starter(tmp_path / "p")
    secrets = {
        "SLACK_BOT_TOKEN": f"xoxb-{PLANTED}",
        "SLACK_SIGNING_SECRET": PLANTED,
        "AUTOMATIONS_TOKEN": f"token-{PLANTED}",
        "SHOP_TOKEN": f"shop-{PLANTED}",
    }
    away = {"SLACK_API_URL": "http://127.0.0.1:9/api/", "SHOP_URL": "http://127.0.0.1:9"}
    service = {"POINTSMAN_POLICY": "p", "PORT": "0", "LOG_LEVEL": "DEBUG", "LOG_FORMAT": "json"}
    async with running("run", folder=tmp_path, **service, **secrets, **away) as process:
        url = (await process.says(r'"url": "(http://[^"]+)"'))[1]
        statuses = [await _post(url, *each) for each in _hostile(secrets["AUTOMATIONS_TOKEN"])]
        await process.says("a message was not sent")
        assert await process.ends(signal.SIGTERM) == 0
    assert statuses == [202, 422, 400, 401, 202, 401, 404]
    said = [json.loads(line) for line in process.said if line.startswith("{")]
    assert {"bot.main", "bot.jobs.outbox"} <= {line["from"] for line in said}
    assert any(line.get("case") == "C-1" for line in said)
    assert PLANTED not in "".join(process.said)


def _hostile(token: str) -> list[tuple[str, object, str]]:
    report = {"workflow": "orders", "title": PLANTED, "detail": PLANTED, "event": {PLANTED: [PLANTED]}}
    return [
        ("/v1/exceptions", report | {"dedup_key": PLANTED, "subject": PLANTED}, token),
        ("/v1/exceptions", {"workflow": "orders", "title": 7, PLANTED: PLANTED}, token),
        ("/v1/exceptions", f'{{"{PLANTED}": ', token),
        ("/v1/exceptions", report, PLANTED),
        ("/v1/events/orders", {"id": PLANTED, PLANTED: {PLANTED: PLANTED}}, token),
        ("/slack/events", f"payload={PLANTED}", PLANTED),
        (f"/{PLANTED}", report, token),
    ]


async def _post(url: str, path: str, content: object, token: str) -> int:
    body = content if isinstance(content, str) else json.dumps(content)
    headers = {"Authorization": f"Bearer {token}", "Cookie": PLANTED, "Content-Type": "application/json"}
    async with aiohttp.ClientSession() as http, http.post(f"{url}{path}", data=body, headers=headers) as response:
        assert response.headers["X-Request-Id"]
        return response.status


def test_the_planted_word_would_be_seen() -> None:
    with pytest.raises(ValueError, match=PLANTED):
        _fails_in_a_library()
    assert sys.exc_info()[1] is None
