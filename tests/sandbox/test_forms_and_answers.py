"""Modals, triggers, Home, response URLs: what people fill in and what the app may do with it."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.sandbox.workspace import AppSettings, CannotDo, Command, SlackStandIn

from .conftest import ADA, BEN, GUEST, REVOPS, SECRET, HttpApp, Time, build, button, card, form, text_input

Body = dict[str, Any]
pytestmark = pytest.mark.usefixtures("http_app")


@pytest.fixture
def bodies(bolt: AsyncApp) -> list[Body]:
    """The bodies of all clicks on `go`, which are acknowledged and nothing more."""
    seen: list[Body] = []

    @bolt.action("go")
    async def go(ack: Any, body: Body) -> None:
        seen.append(body)
        await ack()

    return seen


@pytest.fixture
async def clicked(slack: SlackStandIn, client: AsyncWebClient, bodies: list[Body]) -> Callable[[], Any]:
    """Post a card and click it; gives the body that the app got."""

    async def click() -> Body:
        answer = await client.chat_postMessage(channel=REVOPS, text="Card", blocks=card(button("Go", "go", "7")))
        await slack.click(ADA, channel=REVOPS, ts=answer["ts"], text="Go")
        return bodies[-1]

    return click


async def test_click_tells_all_that_slack_tells(clicked: Callable[[], Any], slack: SlackStandIn) -> None:
    body = await clicked()
    action = body["actions"][0]
    assert (action["action_id"], action["block_id"], action["value"]) == ("go", "case", "7")
    assert action["action_ts"] > body["message"]["ts"]
    assert body["user"] == {"id": ADA, "username": "ada", "name": "ada", "team_id": slack.workspace.team.id}
    assert body["container"] == {
        "type": "message",
        "message_ts": body["message"]["ts"],
        "channel_id": REVOPS,
        "is_ephemeral": False,
    }
    assert all(block["block_id"] for block in body["message"]["blocks"])


async def test_trigger_is_good_once(clicked: Callable[[], Any], client: AsyncWebClient) -> None:
    trigger = (await clicked())["trigger_id"]
    await client.views_open(trigger_id=trigger, view=form())
    with pytest.raises(SlackApiError, match="exchanged_trigger_id"):
        await client.views_open(trigger_id=trigger, view=form())


async def test_trigger_lives_three_seconds(clicked: Callable[[], Any], client: AsyncWebClient, time: Time) -> None:
    trigger = (await clicked())["trigger_id"]
    time.at += 3.1
    with pytest.raises(SlackApiError, match="expired_trigger_id"):
        await client.views_open(trigger_id=trigger, view=form())


async def test_refused_view_leaves_the_trigger_unused(clicked: Callable[[], Any], client: AsyncWebClient) -> None:
    trigger = (await clicked())["trigger_id"]
    with pytest.raises(SlackApiError, match="invalid_arguments"):
        await client.views_open(trigger_id=trigger, view=form(title={"type": "plain_text", "text": ""}))
    assert (await client.views_open(trigger_id=trigger, view=form()))["ok"]


async def test_fourth_modal_is_too_many(clicked: Callable[[], Any], client: AsyncWebClient) -> None:
    opened = await client.views_open(trigger_id=(await clicked())["trigger_id"], view=form())
    for _ in range(2):
        pushed = await client.views_push(trigger_id=(await clicked())["trigger_id"], view=form())
    assert pushed["view"]["root_view_id"] == opened["view"]["id"]
    with pytest.raises(SlackApiError, match="push_limit_reached"):
        await client.views_push(trigger_id=(await clicked())["trigger_id"], view=form())


async def test_update_of_an_old_hash_is_a_conflict(clicked: Callable[[], Any], client: AsyncWebClient) -> None:
    view = (await client.views_open(trigger_id=(await clicked())["trigger_id"], view=form()))["view"]
    await client.views_update(view_id=view["id"], hash=view["hash"], view=form())
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await client.views_update(view_id=view["id"], hash=view["hash"], view=form())


async def test_what_was_typed_stays_through_an_update(
    slack: SlackStandIn, clicked: Callable[[], Any], client: AsyncWebClient, bodies: list[Body]
) -> None:
    more = {"type": "actions", "elements": [button("More", "go")]}
    view = (await client.views_open(trigger_id=(await clicked())["trigger_id"], view=form(more)))["view"]
    await slack.click(ADA, text="More", filled={"reason": "because"})
    assert bodies[-1]["container"] == {"type": "view", "view_id": view["id"]}
    assert bodies[-1]["view"]["state"]["values"]["reason"]["reason"]["value"] == "because"
    await client.views_update(view_id=view["id"], view=form(text_input("note"), more))
    assert slack.views(ADA)[0].values["reason"]["reason"]["value"] == "because"
    assert slack.views(ADA)[0].values["note"]["note"]["value"] is None


async def test_required_input_is_asked_for_without_asking_the_app(
    slack: SlackStandIn, clicked: Callable[[], Any], client: AsyncWebClient
) -> None:
    await client.views_open(trigger_id=(await clicked())["trigger_id"], view=form())
    submitted = await slack.submit(ADA)
    assert submitted.errors == {"reason": "Please complete this required field."}


async def test_every_kind_of_input_arrives_in_slacks_form(
    slack: SlackStandIn, bolt: AsyncApp, clicked: Callable[[], Any], client: AsyncWebClient
) -> None:
    seen: list[Body] = []

    @bolt.view("resolve")
    async def submitted(ack: Any, view: Body) -> None:
        seen.append(view["state"]["values"])
        await ack()

    options = [{"text": {"type": "plain_text", "text": name.upper()}, "value": name} for name in ("low", "high")]
    kinds: list[tuple[str, Body, Any]] = [
        ("static_select", {"options": options}, "high"),
        ("checkboxes", {"options": options}, ["low"]),
        ("users_select", {}, BEN),
        ("datepicker", {}, "2026-11-20"),
        ("timepicker", {"initial_time": "09:00"}, None),
    ]
    inputs = []
    for kind, extra, _ in kinds:
        element = {"type": kind, "action_id": kind, **extra}
        inputs.append(text_input(kind) | {"element": element})
    await client.views_open(trigger_id=(await clicked())["trigger_id"], view=form(*inputs))
    filled = {kind: value for kind, _, value in kinds if value}
    assert (await slack.submit(ADA, given=filled | {"reason": "x"})).ok
    values = {kind: seen[0][kind][kind] for kind, _, _ in kinds}
    assert values["static_select"]["selected_option"] == options[1]
    assert values["checkboxes"]["selected_options"] == [options[0]]
    assert values["users_select"]["selected_user"] == BEN
    assert values["datepicker"]["selected_date"] == "2026-11-20"
    assert values["timepicker"]["selected_time"] == "09:00"


@pytest.mark.parametrize(("answer", "titles"), [("update", ["Next"]), ("push", ["Resolve", "Next"]), ("clear", [])])
async def test_answers_to_a_submission(
    slack: SlackStandIn,
    bolt: AsyncApp,
    clicked: Callable[[], Any],
    client: AsyncWebClient,
    answer: str,
    titles: list[str],
) -> None:
    @bolt.view("resolve")
    async def submitted(ack: Any) -> None:
        view = form(title={"type": "plain_text", "text": "Next"}) if answer != "clear" else None
        await ack(response_action=answer, view=view)

    await client.views_open(trigger_id=(await clicked())["trigger_id"], view=form())
    assert (await slack.submit(ADA, given={"reason": "x"})).action == answer
    assert [view.title for view in slack.views(ADA)] == titles


async def test_errors_for_unknown_blocks_are_an_error_of_the_app(
    slack: SlackStandIn, bolt: AsyncApp, clicked: Callable[[], Any], client: AsyncWebClient
) -> None:
    @bolt.view("resolve")
    async def submitted(ack: Any) -> None:
        await ack(response_action="errors", errors={"raeson": "Say more."})

    await client.views_open(trigger_id=(await clicked())["trigger_id"], view=form())
    assert "raeson" in (await slack.submit(ADA, given={"reason": "x"})).error


async def test_closing_is_told_when_asked_for(
    slack: SlackStandIn, bolt: AsyncApp, clicked: Callable[[], Any], client: AsyncWebClient
) -> None:
    seen: list[str] = []

    @bolt.view_closed("resolve")
    async def closed(ack: Any, body: Body) -> None:
        seen.append(body["view"]["id"])
        await ack()

    opened = await client.views_open(trigger_id=(await clicked())["trigger_id"], view=form(notify_on_close=True))
    await slack.close(ADA)
    assert seen == [opened["view"]["id"]]
    with pytest.raises(SlackApiError, match="not_found"):
        await client.views_update(view_id=opened["view"]["id"], view=form())


async def test_options_are_asked_of_the_app(
    slack: SlackStandIn, bolt: AsyncApp, clicked: Callable[[], Any], client: AsyncWebClient
) -> None:
    @bolt.options("who")
    async def who(ack: Any, payload: Body) -> None:
        await ack(options=[{"text": {"type": "plain_text", "text": payload["value"]}, "value": "1"}])

    element = {"type": "external_select", "action_id": "who", "min_query_length": 1}
    view = form(text_input("who") | {"element": element})
    await client.views_open(trigger_id=(await clicked())["trigger_id"], view=view)
    options = await slack.options(ADA, action_id="who", typed="ad")
    assert options[0]["text"]["text"] == "ad"


async def test_home_is_published_and_clicked(slack: SlackStandIn, client: AsyncWebClient, bodies: list[Body]) -> None:
    home = {"type": "home", "blocks": card(button("Go", "go", "home"))}
    await client.views_publish(user_id=BEN, view=home)
    await slack.click(BEN, text="Go")
    assert bodies[-1]["view"]["type"] == "home"
    assert slack.home(ADA) is None


async def test_response_url_is_good_five_times(slack: SlackStandIn, clicked: Callable[[], Any]) -> None:
    hook = AsyncWebhookClient((await clicked())["response_url"])
    answers = [await hook.send(text=f"Note {number}") for number in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [404]
    assert "used_url" in answers[5].body
    assert len(slack.ephemerals(ADA)) == 5
    assert slack.ephemerals(BEN) == []


async def test_response_url_lives_thirty_minutes(clicked: Callable[[], Any], time: Time) -> None:
    hook = AsyncWebhookClient((await clicked())["response_url"])
    time.at += 30 * 60 + 1
    assert "expired_url" in (await hook.send(text="late")).body


async def test_response_url_replaces_and_deletes_an_ephemeral(
    slack: SlackStandIn, client: AsyncWebClient, bodies: list[Body]
) -> None:
    await client.chat_postEphemeral(channel=REVOPS, user=ADA, text="Sure?", blocks=card(button("Yes", "go")))
    await slack.click(ADA, slack.ephemerals(ADA)[0], text="Yes")
    assert "message" not in bodies[-1]
    assert bodies[-1]["container"]["is_ephemeral"]
    hook = AsyncWebhookClient(bodies[-1]["response_url"])
    await hook.send(text="Done", replace_original=True)
    assert [message.shown for message in slack.ephemerals(ADA)] == ["Done"]
    await hook.send(delete_original=True)
    assert slack.ephemerals(ADA) == []


async def test_answer_in_the_channel_is_seen_by_all(slack: SlackStandIn, clicked: Callable[[], Any]) -> None:
    hook = AsyncWebhookClient((await clicked())["response_url"])
    await hook.send(text="Everybody", response_type="in_channel")
    assert slack.messages(REVOPS)[-1].text == "Everybody"


async def test_global_shortcut_knows_no_channel(slack: SlackStandIn, bolt: AsyncApp) -> None:
    seen: list[Body] = []

    @bolt.shortcut("case.new")
    async def new(ack: Any, shortcut: Body) -> None:
        seen.append(shortcut)
        await ack()

    assert (await slack.shortcut(ADA, "case.new")).ok
    assert seen[0]["type"] == "shortcut"
    assert "channel" not in seen[0]


async def test_command_that_fails_is_told_by_slackbot(slack: SlackStandIn, http_app: HttpApp) -> None:
    http_app.fail_with = [500]
    await slack.command(ADA, REVOPS, "/case list")
    assert slack.ephemerals(ADA)[-1].text == "/case failed with the error “dispatch_failed”"


async def test_names_in_a_command_that_asks_for_them_are_ids(time: Time, http_app: HttpApp) -> None:
    settings = AppSettings(commands=(Command("/case", should_escape=True),))
    async with build(time, app=settings) as slack:
        slack.request_url = http_app.url
        await slack.command(ADA, REVOPS, f"/case give <@{BEN}> in <#{REVOPS}>")
    assert parse_qs(http_app.bodies[0])["text"] == [f"give <@{BEN}|ben> in <#{REVOPS}|revops>"]


async def test_people_cannot_do_what_slack_does_not_offer(slack: SlackStandIn, client: AsyncWebClient) -> None:
    ts = (await client.chat_postMessage(channel=REVOPS, text="x", blocks=card(button("Go", "go"))))["ts"]
    with pytest.raises(CannotDo, match="only Go"):
        await slack.click(ADA, channel=REVOPS, ts=ts, text="Stop")
    with pytest.raises(CannotDo, match="does not see"):
        await slack.click(GUEST, channel=REVOPS, ts=ts, text="Go")
    with pytest.raises(CannotDo, match="not supported in threads"):
        await slack.command(ADA, REVOPS, "/case list", in_thread=True)
    with pytest.raises(CannotDo, match="not a valid command"):
        await slack.command(ADA, REVOPS, "/dance")
    with pytest.raises(CannotDo, match="cannot see"):
        await slack.post(BEN, SECRET, "hello")


async def test_bad_response_is_refused_and_does_not_count(clicked: Callable[[], Any]) -> None:
    url = (await clicked())["response_url"]
    async with aiohttp.ClientSession() as session, session.post(url, json={"blocks": [{"type": "x"}]}) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"] == "invalid_blocks"
