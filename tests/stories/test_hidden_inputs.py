"""What a contract redacts is sent where a runbook's input rests on it, and the input is kept without it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlmodel import Session, SQLModel

from tests.stories.company import BEN
from tests.stories.conftest import on_both_engines
from tests.stories.gate import change
from tests.stories.stage import Stage
from tests.stories.test_events import send
from tests.stories.test_runs import requests, runs

SECRET = "ada.lovelace@private.test"
LEAD = {"lead_id": "lead_1", "tier": "growth", "email": SECRET}
INPUTS = """inputs:
  mail: {label: Mail, type: text, required: true, pattern: "[a-z.]+@[a-z.]+", default: "{{ event.email }}"}
  tier: {label: Tier, type: text, default: "{{ event.tier }}"}
"""
POST = """  - name: post
    request:
      connector: helpdesk
      method: POST
      path: /tickets
      json: {lead: "{{ inputs.mail }}", team: "{{ inputs.tier }}"}
"""


@pytest.fixture
def folder(folder: Path) -> Path:
    """Leads are delivered by a runbook; what it sends is in its inputs, and in those of one that it carries out."""
    contract = folder / "workflows" / "lead-routing.yml"
    text = contract.read_text()
    begin, end = text.index("deliver:"), text.index("exceptions:")
    contract.write_text(f"{text[:begin]}deliver:\n  runbook: outer\n\n{text[end:]}")
    inner = f"runbook: inner\ntitle: Inner\n{INPUTS}steps:\n{POST}"
    outer = f"runbook: outer\ntitle: Outer\n{INPUTS}steps:\n{POST}  - {{name: inner, run: inner}}\n"
    (folder / "runbooks" / "inner.yml").write_text(inner)
    (folder / "runbooks" / "outer.yml").write_text(outer)
    return folder


def everything(session: Session) -> str:
    """All that the database holds, as text."""
    rows = [tuple(row) for table in SQLModel.metadata.sorted_tables for row in session.execute(select(table))]
    return repr(rows)


async def test_who_says_yes_sees_which_inputs_without_what_is_hidden(empty_stage: Stage, folder: Path) -> None:
    first = "runbook: first\ntitle: First\napproval: {by: [revenue-ops]}\n"
    (folder / "runbooks" / "first.yml").write_text(f"{first}{INPUTS}steps:\n{POST}")
    goes_first = "  other: {auto_fix: {runbook: first, give_up_after: 9m}, "
    change(folder, "workflows/lead-routing.yml", ("  other: {", goes_first))
    await empty_stage.start()
    told = {"workflow": "lead-routing", "failure_mode": "late", "title": "Lead lead_1 waits", "event": LEAD}
    ref = await empty_stage.report(**told)
    for said in (empty_stage.dms(BEN)[-1], empty_stage.thread(ref)[-1], empty_stage.card(ref).shown):
        assert "Given: Mail: ••• · Tier: growth" in said


@on_both_engines
async def test_an_input_that_rests_on_a_redacted_value_is_sent_and_kept_hidden(stage: Stage) -> None:
    assert (await send(stage, "lead-routing", LEAD))[0] == 202
    await stage.settle()
    assert [(each.state, each.inputs) for each in runs(stage)] == [("done", {"mail": "•••", "tier": "growth"})] * 2
    sent = [ticket["lead"] for ticket in stage.company["helpdesk"].kept.values()]
    assert sent == [SECRET, SECRET]
    assert [each.request["json"] for each in requests(stage)] == [{"lead": "•••", "team": "growth"}] * 2
    assert "lovelace" not in stage.database.read_now(everything)


async def test_why_a_step_was_left_out_or_failed_is_said_without_it(empty_stage: Stage, folder: Path) -> None:
    looks = "request: {connector: helpdesk, path: /tickets}, expect: 'response.body[event.email] == 1'"
    steps = f"  - {{name: skip, when: 'event[event.email]', pause: 1m}}\n  - {{name: look, {looks}}}\n"
    (folder / "runbooks" / "outer.yml").write_text(f"runbook: outer\ntitle: Outer\nsteps:\n{steps}")
    await empty_stage.start()
    await send(empty_stage, "lead-routing", LEAD)
    await empty_stage.settle()
    assert [each.because for each in runs(empty_stage)] == ["look: it answered 405: response.body['•••'] is missing"]
    assert "lovelace" not in empty_stage.database.read_now(everything)
