"""`on_open` and `on_close`: what a contract wants carried out when a case of it opens and closes."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.desk.cases import fail, reopen
from bot.desk.commands import Fail, Reopen
from bot.desk.drills import Asked, ask
from bot.rules.actors import person
from bot.rules.drills import Name
from bot.sandbox.company.systems import Mode
from tests.stories.company import FAY
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage
from tests.stories.test_runs import requests, runs

TICKET = """
runbook: {name}
title: Tell the ticket ({name})
steps:
  - name: write
    request:
      connector: helpdesk
      method: POST
      path: /tickets
      json: {{lead: "{{{{ case.ref }}}}", team: "{{{{ case.state }}}}"}}
    expect: response.status == 201
"""
WHY = "The customer has left us."


@pytest.fixture
def folder(folder: Path) -> Path:
    """Refunds write back to a ticket."""
    for name in ("ticket-opened", "ticket-closed"):
        (folder / "runbooks" / f"{name}.yml").write_text(TICKET.format(name=name))
    contract = folder / "workflows" / "refund.yml"
    contract.write_text(contract.read_text() + "\non_open: [ticket-opened]\non_close: [ticket-closed]\n")
    return folder


def written(stage: Stage) -> list[tuple[str, str]]:
    """What the tickets were told, in order."""
    return [(each.request["json"]["lead"], each.request["json"]["team"]) for each in requests(stage)]


@on_both_engines
async def test_a_ticket_is_told_that_its_case_opened_and_that_it_closed_each_time(stage: Stage) -> None:
    ref = await stage.report()
    assert written(stage) == [(ref, "queued")]
    await stage.service.desk.run(fail, Fail(1, WHY), actor=person(FAY))
    await stage.settle()
    assert written(stage) == [(ref, "queued"), (ref, "failed")]
    await stage.service.desk.run(reopen, Reopen(1, WHY), actor=person(FAY))
    await stage.service.desk.run(fail, Fail(1, WHY), actor=person(FAY))
    await stage.settle()
    assert [run.cause for run in runs(stage)] == ["on_open", "on_close", "on_close"]
    assert stage.broken() == []


async def test_a_further_occurrence_opens_nothing(stage: Stage) -> None:
    await stage.report()
    await stage.report()
    assert len(runs(stage)) == 1


@on_both_engines
async def test_one_that_fails_is_a_line_in_the_thread_and_no_case_of_its_own(stage: Stage) -> None:
    stage.company["helpdesk"].mode = Mode.FAIL
    ref = await stage.report()
    assert [run.state for run in runs(stage)] == ["failed"]
    assert "Tell the ticket (ticket-opened) did not go through" in stage.thread(ref)[-1]
    assert "run.failed" in stage.actions(ref)
    assert [case.ref for case in stage.cases()] == [ref]
    assert stage.case(ref).state == "queued"


async def test_nothing_of_a_drill_is_written_back(stage: Stage) -> None:
    asked = Asked(Name.SCHEMA_DRIFT, "refund", "ada")
    now = stage.clock.now()
    stage.database.write(lambda session: ask(session, asked, at=now)).result()
    await stage.advance(seconds=0)
    assert [case.is_drill for case in stage.cases()] == [True]
    assert runs(stage) == []
