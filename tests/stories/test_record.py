"""The audit log tells the whole story, and `pointsman audit verify` shows any later change of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text

from bot.cli import main
from tests.stories.company import FAY
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage

Verify = Callable[..., "asyncio.Future[tuple[int, str]]"]


@pytest.fixture
def verify(stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Verify:
    """What the command answers on the story's database: its exit code and what it prints."""
    monkeypatch.setenv("DATABASE_URL", stage.settings.database_url)

    def run(*more: str) -> tuple[int, str]:
        code = main(["audit", "verify", *more])
        return code, capsys.readouterr().out

    return lambda *more: asyncio.ensure_future(asyncio.to_thread(run, *more))


async def _a_case_from_its_opening_to_its_end(stage: Stage) -> str:
    ref = await stage.report(event={"refund_id": "re_1"})
    stage.completes("re_1")
    await stage.advance(minutes=11)
    await stage.press(FAY, "Acknowledge", on=ref)
    await stage.type(FAY, f"/case resolve {ref} fixed Paid by hand.")
    return ref


def _tamper(stage: Stage, statement: str) -> None:
    """Changes what is stored behind the service's back, past the triggers that refuse it."""
    with stage.database.engine.begin() as connection:
        _switch_triggers_off(connection)
        connection.execute(text(statement))


def _switch_triggers_off(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        return
    names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
    for name in names:
        connection.execute(text(f"DROP TRIGGER {name}"))


@on_both_engines
async def test_the_record_of_a_whole_case_holds(stage: Stage, verify: Verify) -> None:
    ref = await _a_case_from_its_opening_to_its_end(stage)
    code, said = await verify()
    assert code == 0
    assert re.fullmatch(r"ok: every entry holds \(\d+ in 3 chains\)\n", said)
    assert await verify("--case", ref) == (0, "ok: every entry holds (11 in 1 chain)\n")
    assert stage.actions(ref) == [
        "case.opened",
        "case.reminded",
        "case.reminded",
        "window.passed",
        "case.escalated",
        "page.sent",
        "case.acknowledged",
        "case.noted",
        "case.closing",
        "post_mortem.owed",
        "case.resolved",
    ]


@on_both_engines
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_entries SET body = replace(body, 'U0FAY', 'U0GUS') WHERE chain = 'case:1' AND seq = 7",
        "DELETE FROM audit_entries WHERE chain = 'case:1' AND seq = 7",
    ],
    ids=["edited", "removed"],
)
async def test_an_entry_that_was_changed_later_is_named(stage: Stage, verify: Verify, change: str) -> None:
    await _a_case_from_its_opening_to_its_end(stage)
    _tamper(stage, change)
    code, said = await verify()
    assert code == 1
    assert "case:1" in said
    assert any(number in said for number in ("7", "8"))
    assert "ok" not in said


async def test_the_card_of_the_case_shows_its_record(stage: Stage) -> None:
    ref = await _a_case_from_its_opening_to_its_end(stage)
    await stage.choose(FAY, "audit", on=ref)
    shown = stage.form(FAY).shown
    for action in ("*window passed*", "*acknowledged*", "*post mortem owed*", "*resolved*"):
        assert action in shown
