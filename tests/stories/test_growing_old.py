"""What nobody needs any more goes by its age; what somebody still needs stays, and what is gone says so."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlmodel import SQLModel

from bot.desk.cases import fail, reopen
from bot.desk.commands import Fail, Reopen
from bot.desk.desk import Desk
from bot.desk.policies import Policies
from bot.desk.runs.undoing import UndoRun, undo_run
from bot.desk.sending_again import AskReplay, ask_replay
from bot.jobs import prune
from bot.rules.actors import person
from bot.rules.refusals import Refused
from store.models import Event
from store.run_models import RunStep
from tests.stories.company import BEN, FAY
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage
from tests.stories.test_events import send
from tests.stories.test_runs import run, runs
from tests.stories.test_sending_again import LOST, REFUND

LEAD = {"lead_id": "lead_1", "tier": "growth", "email": "ada.lovelace@private.test"}


def event(stage: Stage, number: int) -> Event | None:
    """The row of an event."""
    return stage.database.read_now(lambda session: session.get(Event, number))


def count(stage: Stage, *tables: str) -> list[int]:
    """How many rows these tables have."""
    wanted = [select(func.count()).select_from(SQLModel.metadata.tables[table]) for table in tables]
    return stage.database.read_now(lambda session: [session.execute(each).scalar_one() for each in wanted])


async def days_later(stage: Stage, days: int) -> Desk:
    """So many days pass while no service runs, and then what is too old goes; a desk to go on with."""
    await stage.stop()
    stage.clock.advance(timedelta(days=days))
    desk = Desk(stage.database, stage.clock, Policies())
    await prune.tick(desk)
    return desk


@on_both_engines
async def test_what_events_carried_goes_first_and_their_rows_later(stage: Stage) -> None:
    assert (await send(stage, "lead-routing", LEAD))[0] == 202
    needed = await stage.report(**LOST)
    over = await stage.report(**LOST | {"title": "Refund re_2 was not taken", "event": REFUND | {"refund_id": "re_2"}})
    await stage.service.desk.run(fail, Fail(2, "billing is gone"), actor=person(FAY))
    desk = await days_later(stage, 89)
    assert [event(stage, number).gone for number in (1, 2, 3)] == [None] * 3  # type: ignore[union-attr]
    assert count(stage, "attempts", "exceptions") == [1, 2]
    desk = await days_later(stage, 2)
    [lead, kept, gone] = [event(stage, number) for number in (1, 2, 3)]
    assert (lead and (lead.gone, lead.content, lead.sealed)) == ("old", {}, None)
    assert kept
    assert kept.content == REFUND
    assert kept.gone is None
    assert gone
    assert gone.gone == "old"
    assert count(stage, "attempts", "exceptions", "triggers", "deliveries") == [0, 1, 1, 1]
    again = await desk.run(reopen, Reopen(2, "it was not"), actor=person(FAY))
    assert again
    with pytest.raises(Refused, match="E-3 is no longer kept, for its age: it cannot be sent again"):
        await desk.run(ask_replay, AskReplay(2), actor=person(FAY))
    await days_later(stage, 310)
    assert event(stage, 1) is None
    assert event(stage, 3)
    assert count(stage, "triggers", "deliveries", "expected") == [0, 0, 0]
    assert stage.broken() == []
    assert [each.ref for each in stage.cases()] == [needed, over]


async def test_a_card_says_what_is_no_longer_kept_and_offers_nothing_that_needs_it(stage: Stage) -> None:
    ref = await stage.report(**LOST)
    assert {"Retry", "Replay"} <= set(stage.card(ref).buttons)
    await stage.service.desk.run(fail, Fail(1, "billing is gone"), actor=person(FAY))
    desk = await days_later(stage, 91)
    await desk.run(reopen, Reopen(1, "it was not"), actor=person(FAY))
    await stage.start()
    assert "E-1, which this is about, is no longer kept" in stage.card(ref).shown
    assert not {"Retry", "Replay"} & set(stage.card(ref).buttons)


@pytest.fixture
def folder(folder: Path, request: pytest.FixtureRequest) -> Path:
    """Where a test says so, leads are delivered by a runbook, which carries out another one."""
    if not hasattr(request, "param"):
        return folder
    contract = folder / "workflows" / "lead-routing.yml"
    text = contract.read_text()
    begin, end = text.index("deliver:"), text.index("exceptions:")
    if request.param == "with an undo":
        contract.write_text(text.replace("other: {priority: P2}", "other: {runbooks: [outer]}", 1))
    else:
        contract.write_text(f"{text[:begin]}deliver:\n  runbook: outer\n\n{text[end:]}")
    post = '{connector: helpdesk, method: POST, path: /tickets, json: {lead: "{{ event.email }}", team: growth}}'
    steps = f"steps:\n  - name: post\n    request: {post}\n"
    (folder / "runbooks" / "inner.yml").write_text(f"runbook: inner\ntitle: Inner\n{steps}")
    (folder / "runbooks" / "outer.yml").write_text(
        f"runbook: outer\ntitle: Outer\n{steps}    undo: {{request: {post}}}\n  - {{name: inner, run: inner}}\n"
    )
    return folder


@on_both_engines
@pytest.mark.parametrize("folder", ["by a runbook"], indirect=True)
async def test_what_runs_asked_and_were_answered_goes_and_then_the_runs(stage: Stage) -> None:
    await send(stage, "lead-routing", LEAD)
    assert [each.state for each in runs(stage)] == ["done", "done"]
    await days_later(stage, 91)
    assert count(stage, "run_attempts", "run_steps", "runs") == [0, 3, 2]
    kept = stage.database.read_now(lambda session: list(session.execute(select(RunStep)).scalars()))
    assert [(bool(each.gone_at), each.response, each.sealed) for each in kept] == [(True, None, None)] * 3
    await days_later(stage, 310)
    assert count(stage, "runs", "run_steps", "events") == [0, 0, 0]
    assert stage.broken() == []


@pytest.mark.parametrize("folder", ["with an undo"], indirect=True)
async def test_a_run_whose_answers_are_gone_is_not_taken_back(stage: Stage) -> None:
    ref = await stage.report(workflow="lead-routing", title="Lead lost", event=LEAD)
    await run(stage, ref, "outer", by=BEN)
    [outer, *_] = runs(stage)
    await stage.service.desk.run(fail, Fail(1, "it is gone"), actor=person(BEN))
    desk = await days_later(stage, 91)
    await desk.run(reopen, Reopen(1, "it was not"), actor=person(BEN))
    with pytest.raises(Refused, match="What Outer was answered is no longer kept"):
        await desk.run(undo_run, UndoRun(1, outer.id or 0), actor=person(BEN))
