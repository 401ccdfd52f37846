"""What the page asks for on behalf of a user: each `kind` of act is one method here."""

from typing import Any

from . import messages, page_shapes, payloads
from .errors import CannotDo, SlackError
from .hands import Hands, Submitted
from .people import People
from .state import Channel, Message, View
from .workspace import Change, Workspace

Json = dict[str, Any]


class Acts:
    """Carries out acts of the page and remembers what each user has read."""

    def __init__(self, workspace: Workspace, people: People, hands: Hands) -> None:
        self._workspace, self._people, self._hands = workspace, people, hands
        self._read: dict[tuple[str, str], str] = {}
        self._kinds = {
            "message": self._message,
            "edit": self._edit,
            "delete": self._delete,
            "reaction": self._reaction,
            "command": self._command,
            "block_action": self._block_action,
            "message_shortcut": self._shortcut,
            "global_shortcut": self._shortcut,
            "view_submit": self._view_submit,
            "view_close": self._view_close,
            "options": self._options,
            "read": self._mark_read,
        }

    async def do(self, act: Json) -> Json:
        """Carry out an act; `{"ok": False, "error": …}` tells what could not be done."""
        handler = self._kinds.get(str(act.get("kind")))
        if handler is None:
            return {"ok": False, "error": "This page asked for something unknown."}
        try:
            return {"ok": True, **await handler(self._workspace.person(str(act.get("as"))).id, act)}
        except CannotDo as cannot:
            return {"ok": False, "error": str(cannot)}
        except SlackError as refused:
            return {"ok": False, "error": refused.error}
        except KeyError as missing:
            return {"ok": False, "error": f"{missing} is missing"}

    def conversation(self, where: Channel, reader: str) -> Json:
        """The reader's line for a conversation."""
        return page_shapes.conversation(self._workspace, where, reader, self._read.get((reader, where.id), ""))

    async def _message(self, user: str, act: Json) -> Json:
        text = page_shapes.typed(self._workspace, str(act["text"]))
        message = await self._people.post(user, act["channel"], text, thread_ts=act.get("thread_ts"))
        return {"ts": message.ts, "channel": message.channel}

    async def _edit(self, user: str, act: Json) -> Json:
        text = page_shapes.typed(self._workspace, str(act["text"]))
        await self._people.edit(user, act["channel"], act["ts"], text)
        return {}

    async def _delete(self, user: str, act: Json) -> Json:
        await self._people.delete(user, act["channel"], act["ts"])
        return {}

    async def _reaction(self, user: str, act: Json) -> Json:
        give = self._people.unreact if act.get("remove") else self._people.react
        await give(user, act["channel"], act["ts"], act["name"])
        return {}

    async def _command(self, user: str, act: Json) -> Json:
        in_thread = bool(act.get("thread_ts"))
        text = page_shapes.typed(self._workspace, str(act["text"]))
        reply = await self._people.command(user, act["channel"], text, in_thread=in_thread)
        return _answered(reply.error)

    async def _block_action(self, user: str, act: Json) -> Json:
        values = act.get("state_values") or {}
        reply = await self._hands.act(user, self._target(user, act), act["action"], values=values)
        return _answered(reply.error)

    async def _shortcut(self, user: str, act: Json) -> Json:
        reply = await self._people.shortcut(user, act["callback_id"], channel=act.get("channel"), ts=act.get("ts"))
        return _answered(reply.error)

    async def _view_submit(self, user: str, act: Json) -> Json:
        submitted = await self._hands.submit(user, act["view_id"], act.get("state_values") or {})
        return self._shown(submitted)

    async def _view_close(self, user: str, act: Json) -> Json:
        await self._hands.close(user, act["view_id"])
        return {}

    async def _options(self, user: str, act: Json) -> Json:
        target = self._target(user, act)
        found = await self._hands.options(user, target, action_id=act["action_id"], typed=str(act.get("value", "")))
        return {"options": found}

    async def _mark_read(self, user: str, act: Json) -> Json:
        where = self._people.conversation(user, act["channel"])
        if where.messages:
            self._read[user, where.id] = next(reversed(where.messages))
        self._workspace.changed(Change("read", where.id, user))
        return {}

    def _target(self, user: str, act: Json) -> Message | View:
        found: Message | View | None
        if act.get("view_id"):
            found = self._workspace.view(act["view_id"])
        elif act.get("ephemeral"):
            found = messages.find_ephemeral(self._workspace, user, act["ts"])
        else:
            found = self._people.conversation(user, act["channel"]).messages.get(act["ts"])
        if found is None:
            raise CannotDo("That is not there any more.")
        return found

    def _shown(self, submitted: Submitted) -> Json:
        if submitted.error:
            return {"ok": False, "error": submitted.error}
        shown: Json = {"response_action": submitted.action} if submitted.action else {}
        if submitted.errors:
            shown["errors"] = submitted.errors
        if submitted.view is not None and submitted.action in ("update", "push"):
            shown["view"] = payloads.view(self._workspace, submitted.view)
        return shown


def _answered(error: str) -> Json:
    return {"ok": False, "error": error} if error else {}
