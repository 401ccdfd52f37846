"""The page in the browser: its files, its API, and a WebSocket that tells it what changes."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from . import page_shapes, payloads
from .acts import Acts
from .errors import CannotDo
from .people import People
from .workspace import Change, Workspace

Json = dict[str, Any]
PAGE_FILES = Path(__file__).parents[1] / "page"
QUEUED = 1_000
_COUNTED = ("message", "message_deleted", "conversation")


class Page:
    """Serves the page for anybody who opens it, as whichever user they choose. Only for this machine."""

    def __init__(self, workspace: Workspace, people: People, acts: Acts) -> None:
        self._workspace, self._people, self._acts = workspace, people, acts
        self._open: dict[asyncio.Queue[Json], str] = {}
        self._sockets: set[web.WebSocketResponse] = set()
        workspace.observers.append(self._changed)

    def add_to(self, app: web.Application) -> None:
        """Add the page's routes to an application."""
        app.router.add_get("/", _index)
        app.router.add_get("/archives/{channel}/{message}", _index)
        app.router.add_static("/static/", PAGE_FILES)
        app.router.add_get("/ui/workspace", self._told(lambda _: page_shapes.workspace(self._workspace)))
        app.router.add_get("/ui/conversations", self._told(self._conversations))
        app.router.add_get("/ui/messages", self._told(self._messages))
        app.router.add_get("/ui/home", self._home)
        app.router.add_post("/ui/act", self._act)
        app.router.add_get("/ui/socket", self._socket)

    def push(self, told: Json) -> None:
        """Send something to every open page, e.g. `{"type": "clock", "now": …}`."""
        for queue in self._open:
            _put(queue, told)

    async def close(self) -> None:
        """Close the connections of all open pages."""
        for socket in list(self._sockets):
            await socket.close()

    def _told(self, tell: Callable[[web.Request], Json]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            try:
                return web.json_response(tell(request))
            except CannotDo as cannot:
                return web.json_response({"ok": False, "error": str(cannot)}, status=404)

        return handler

    def _conversations(self, request: web.Request) -> Json:
        reader = self._workspace.person(request.query.get("as", "")).id
        self._workspace.direct(reader, self._workspace.app.bot_user)
        found = [where for where in self._workspace.channels.values() if self._workspace.is_member(where, reader)]
        return {"conversations": [self._acts.conversation(where, reader) for where in found]}

    def _messages(self, request: web.Request) -> Json:
        reader = self._workspace.person(request.query.get("as", "")).id
        where = self._people.conversation(reader, request.query.get("channel", ""))
        if not self._workspace.can_see(where, reader):
            raise CannotDo("There is no such channel.")
        thread_ts = request.query.get("thread_ts") or None
        return {"messages": page_shapes.messages(self._workspace, where, reader, thread_ts)}

    async def _home(self, request: web.Request) -> web.Response:
        reader = request.query.get("as", "")
        try:
            await self._people.open_home(reader)
        except CannotDo as cannot:
            return web.json_response({"ok": False, "error": str(cannot)}, status=404)
        home = self._workspace.homes.get(reader)
        return web.json_response({"view": payloads.view(self._workspace, home) if home else None})

    async def _act(self, request: web.Request) -> web.Response:
        # A form of another site cannot send JSON, so nothing is done for pages that are not ours.
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType
        return web.json_response(await self._acts.do(await request.json()))

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            raise web.HTTPForbidden(text="this page is not the stand-in's own")
        socket = web.WebSocketResponse(heartbeat=30)
        await socket.prepare(request)
        queue: asyncio.Queue[Json] = asyncio.Queue(QUEUED)
        self._open[queue] = request.query.get("as", "")
        self._sockets.add(socket)
        sender = asyncio.get_running_loop().create_task(_send(socket, queue))
        try:
            async for _ in socket:
                pass
        finally:
            del self._open[queue]
            self._sockets.discard(socket)
            sender.cancel()
        return socket

    def _changed(self, change: Change) -> None:
        for queue, reader in self._open.items():
            if self._concerns(change, reader):
                for told in self._lines(change, reader):
                    _put(queue, told)

    def _concerns(self, change: Change, reader: str) -> bool:
        if change.view is not None:
            return change.view.user == reader
        if change.message is not None and change.message.ephemeral_to is not None:
            return change.message.ephemeral_to == reader
        where = self._workspace.channels.get(change.channel)
        return where is not None and self._workspace.can_see(where, reader)

    def _lines(self, change: Change, reader: str) -> list[Json]:
        if change.view is not None:
            if change.kind == "view_closed":
                return [{"type": "view_closed", "view_id": change.view.id}]
            return [{"type": change.kind, "view": payloads.view(self._workspace, change.view)}]
        lines = [] if change.message is None else [self._line(change)]
        where = self._workspace.channels[change.channel]
        if self._workspace.is_member(where, reader) and (change.kind in _COUNTED or change.user == reader):
            lines.append({"type": "conversation", "conversation": self._acts.conversation(where, reader)})
        return lines

    def _line(self, change: Change) -> Json:
        what = change.message
        assert what is not None, "only called for changes of a message"
        line: Json = {"type": change.kind, "channel": what.channel}
        if change.kind == "message_deleted":
            return line | {"ts": what.ts}
        if change.kind.startswith("reaction"):
            shown = page_shapes.message(self._workspace, what)
            return {"type": "reaction", "channel": what.channel, "ts": what.ts, "reactions": shown["reactions"]}
        return line | {"message": page_shapes.message(self._workspace, what)}


async def _index(request: web.Request) -> web.StreamResponse:
    index = PAGE_FILES / "index.html"
    if not index.exists():
        raise web.HTTPNotFound(text="The page's files are not installed.")
    return web.FileResponse(index)


async def _send(socket: web.WebSocketResponse, queue: asyncio.Queue[Json]) -> None:
    while True:
        told = await queue.get()
        if told["type"] == "too_slow":
            await socket.close()
            return
        await socket.send_json(told)


def _put(queue: asyncio.Queue[Json], told: Json) -> None:
    if queue.full():
        # A page that does not read is cut off: it loads everything anew when it connects again.
        while not queue.empty():
            queue.get_nowait()
        told = {"type": "too_slow"}
    queue.put_nowait(told)
