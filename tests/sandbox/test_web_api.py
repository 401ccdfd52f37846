"""The Web API of the stand-in: what it stores, what it gives back, how it says no."""

import json
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.workspace import AppSettings, SlackStandIn
from bot.sandbox.workspace.digest import METHODS

from .conftest import (
    ADA,
    BEN,
    GONE,
    GUEST,
    OLD,
    PUBLIC,
    REVOPS,
    SECRET,
    SHARED,
    STRANGER,
    Time,
    build,
    button,
    card,
    client_of,
    form,
)  # fmt: skip

# Errors that Slack gives for any method, or gives without listing them for the method.
GENERAL = {"invalid_auth", "not_authed", "missing_scope", "invalid_arguments", "unknown_method", "ratelimited"}
UNLISTED = {"channel_not_found", "msg_too_long", "thread_not_found", "user_not_found", "users_not_found"}
UNLISTED |= {"users_list_not_supplied", "cannot_dm_bot", "cant_delete_message", "not_allowed_token_type"}
UNLISTED |= {"user_not_visible"}

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("chat.postMessage", {"channel": REVOPS}, "no_text"),
    ("chat.postMessage", {"text": "x"}, "channel_not_found"),
    ("chat.postMessage", {"channel": "C0NONE", "text": "x"}, "channel_not_found"),
    ("chat.postMessage", {"channel": SECRET, "text": "x"}, "channel_not_found"),
    ("chat.postMessage", {"channel": PUBLIC, "text": "x"}, "not_in_channel"),
    ("chat.postMessage", {"channel": OLD, "text": "x"}, "is_archived"),
    ("chat.postMessage", {"channel": GONE, "text": "x"}, "channel_not_found"),
    ("chat.postMessage", {"channel": REVOPS, "text": "x" * 40_001}, "msg_too_long"),
    ("chat.postMessage", {"channel": REVOPS, "text": "x", "thread_ts": "1.000001"}, "thread_not_found"),
    ("chat.postMessage", {"channel": REVOPS, "text": "x", "blocks": {}}, "invalid_blocks_format"),
    ("chat.postMessage", {"channel": REVOPS, "text": "x", "blocks": "{"}, "invalid_blocks_format"),
    ("chat.postMessage", {"channel": REVOPS, "blocks": card() + card()}, "invalid_blocks"),
    ("chat.postMessage", {"channel": REVOPS, "text": "x", "metadata": "[1]"}, "invalid_metadata_format"),
    ("chat.update", {"channel": REVOPS, "ts": "1.0", "text": "x"}, "message_not_found"),
    ("chat.update", {"channel": REVOPS, "text": "x"}, "invalid_arguments"),
    ("chat.delete", {"channel": REVOPS, "ts": "1.0"}, "message_not_found"),
    ("chat.postEphemeral", {"channel": REVOPS, "user": GUEST, "text": "x"}, "user_not_in_channel"),
    ("chat.getPermalink", {"channel": REVOPS, "message_ts": "1.0"}, "message_not_found"),
    ("views.open", {"view": form(), "trigger_id": "1.2.3"}, "invalid_trigger_id"),
    ("views.open", {"view": form(title={}), "trigger_id": "1.2.3"}, "invalid_arguments"),
    ("views.open", {"view": form(private_metadata="x" * 250_000), "trigger_id": "1"}, "view_too_large"),
    ("views.update", {"view": form(), "view_id": "V0NONE"}, "not_found"),
    ("views.publish", {"user_id": ADA, "view": form()}, "invalid_arguments"),
    ("conversations.open", {}, "users_list_not_supplied"),
    ("conversations.open", {"users": "U0NONE"}, "user_not_found"),
    ("conversations.open", {"users": GONE}, "user_disabled"),
    ("conversations.info", {"channel": SECRET}, "channel_not_found"),
    ("conversations.join", {"channel": OLD}, "is_archived"),
    ("conversations.history", {"channel": PUBLIC}, "not_in_channel"),
    ("conversations.replies", {"channel": REVOPS, "ts": "1.0"}, "thread_not_found"),
    ("conversations.invite", {"channel": REVOPS, "users": BEN}, "already_in_channel"),
    ("conversations.list", {"types": "secret"}, "invalid_types"),
    ("conversations.list", {"cursor": "x"}, "invalid_cursor"),
    ("users.info", {"user": "U0NONE"}, "user_not_found"),
    ("users.lookupByEmail", {"email": "nobody@acme.test"}, "users_not_found"),
    ("usergroups.users.list", {"usergroup": "S0NONE"}, "no_such_subteam"),
    ("reactions.add", {"channel": REVOPS, "timestamp": "1.0", "name": "eyes"}, "message_not_found"),
    ("apps.connections.open", {}, "not_allowed_token_type"),
    ("files.completeUploadExternal", {"files": [{"id": "F0NONE"}]}, "file_not_found"),
    ("chat.dance", {}, "unknown_method"),
]


