"""What a person does with elements: clicks, chooses, submits and closes forms."""

from dataclasses import dataclass, field
from typing import Any

from . import forms, messages, modals, payloads, walking
from .delivery import Delivery, Reply
from .errors import CannotDo, SlackError
from .responding import ResponseUrls
from .state import Message, View
from .workspace import Workspace

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a form. `errors` are shown at their blocks; `error` is Slack's own complaint."""

    action: str | None = None
    errors: dict[str, str] = field(default_factory=dict)
    view: View | None = None
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether the form was taken."""
        return not self.errors and not self.error


class Hands:
    """Clicks and forms of the people. Raises CannotDo for what is not there to be clicked."""

    def __init__(self, workspace: Workspace, delivery: Delivery, urls: ResponseUrls) -> None:
        self._workspace, self._delivery, self._urls = workspace, delivery, urls

    async def click(
        self,
        user: str,
        on: Message | View | None = None,
        *,
        text: str | None = None,
        action_id: str | None = None,
        block_id: str | None = None,
        channel: str | None = None,
        ts: str | None = None,
        view_id: str | None = None,
        value: Any = None,
        filled: dict[str, Any] | None = None,
    ) -> Reply:
        """Press a button (by its `text` or `action_id`) or choose `value` in another element.

        `on` is the message or view; or name it by channel and ts, or view_id; without any of them it is the
        form on top, else the Home. `filled` is what was typed before, as in `submit`. Returns when the app
        has acknowledged or failed to.
        """
        target = on or self._target(user, channel, ts, view_id)
        self._may_touch(user, target)
        blocks = target.all_blocks if isinstance(target, Message) else target.blocks
        block, element = _element(blocks, text=text, action_id=action_id, block_id=block_id)
        if filled and isinstance(target, View):
            target.values = forms.filled(blocks, target.values, filled)
        return await self.act(user, target, self._action(block, element, value))

    async def act(
        self, user: str, target: Message | View, action: Json, *, values: forms.Values | None = None
    ) -> Reply:
        """Send a block action as it is; `values` is the state of the elements around it.

        What was chosen is remembered in a view's state.
        """
        self._may_touch(user, target)
        action = {**action, "action_ts": self._workspace.next_ts()}
        if isinstance(target, View):
            target.values = {**target.values, **(values or {})}
            self._remember(target, action)
        payload = self._payload("block_actions", user)
        payload |= self._seen(user, target) | {
            "trigger_id": self._workspace.new_trigger(user, target.id if isinstance(target, View) else None),
            "actions": [action],
        }
        if values and isinstance(target, Message):
            payload["state"] = {"values": {**payload["state"]["values"], **values}}
        return await self._delivery.send_interaction(payload)

    async def submit(self, user: str, view_id: str | None = None, given: dict[str, Any] | None = None) -> Submitted:
        """Fill in a form and submit it; the form on top when no `view_id` is named.

        `given` maps block_id or action_id to a plain value: a text, an option's value or words, a user id, a
        date, a list of them; or block_id to Slack's own `{action_id: {…}}`.
        """
        view = self._form(user, view_id)
        view.values = forms.filled(view.blocks, view.values, given or {})
        complaints = forms.missing(view.blocks, view.values)
        if complaints:
            return Submitted("errors", complaints, view)
        payload = self._payload("view_submission", user) | {
            "trigger_id": self._workspace.new_trigger(user, view.id),
            "view": payloads.view(self._workspace, view),
            "response_urls": [],
        }
        reply = await self._delivery.send_interaction(payload)
        if not reply.ok:
            return Submitted(view=view, error=reply.error)
        try:
            return self._after_submission(view, reply.body if isinstance(reply.body, dict) else {})
        except SlackError as refused:
            return Submitted(view=view, error=f"{refused.error}: {refused.extra.get('response_metadata', '')}")

    async def close(self, user: str, view_id: str | None = None) -> Reply | None:
        """Close a form; the app hears of it when it asked to (`notify_on_close`)."""
        view = self._form(user, view_id)
        modals.close(self._workspace, view)
        if not view.content.get("notify_on_close"):
            return None
        payload = self._payload("view_closed", user)
        payload |= {"view": payloads.view(self._workspace, view), "is_cleared": False}
        return await self._delivery.send_interaction(payload)

    async def options(
        self, user: str, on: Message | View | None = None, *, action_id: str, typed: str = ""
    ) -> list[Json]:
        """Type into an external select and return the options that the app offers."""
        target = on or self._target(user, None, None, None)
        blocks = target.all_blocks if isinstance(target, Message) else target.blocks
        block, element = _element(blocks, action_id=action_id)
        payload = self._payload("block_suggestion", user) | self._seen(user, target)
        payload |= {"action_id": element["action_id"], "block_id": block["block_id"], "value": typed}
        payload.pop("response_url", None)
        reply = await self._delivery.send_interaction(payload)
        if not reply.ok or not isinstance(reply.body, dict):
            raise CannotDo(reply.error or "The app gave no options.")
        groups = reply.body.get("option_groups") or []
        grouped = [option for group in groups for option in group["options"]]
        return list(reply.body.get("options") or grouped)

    def _after_submission(self, view: View, answer: Json) -> Submitted:
        action = answer.get("response_action")
        if action == "errors":
            return self._errors(view, answer.get("errors") or {})
        if action == "update":
            shown = modals.replace(self._workspace, view, modals.checked(answer.get("view"), "modal"))
        elif action == "push":
            shown = modals.push(self._workspace, view.user, modals.checked(answer.get("view"), "modal"))
        elif action == "clear":
            modals.clear(self._workspace, view.user)
            return Submitted("clear")
        else:
            modals.close(self._workspace, view)
            return Submitted()
        return Submitted(action, view=shown)

    def _errors(self, view: View, errors: dict[str, str]) -> Submitted:
        inputs = {block["block_id"] for block in view.blocks if block["type"] == "input"}
        unknown = sorted(set(errors) - inputs)
        if unknown or not errors:
            return Submitted("errors", dict(errors), view, f"errors for no input block: {unknown}")
        return Submitted("errors", dict(errors), view)

    def _target(self, user: str, channel: str | None, ts: str | None, view_id: str | None) -> Message | View:
        found: Message | View | None
        if ts is not None:
            where = self._workspace.channels.get(channel or "")
            found = (where.messages.get(ts) if where else None) or messages.find_ephemeral(self._workspace, user, ts)
        elif view_id is not None:
            found = self._workspace.view(view_id)
        else:
            stack = self._workspace.stacks[user]
            found = stack[-1] if stack else self._workspace.homes.get(user)
        if found is None:
            raise CannotDo("That is not there any more.")
        return found

    def _may_touch(self, user: str, target: Message | View) -> None:
        self._workspace.person(user)
        if isinstance(target, View):
            allowed = target.user == user and self._workspace.view(target.id) is target
        elif target.ephemeral_to:
            allowed = target.ephemeral_to == user
        else:
            allowed = self._workspace.can_see(self._workspace.channels[target.channel], user)
        if not allowed:
            raise CannotDo(f"{user} does not see that.")

    def _form(self, user: str, view_id: str | None) -> View:
        found = self._target(user, None, None, view_id)
        self._may_touch(user, found)
        if not isinstance(found, View) or found.type != "modal":
            raise CannotDo("There is no form open.")
        return found

    def _payload(self, kind: str, user: str) -> Json:
        return payloads.interaction(self._workspace, kind, self._workspace.person(user))

    def _seen(self, user: str, target: Message | View) -> Json:
        if isinstance(target, View):
            return {
                "container": {"type": "view", "view_id": target.id},
                "view": payloads.view(self._workspace, target),
            }
        where = self._workspace.channels[target.channel]
        ephemeral = target.ephemeral_to is not None
        seen: Json = {
            "container": {
                "type": "message",
                "message_ts": target.ts,
                "channel_id": where.id,
                "is_ephemeral": ephemeral,
            },
            "channel": {"id": where.id, "name": where.name},
            "state": {"values": forms.state(target.all_blocks)},
            "response_url": self._urls.make(where.id, user, target),
        }
        if target.thread_ts:
            seen["container"]["thread_ts"] = target.thread_ts
        if not ephemeral:
            seen["message"] = payloads.message(self._workspace, target)
        return seen

    def _action(self, block: Json, element: Json, value: Any) -> Json:
        action = {
            "action_id": element["action_id"],
            "block_id": block["block_id"],
            "type": element["type"],
        }
        if element["type"] == "button":
            return action | {key: element[key] for key in ("text", "value", "style") if key in element}
        return action | forms.answer(element, value)

    def _remember(self, view: View, action: Json) -> None:
        if action["type"] in ("button", "overflow"):
            return
        ours = ("action_id", "block_id", "action_ts")
        held = {key: value for key, value in action.items() if key not in ours}
        slot = {**view.values.get(action["block_id"], {}), action["action_id"]: held}
        view.values = {**view.values, action["block_id"]: slot}


def _element(
    blocks: list[Json], *, text: str | None = None, action_id: str | None = None, block_id: str | None = None
) -> tuple[Json, Json]:
    for block, element in walking.elements(blocks):
        words = element["text"]["text"] if element["type"] == "button" else None
        fits = (text in (None, words), action_id in (None, element["action_id"]))
        if all(fits) and block_id in (None, block["block_id"]):
            return block, element
    wanted = text or action_id or block_id
    raise CannotDo(f"There is no {wanted!r} here, only {', '.join(walking.button_texts(blocks)) or 'no buttons'}.")
