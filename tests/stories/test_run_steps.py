"""Each kind of step, on its own: what it does, what it waits for, and how it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.sandbox.company.systems import Mode
from tests.stories.company import ADA, FAY
from tests.stories.conftest import on_both_engines
from tests.stories.stage import TOKEN, Stage
from tests.stories.test_events import send
from tests.stories.test_runs import requests, run, runs, steps
from tests.stories.test_sending_again import LOST, REFUND

PAID = REFUND | {"state": "completed"}


@pytest.fixture
def folder(folder: Path) -> Path:
    """The example company, whose refunds have one more runbook: the one that a story writes."""
    workflow = folder / "workflows" / "refund.yml"
    workflow.write_text(workflow.read_text().replace("runbooks: [refund-callback]", "runbooks: [try-it]", 1))
    return folder


@pytest.fixture
def stage(empty_stage: Stage) -> Stage:
    """A service starts on it when the runbook is written."""
    return empty_stage


def tries(folder: Path, *steps: str, more: str = "") -> None:
    """Writes the runbook."""
    lines = "\n".join(f"  {step}" for step in steps)
    (folder / "runbooks" / "try-it.yml").write_text(f"runbook: try-it\ntitle: Try it\n{more}\nsteps:\n{lines}\n")


async def tried(stage: Stage, folder: Path, *steps: str, more: str = "") -> str:
    """A refund that was not taken, with this runbook carried out on it."""
    tries(folder, *steps, more=more)
    await stage.start()
    ref = await stage.report(**LOST)
    await run(stage, ref, "try-it")
    return ref


def ended(stage: Stage) -> tuple[str, str]:
    """How the first run ended, and why."""
    first = runs(stage)[0]
    return first.state, first.because


ASK = "- {name: ask, request: {connector: billing, method: POST, path: '/refunds/{{ event.refund_id }}/callback'}%s}"
LOOK = "- {name: look, request: {connector: billing, path: '/refunds/{{ event.refund_id }}'}%s}"


# --- request


async def test_a_request_that_is_refused_fails_and_says_what_was_answered(stage: Stage, folder: Path) -> None:
    ref = await tried(stage, folder, ASK % "")
    assert ended(stage) == ("failed", "ask: it answered 404")
    assert ":x: Try it did not go through: ask: it answered 404." in stage.thread(ref)
    (attempt,) = requests(stage)
    assert (attempt.request["method"], attempt.status) == ("POST", 404)
    assert "no such refund" in attempt.response


async def test_what_may_have_happened_is_tried_again_under_the_same_key(stage: Stage, folder: Path) -> None:
    stage.company["billing"].kept["re_1"] = PAID
    stage.company["billing"].mode = Mode.FAIL
    await tried(stage, folder, ASK % ", retry: {attempts: 3, first: 10s}")
    assert (ended(stage)[0], len(requests(stage))) == ("running", 1)
    stage.company["billing"].mode = Mode.OK
    await stage.advance(seconds=10)
    assert ended(stage) == ("done", "all its steps are done")
    assert [attempt.status for attempt in requests(stage)] == [503, 202]
    (key,) = stage.company["billing"].answers
    assert key.endswith(":ask:1")


async def test_what_was_refused_is_tried_again_under_another_key(stage: Stage, folder: Path) -> None:
    await tried(stage, folder, ASK % ", retry: {attempts: 2, first: 10s}")
    stage.company["billing"].kept["re_1"] = PAID
    await stage.advance(seconds=10)
    assert ended(stage)[0] == "done"
    assert [key.rpartition(":")[2] for key in stage.company["billing"].answers] == ["1", "2"]


async def test_who_we_are_is_not_asked_twice(stage: Stage, folder: Path) -> None:
    stage.company["billing"].refuses = 401
    await tried(stage, folder, ASK % ", retry: {attempts: 5, first: 1s}")
    assert ended(stage) == ("failed", "ask: it answered 401")
    assert len(requests(stage)) == 1


async def test_an_answer_is_judged_by_expect_and_seen_by_later_steps(stage: Stage, folder: Path) -> None:
    stage.company["billing"].kept["re_1"] = PAID
    say = "- {name: say, notify: {to: asker, text: 'it is {{ steps.look.response.body.state }}'}}"
    await tried(stage, folder, LOOK % ", expect: response.body.state == 'completed'", say)
    assert ended(stage)[0] == "done"
    assert "it is completed" in stage.dms(FAY)[-1]


async def test_a_text_that_cannot_be_filled_in_fails_the_step_and_sends_nothing(stage: Stage, folder: Path) -> None:
    broken = "- {name: look, request: {connector: billing, path: '/refunds/{{ event.no_such }}'}}"
    await tried(stage, folder, broken)
    assert ended(stage) == ("failed", "look: it cannot be filled in: event.no_such is missing")
    assert stage.company["billing"].requests == 0


async def test_while_a_system_is_left_alone_a_run_waits_for_it(stage: Stage, folder: Path) -> None:
    billing = stage.company["billing"]
    tries(folder, LOOK % "")
    await stage.start()
    ref = await stage.report(**LOST)
    billing.mode = Mode.FAIL
    await send(stage, "refund", [REFUND | {"refund_id": f"re_{n}", "customer_id": f"c{n}"} for n in range(10, 20)])
    await stage.advance(seconds=20)
    asked = billing.requests
    await run(stage, ref, "try-it")
    assert billing.requests == asked
    assert ended(stage)[0] == "running"
    billing.mode, billing.kept["re_1"] = Mode.OK, PAID
    await stage.advance(minutes=10)
    assert ended(stage)[0] == "done"


# --- replay, retry_failed


@on_both_engines
async def test_replay_asks_whether_it_is_there_and_sends_what_is_not(stage: Stage, folder: Path) -> None:
    ref = await tried(stage, folder, "- {name: again, replay: {}}")
    assert ended(stage)[0] == "done"
    assert list(stage.company["billing"].kept) == ["re_1"]
    await stage.press(FAY, "Evidence", on=ref)
    shown = stage.form(FAY).shown
    assert "POST /refunds\n" in shown.partition("*again* (is it there?)")[0]
    assert "GET /refunds/re_1" in shown.partition("*again* (is it there?)")[2]
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with stage.http.get(f"{stage.service.url}/v1/cases/{ref}", headers=headers) as response:
        (step,) = (await response.json())["runs"][0]["steps"]
    assert [(asked["purpose"], asked["status"]) for asked in step["attempts"]] == [("finding", 404), ("sending", 201)]


async def test_replay_sends_the_event_with_what_is_set(stage: Stage, folder: Path) -> None:
    await tried(stage, folder, "- {name: again, replay: {set: {amount_cents: 900}}}")
    assert ended(stage)[0] == "done"
    assert stage.company["billing"].kept["re_1"]["amount_cents"] == 900


@pytest.mark.parametrize(
    ("given", "state", "because"),
    [("900", "done", "all its steps are done"), ("nine", "failed", "again: amount_cents: Write a whole number.")],
)
async def test_what_somebody_fills_in_goes_to_the_type_that_the_schema_wants(
    stage: Stage, folder: Path, given: str, state: str, because: str
) -> None:
    sets = "- {name: again, replay: {set: {amount_cents: '{{ inputs.cents }}'}}}"
    tries(folder, sets, more="inputs: {cents: {label: Cents}}")
    await stage.start()
    await run(stage, await stage.report(**LOST), "try-it", cents=given)
    assert ended(stage) == (state, because)
    paid = [kept["amount_cents"] for kept in stage.company["billing"].kept.values()]
    assert paid == ([900] if state == "done" else [])


async def test_replay_of_what_is_there_already_is_done_without_sending(stage: Stage, folder: Path) -> None:
    stage.company["billing"].kept["re_1"] = PAID
    await tried(stage, folder, "- {name: again, replay: {}}")
    assert ended(stage)[0] == "done"
    assert stage.company["billing"].last == "GET /refunds/re_1 → 200"


async def test_a_replay_that_is_refused_fails_the_run(stage: Stage, folder: Path) -> None:
    stage.company["billing"].refuses = 422
    await tried(stage, folder, "- {name: again, replay: {}}")
    assert ended(stage)[0] == "failed"


# --- waiting


async def test_a_pause_waits_that_long(stage: Stage, folder: Path) -> None:
    await tried(stage, folder, "- {name: breath, pause: 5m}")
    await stage.advance(minutes=4, seconds=59)
    assert ended(stage)[0] == "running"
    await stage.advance(seconds=1)
    assert ended(stage) == ("done", "all its steps are done")


async def test_an_outcome_that_does_not_come_in_time_fails_the_run(stage: Stage, folder: Path) -> None:
    await tried(stage, folder, "- {name: came, wait_for: {outcome: done, within: 10m}}")
    await stage.advance(minutes=9)
    assert ended(stage)[0] == "running"
    await stage.advance(minutes=1)
    assert ended(stage) == ("failed", "came: nothing came in time")


async def test_a_run_waits_for_an_event_that_is_meant(stage: Stage, folder: Path) -> None:
    meant = "- {name: other, wait_for: {event: event.amount_cents > 5000, within: 10m}}"
    await tried(stage, folder, meant)
    await send(stage, "refund", REFUND | {"refund_id": "re_2"})
    assert ended(stage)[0] == "running"
    await send(stage, "refund", REFUND | {"refund_id": "re_3", "amount_cents": 9000})
    assert ended(stage)[0] == "done"


# --- the others


async def test_a_check_of_the_contract_is_asked(stage: Stage, folder: Path) -> None:
    stage.company["billing"].kept["re_1"] = REFUND | {"state": "pending"}
    await tried(stage, folder, "- {name: sure, check: billing says completed}")
    assert ended(stage)[0] == "failed"
    assert "response.body.state == 'completed' is false" in ended(stage)[1]


async def test_a_role_is_told(stage: Stage, folder: Path) -> None:
    await tried(stage, folder, "- {name: say, notify: {to: steward, text: 'look at {{ event.refund_id }}'}}")
    assert "look at re_1" in stage.notices("C0REVOPS")[-1]


async def test_the_case_is_given_to_a_role_and_to_a_person(stage: Stage, folder: Path) -> None:
    role = "- {name: role, assign: {role: revenue-ops}}"
    ref = await tried(stage, folder, role, f"- {{name: person, assign: {{user: {ADA}}}}}")
    assert (stage.case(ref).owner, stage.case(ref).assignee) == ("revenue-ops", ADA)


async def test_a_runbook_runs_another_and_goes_on_when_that_is_done(stage: Stage, folder: Path) -> None:
    stage.company["billing"].kept["re_1"] = PAID
    (folder / "runbooks" / "inner.yml").write_text(f"runbook: inner\ntitle: Inner\nsteps:\n  {LOOK % ''}\n")
    ref = await tried(stage, folder, "- {name: first, run: inner}", "- {name: then, pause: 1s}")
    await stage.advance(seconds=1)
    assert [(each.runbook, each.state) for each in runs(stage)] == [("try-it", "done"), ("inner", "done")]
    await stage.press(FAY, "Evidence", on=ref)
    assert "GET /refunds/re_1" in stage.form(FAY).shown


async def test_a_runbook_fails_with_the_one_that_it_runs(stage: Stage, folder: Path) -> None:
    (folder / "runbooks" / "inner.yml").write_text(f"runbook: inner\ntitle: Inner\nsteps:\n  {LOOK % ''}\n")
    await tried(stage, folder, "- {name: first, run: inner}", "- {name: then, pause: 1s}")
    assert ended(stage) == ("failed", "first: look: it answered 404")
    assert "then" not in steps(stage)


async def test_a_step_whose_condition_is_not_met_is_left_out(stage: Stage, folder: Path) -> None:
    await tried(
        stage, folder, "- {name: rich, when: event.amount_cents > 99999, pause: 1h}", "- {name: end, pause: 1s}"
    )
    await stage.advance(seconds=1)
    assert steps(stage) == {"rich": "skipped", "end": "done"}


@pytest.mark.parametrize(
    ("on_failure", "state", "escalates"), [("escalate", "failed", True), ("stop", "stopped", False)]
)
async def test_a_failed_run_escalates_unless_it_says_stop(
    stage: Stage, folder: Path, on_failure: str, state: str, escalates: bool
) -> None:
    ref = await tried(stage, folder, ASK % "", more=f"on_failure: {on_failure}")
    assert ("case.escalated" in stage.actions(ref)) is escalates
    assert ended(stage)[0] == state


async def test_what_was_done_is_taken_back_last_first(stage: Stage, folder: Path) -> None:
    undo = ", undo: {request: {connector: helpdesk, method: PATCH, path: /tickets/%s, json: {state: before}}}"
    write = "- {name: %s, request: {connector: helpdesk, method: PATCH, path: /tickets/%s, json: {state: after}}%s}"
    one, two = (write % (name, name, undo % name) for name in ("one", "two"))
    await tried(stage, folder, one, two, ASK % "", more="on_failure: undo")
    assert ended(stage) == ("undone", "ask: it answered 404")
    assert steps(stage) == {"one": "undone", "two": "undone", "ask": "failed"}
    assert {ticket["state"] for ticket in stage.company["helpdesk"].kept.values()} == {"before"}
    assert [attempt.request["path"] for attempt in requests(stage) if attempt.purpose == "undo"] == [
        "/tickets/two",
        "/tickets/one",
    ]


# --- timeout


async def test_what_a_step_carries_out_has_the_time_of_its_timeout(stage: Stage, folder: Path) -> None:
    long = "runbook: long\ntitle: Long\nsteps:\n  - {name: breath, pause: 1h}\n"
    (folder / "runbooks" / "long.yml").write_text(long)
    ref = await tried(stage, folder, "- {name: other, run: long, timeout: 5m}")
    assert "until" in stage.card(ref).shown.partition("*long* is carried out")[2]
    await stage.advance(minutes=5)
    assert ended(stage) == ("failed", "other: nothing came in time")
    assert [each.state for each in runs(stage)] == ["failed", "stopped"]


async def test_what_was_sent_is_not_waited_for_longer_than_its_timeout(stage: Stage, folder: Path) -> None:
    stage.company["billing"].mode, stage.company["billing"].retry_after = Mode.FAIL, 60
    await tried(stage, folder, "- {name: again, replay: {}, timeout: 30s}")
    await stage.advance(seconds=30)
    assert ended(stage)[1] == "again: nothing came in time; what again sent is on its way all the same"