@pytest.mark.parametrize(("method", "args", "error"), REFUSED)
async def test_refusals_have_slacks_names(
    client: AsyncWebClient, method: str, args: dict[str, Any], error: str
) -> None:
    with pytest.raises(SlackApiError) as refused:
        await client.api_call(method, json=args)
    assert refused.value.response["error"] == error
    documented = METHODS[method].errors if method in METHODS else set()
    assert error in documented | GENERAL | UNLISTED


async def test_arguments_come_by_query_form_and_json(slack: SlackStandIn) -> None:
    token = {"Authorization": f"Bearer {slack.app.bot_token}"}
    address, text = slack.api_url + "chat.postMessage", {"text": "hi"}
    blocks = json.dumps(card(button("Go", "go")))
    async with aiohttp.ClientSession() as session:
        by_query = await session.post(address, params={"channel": REVOPS}, json=text, headers=token)
        form = text | {"channel": REVOPS, "token": slack.app.bot_token, "blocks": blocks}
        by_form = await session.post(address, data=form)
        by_get = await session.get(address, params={"channel": REVOPS, **text}, headers=token)
        answers = [await each.json() for each in (by_query, by_form, by_get)]
    assert [answer["ok"] for answer in answers] == [True] * 3
    assert slack.messages(REVOPS)[1].buttons == ["Go"]
    assert len({message.ts for message in slack.messages(REVOPS)}) == 3


async def test_unknown_token_is_refused(slack: SlackStandIn) -> None:
    with pytest.raises(SlackApiError, match="invalid_auth"):
        await client_of(slack, "xoxb-other").auth_test()
    with pytest.raises(SlackApiError, match="not_authed"):
        await AsyncWebClient(base_url=slack.api_url).auth_test()


async def test_missing_scope_says_what_is_needed(time: Time) -> None:
    settings = AppSettings(scopes=frozenset({"chat:write", "channels:history"}))
    async with build(time, app=settings) as slack:
        with pytest.raises(SlackApiError) as refused:
            await client_of(slack).users_info(user=ADA)
    assert refused.value.response["error"] == "missing_scope"
    assert refused.value.response["needed"] == "users:read"
    assert refused.value.response["provided"] == "channels:history,chat:write"


async def test_history_of_a_private_channel_needs_its_own_scope(time: Time) -> None:
    settings = AppSettings(scopes=frozenset({"channels:history"}))
    async with build(time, app=settings) as slack:
        await slack.join(settings.bot_user, SECRET, inviter=ADA)
        with pytest.raises(SlackApiError, match="missing_scope"):
            await client_of(slack).conversations_history(channel=SECRET)


