"""What is learnt from a case: told in its thread and on the Home tab, written in a form, read as Markdown, and followed
by actions."""

from __future__ import annotations

import re
from typing import Any

from bot.sandbox.workspace import Message
from tests.stories.company import BILLING, FAY, GUS, REVOPS, ZOE
from tests.stories.conftest import on_both_engines
from tests.stories.stage import TOKEN, Stage

HOSTILE = "<!channel> <script>alert(1)</script> [x](http://evil.test)"


async def resolved(stage: Stage, title: str = "Refund re_1 was lost") -> str:
    ref = await stage.report(failure_mode="other", title=title)
    await stage.press(FAY, "Acknowledge", on=ref)
    await stage.press(FAY, "Resolve", on=ref)
    await stage.fill_in(FAY, reason="fixed", note="Sent by hand.")
    return ref


def last_line(stage: Stage, ref: str) -> Message:
    case = stage.case(ref)
    return stage.slack.thread(case.channel, case.card_ts or "")[-1]


async def press(stage: Stage, user: str, button: str, ref: str) -> None:
    await stage.slack.click(user, last_line(stage, ref), text=button)
    await stage.settle()


async def read(stage: Stage, path: str) -> tuple[int, str, str]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with stage.http.get(f"{stage.service.url}{path}", headers=headers) as response:
        return response.status, response.headers["Content-Type"], await response.text()


def written(**more: Any) -> dict[str, Any]:
    return {"summary": "It was lost on the way.", "causes": "Nobody looked.", "what:0": "Look daily"} | more


@on_both_engines
async def test_a_post_mortem_is_written_from_the_thread_and_its_action_is_chased(stage: Stage) -> None:
    ref = await resolved(stage)
    assert "It gets a post-mortem: its workflow is critical." in stage.thread(ref)[-1]
    await press(stage, FAY, "Write post-mortem", ref)
    form = stage.form(FAY).shown
    assert "opened by monitors, for Billing escalation" in form
    assert "acknowledged by Fay" in form
    assert "Sent by hand." in form
    await stage.fill_in(FAY, **written(**{"role:0": "revenue-ops", "due:0": "2026-11-27"}))
    said = stage.thread(ref)[-1]
    assert "wrote the post-mortem" in said
    assert "It was lost on the way." in said
    assert "C-2 Look daily: Revenue Ops" in said
    action = stage.case("C-2")
    assert (action.title, action.owner, action.channel, action.follows_id) == ("Look daily", "revenue-ops", REVOPS, 1)
    assert action.detail.startswith("An action of the post-mortem of C-1: ")
    await stage.advance(days=5)
    assert stage.case("C-2").resolution_breached_at == action.resolve_due_at
    assert stage.broken() == []


async def test_room_is_made_for_more_actions_and_what_was_written_stays(stage: Stage) -> None:
    ref = await resolved(stage)
    await press(stage, FAY, "Write post-mortem", ref)
    for place in range(4):
        filled = written(**{"what:0": "Number 0", f"what:{place}": f"Number {place}", f"role:{place}": "billing"})
        await stage.slack.click(FAY, text="Another action", filled=filled)
        await stage.settle()
    assert "Another action" not in stage.form(FAY).shown
    await stage.fill_in(FAY, **{"what:4": "Number 4", "role:4": "billing", "due:4": "2026-12-01"})
    assert [case.title for case in stage.cases()[1:]] == [f"Number {place}" for place in range(5)]
    assert "It was lost on the way." in stage.thread(ref)[-1]


async def test_what_an_action_lacks_is_said_beside_its_field(stage: Stage) -> None:
    ref = await resolved(stage)
    await press(stage, FAY, "Write post-mortem", ref)
    past = await stage.fill_in(FAY, **written(**{"role:0": "revenue-ops", "due:0": "2026-11-20"}))
    assert past.errors == {"due:0": "That day is over for Revenue Ops."}
    assert stage.thread(ref)[-1].startswith(":notebook: It gets")


async def test_two_who_write_at_once_do_not_overwrite_each_other(stage: Stage) -> None:
    ref = await resolved(stage)
    await press(stage, FAY, "Write post-mortem", ref)
    await press(stage, GUS, "Write post-mortem", ref)
    await stage.fill_in(FAY, **written(**{"what:0": ""}))
    late = await stage.fill_in(GUS, **written(summary="Mine"))
    assert "Fay" in late.errors["summary"]
    assert len(stage.cases()) == 1
    await stage.slack.close(GUS)
    await press(stage, GUS, "Change or add to it", ref)
    await stage.fill_in(GUS, summary="It was lost, twice.")
    assert "changed the post-mortem" in stage.thread(ref)[-1]
    assert stage.actions(ref).count("post_mortem.changed") == 1


async def test_who_may_not_resolve_gets_no_form(stage: Stage) -> None:
    ref = await resolved(stage)
    await press(stage, ZOE, "Write post-mortem", ref)
    assert "You cannot write its post-mortem" in stage.form(ZOE).shown


async def test_the_home_tab_of_the_owner_role_shows_it_until_it_is_written(stage: Stage) -> None:
    ref = await resolved(stage)
    await stage.slack.open_home(GUS)
    await stage.slack.open_home(ZOE)
    await stage.settle()
    assert "Post-mortems to write" in stage.slack.home(GUS).shown  # type: ignore[union-attr]
    assert "Post-mortems to write" not in stage.slack.home(ZOE).shown  # type: ignore[union-attr]
    await stage.slack.click(GUS, text="Write")
    await stage.settle()
    await stage.fill_in(GUS, **written())
    await stage.slack.open_home(GUS)
    await stage.settle()
    assert "Post-mortems to write" not in stage.slack.home(GUS).shown  # type: ignore[union-attr]
    assert stage.case(ref).state == "resolved"


async def test_it_is_asked_for_in_words(stage: Stage) -> None:
    ref = await resolved(stage)
    await stage.type(FAY, f"/case postmortem {ref}", channel=BILLING)
    await stage.fill_in(FAY, **written())
    told = await stage.type(ZOE, f"/case postmortem {ref}", channel=BILLING)
    assert "It was lost on the way." in told
    open_one = await stage.report(failure_mode="other", title="Another one")
    assert "has no post-mortem" in await stage.type(FAY, f"/case postmortem {open_one}", channel=BILLING)


async def test_hostile_text_is_text_in_slack_and_in_markdown(stage: Stage) -> None:
    ref = await resolved(stage, title=HOSTILE)
    await press(stage, FAY, "Write post-mortem", ref)
    await stage.fill_in(FAY, **written(summary=HOSTILE, causes=HOSTILE, **{"what:0": HOSTILE}))
    said = str(last_line(stage, ref).all_blocks)
    assert '"type": "mrkdwn", "text": "<!channel>' not in said.replace("'", '"')
    status, kind, document = await read(stage, f"/v1/cases/{ref}/postmortem")
    assert (status, kind) == (200, "text/markdown; charset=utf-8")
    assert "<" not in document
    assert not re.search(r"(?<!\\)\]\(", document)
    assert "C-2" in document


async def test_one_that_is_not_there_is_a_problem_that_says_why(stage: Stage) -> None:
    ref = await resolved(stage)
    status, kind, said = await read(stage, f"/v1/cases/{ref}/postmortem")
    assert (status, kind) == (404, "application/problem+json")
    assert "not written yet" in said
    other = await stage.report(failure_mode="other", title="Another one")
    assert "has no post-mortem" in (await read(stage, f"/v1/cases/{other}/postmortem"))[2]
    assert (await read(stage, "/v1/cases/C-99/postmortem"))[0] == 404
