"""Somebody's data is erased: nothing of it is left anywhere but in what the record needs, and that still verifies."""

from __future__ import annotations

import asyncio
import json

import pytest
from sqlalchemy import select
from sqlmodel import Session, SQLModel

from bot.cli import main
from bot.desk.cases import add_note
from bot.desk.commands import AddNote
from bot.desk.sending_again import AskReplay, ask_replay
from bot.rules.actors import person
from bot.rules.refusals import Refused
from bot.sandbox.company.systems import Mode
from tests.stories.company import FAY
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage
from tests.stories.test_events import send

ADA = {"refund_id": "re_1", "customer_id": "cus_ada", "amount_cents": 471_199_471_199}
BOB = {"refund_id": "re_2", "customer_id": "cus_bob", "amount_cents": 815}
LEAD = {"lead_id": "cus_ada", "tier": "growth", "email": "ada.lovelace@private.test"}
# A number of twelve digits: four stand in some digest once in ten runs.
WORDS = ("471199471199", "Ada Lovelace", "cus_ada", "lovelace")


def everything(session: Session) -> dict[str, str]:
    """All that the database holds, as text, by table."""
    tables = SQLModel.metadata.sorted_tables
    return {table.name: repr([tuple(row) for row in session.execute(select(table))]) for table in tables}


def entries(stage: Stage, action: str) -> list[dict[str, object]]:
    """The desk's entries of this action."""
    return [each for each in stage.audit() if each["action"] == action]


async def erase() -> int:
    """Somebody types the command."""
    return await asyncio.to_thread(main, ["erase", "--subject", "cus_ada"])


async def with_data(stage: Stage) -> str:
    """A case about Ada, and more of her; and an event of Bob."""
    stage.company["billing"].mode = Mode.FAIL
    await send(stage, "refund", BOB)
    await send(stage, "lead-routing", LEAD)
    report = {"title": "Refund of Ada Lovelace was not taken", "detail": "She rang", "subject": "cus_ada", "event": ADA}
    ref = await stage.report(**report)
    note = AddNote(stage.case(ref).id, "Ada Lovelace rings each day")
    await stage.service.desk.run(add_note, note, actor=person(FAY))
    await stage.press(FAY, "Acknowledge", on=ref)
    await stage.press(FAY, "Replay", on=ref)
    await stage.advance(minutes=5)
    return ref


@on_both_engines
async def test_nothing_is_left_of_somebody_who_was_erased(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ref = await with_data(stage)
    assert all(word in str(stage.database.read_now(everything)) for word in WORDS[:3])

    monkeypatch.setenv("DATABASE_URL", stage.settings.database_url)
    await stage.stop()
    assert await erase() == 0
    assert "cases 1" in capsys.readouterr().out
    left = stage.database.read_now(everything)
    for table in left.keys() - {"triggers", "deliveries", "outbox", "audit_entries"}:
        assert not [word for word in WORDS if word in left[table]], table
    assert not [word for word in ("471199471199", "Lovelace") if word in str(left)]
    assert "cus_bob" in left["events"]
    assert stage.broken() == []

    [entry] = entries(stage, "subject.erased")
    assert entry["actor"]["kind"] == "operator"  # type: ignore[index]
    assert "cus_ada" not in json.dumps(entry)
    assert await erase() == 0
    assert "nothing is kept about this subject" in capsys.readouterr().out
    assert len(entries(stage, "subject.erased")) == 1

    await stage.start()
    assert "Ada" not in stage.card(ref).shown
    assert "is about somebody whose data was erased: it cannot be sent again" in stage.card(ref).shown
    with pytest.raises(Refused, match="is about somebody whose data was erased"):
        await stage.service.desk.run(ask_replay, AskReplay(stage.case(ref).id), actor=person(FAY))