async def test_blocks_that_slack_refuses_are_explained(client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as refused:
        await client.chat_postMessage(channel=REVOPS, text="x", blocks=[{"type": "section"}])
    messages = refused.value.response["response_metadata"]["messages"]
    assert messages == ["[ERROR] must have one of: text, fields [json-pointer:/blocks/0]"]


async def test_metadata_comes_back_only_when_asked(client: AsyncWebClient) -> None:
    metadata = {"event_type": "case", "event_payload": {"key": "1"}}
    await client.chat_postMessage(channel=REVOPS, text="x", metadata=metadata)
    without = await client.conversations_history(channel=REVOPS)
    having = await client.conversations_history(channel=REVOPS, include_all_metadata=True)
    assert "metadata" not in without["messages"][0]
    assert having["messages"][0]["metadata"] == metadata


async def test_update_with_text_alone_takes_the_blocks_away(slack: SlackStandIn, client: AsyncWebClient) -> None:
    ts = (await client.chat_postMessage(channel=REVOPS, text="x", blocks=card(button("Go", "go"))))["ts"]
    await client.chat_update(channel=REVOPS, ts=ts, text="done")
    assert slack.message(REVOPS, ts).blocks == []
    assert slack.message(REVOPS, ts).edited_ts


async def test_update_of_somebody_elses_message_is_refused(slack: SlackStandIn, client: AsyncWebClient) -> None:
    message = await slack.post(ADA, REVOPS, "mine")
    with pytest.raises(SlackApiError, match="cant_update_message"):
        await client.chat_update(channel=REVOPS, ts=message.ts, text="ours")


async def test_thread_is_counted_at_its_root(slack: SlackStandIn, client: AsyncWebClient) -> None:
    root = await slack.post(ADA, REVOPS, "root")
    await client.chat_postMessage(channel=REVOPS, text="one", thread_ts=root.ts)
    await slack.post(BEN, REVOPS, "two", thread_ts=root.ts)
    history = await client.conversations_history(channel=REVOPS)
    replies = await client.conversations_replies(channel=REVOPS, ts=root.ts)
    assert [message["text"] for message in history["messages"]] == ["root"]
    assert history["messages"][0]["reply_count"] == 2
    assert [message["text"] for message in replies["messages"]] == ["root", "one", "two"]
    assert replies["messages"][1]["parent_user_id"] == ADA


async def test_history_is_paged_newest_first(slack: SlackStandIn, client: AsyncWebClient) -> None:
    for number in range(5):
        await slack.post(ADA, REVOPS, str(number))
    pages = [
        [message["text"] for message in page["messages"]]
        async for page in await client.conversations_history(channel=REVOPS, limit=2)
    ]
    assert pages == [["4", "3"], ["2", "1"], ["0"]]
    oldest = slack.messages(REVOPS)[2].ts
    since = await client.conversations_history(channel=REVOPS, oldest=oldest)
    assert [message["text"] for message in since["messages"]] == ["4", "3"]


async def test_direct_message_by_user_id_and_by_open_is_one(slack: SlackStandIn, client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel=ADA, text="psst")
    opened = await client.conversations_open(users=[ADA])
    assert posted["channel"] == opened["channel"]["id"]
    assert [message.text for message in slack.dms(ADA)] == ["psst"]


async def test_stranger_can_be_told_only_through_a_shared_channel(slack: SlackStandIn, client: AsyncWebClient) -> None:
    await client.chat_postMessage(channel=STRANGER, text="hello")
    await slack.leave(STRANGER, SHARED)
    with pytest.raises(SlackApiError, match="user_not_visible"):
        await client.conversations_open(users=STRANGER)


async def test_messages_tab_may_be_off(time: Time) -> None:
    async with build(time, app=AppSettings(messages_tab=False)) as slack:
        with pytest.raises(SlackApiError, match="messages_tab_disabled"):
            await client_of(slack).chat_postMessage(channel=ADA, text="psst")


async def test_public_channel_can_be_joined_and_then_posted_to(client: AsyncWebClient) -> None:
    await client.conversations_join(channel=PUBLIC)
    assert (await client.chat_postMessage(channel=PUBLIC, text="hello"))["ok"]


async def test_channels_that_the_bot_cannot_see_are_not_listed(client: AsyncWebClient) -> None:
    listed = await client.conversations_list(types="public_channel,private_channel", exclude_archived=True)
    assert {channel["id"] for channel in listed["channels"]} == {REVOPS, PUBLIC, SHARED}
    own = await client.users_conversations()
    assert {channel["id"] for channel in own["channels"]} == {REVOPS, SHARED, OLD}


async def test_reaction_is_given_once(slack: SlackStandIn, client: AsyncWebClient) -> None:
    message = await slack.post(ADA, REVOPS, "look")
    await client.reactions_add(channel=REVOPS, timestamp=message.ts, name="eyes")
    with pytest.raises(SlackApiError, match="already_reacted"):
        await client.reactions_add(channel=REVOPS, timestamp=message.ts, name="eyes")
    got = await client.reactions_get(channel=REVOPS, timestamp=message.ts)
    assert got["message"]["reactions"] == [{"name": "eyes", "users": [slack.app.bot_user], "count": 1}]
    await client.reactions_remove(channel=REVOPS, timestamp=message.ts, name="eyes")
    assert slack.message(REVOPS, message.ts).reactions == {}


async def test_user_is_shown_with_zone_and_address(slack: SlackStandIn, client: AsyncWebClient) -> None:
    user = (await client.users_info(user=ADA))["user"]
    assert (user["tz"], user["profile"]["email"], user["deleted"]) == ("Europe/London", "ada@acme.test", False)
    assert (await client.users_lookupByEmail(email="ADA@acme.test"))["user"]["id"] == ADA
    slack.workspace.users[ADA] = replace(slack.workspace.users[ADA], deleted=True)
    with pytest.raises(SlackApiError, match="users_not_found"):
        await client.users_lookupByEmail(email="ada@acme.test")


async def test_strangers_are_known_by_their_team(client: AsyncWebClient) -> None:
    assert (await client.users_info(user=STRANGER))["user"]["is_stranger"]
    listed = (await client.users_list())["members"]
    assert STRANGER not in {user["id"] for user in listed}


async def test_group_is_read(client: AsyncWebClient) -> None:
    assert (await client.usergroups_users_list(usergroup="S0ONCALL"))["users"] == [ADA]
    assert (await client.usergroups_list())["usergroups"][0]["handle"] == "oncall"


async def test_file_takes_three_steps(slack: SlackStandIn, client: AsyncWebClient) -> None:
    await client.files_upload_v2(channel=REVOPS, content="a,b\n1,2\n", filename="cases.csv", initial_comment="Here")
    message = slack.messages(REVOPS)[-1]
    assert (message.text, message.files[0]["name"]) == ("Here", "cases.csv")
    assert slack.workspace.uploads[message.files[0]["id"]]["content"] == b"a,b\n1,2\n"


async def test_blocks_can_be_validated_without_a_token(slack: SlackStandIn) -> None:
    client = AsyncWebClient(base_url=slack.api_url)
    assert (await client.api_call("blocks.validate", json={"blocks": card()[:1]}))["ok"]
    with pytest.raises(SlackApiError) as refused:
        await client.api_call("blocks.validate", json={"view": form(title=None)})
    assert refused.value.response["errors"][0]["pointer"] == "/title"


async def test_only_live_text_mentions_somebody(slack: SlackStandIn, client: AsyncWebClient) -> None:
    blocks = [
        {"type": "section", "text": {"type": "plain_text", "text": "<!channel>"}},
        {"type": "section", "text": {"type": "mrkdwn", "text": "&lt;!here&gt; <@U0BEN> <!subteam^S0ONCALL>"}},
    ]
    await client.chat_postMessage(channel=REVOPS, text="Case", blocks=blocks)
    assert slack.messages(REVOPS)[-1].mentions == [BEN, "S0ONCALL"]
