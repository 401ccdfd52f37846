"""Socket Mode: the app connects, every envelope goes to one of its connections and is acknowledged there."""

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web

Json = dict[str, Any]
MOST_CONNECTIONS = 10
CLOSE_SECONDS = 1.0
ACCEPTS_PAYLOAD = ("interactive", "slash_commands")


class Sockets:
    """The app's connections. `new_id` makes ids for envelopes and tickets."""

    def __init__(self, app_id: str, new_id: Callable[[str], str], woken: Callable[[], None]) -> None:
        self.was_connected = False
        self._app_id, self._new_id, self._woken = app_id, new_id, woken
        self._tickets: set[str] = set()
        self._open: dict[web.WebSocketResponse, web.Request] = {}
        self._waiting: dict[str, asyncio.Future[Any]] = {}

    @property
    def connected(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def ticket(self) -> str:
        """What `apps.connections.open` gives: good for one connection."""
        ticket = self._new_id("ticket-")
        self._tickets.add(ticket)
        return ticket

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One connection from hello to the end."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets or self.connected >= MOST_CONNECTIONS:
            raise web.HTTPForbidden(text="the ticket was used or is unknown, or there are ten connections")
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse(timeout=CLOSE_SECONDS)
        await socket.prepare(request)
        self._open[socket] = request
        self.was_connected = True
        try:
            await socket.send_json(self._hello())
            self._woken()
            await self._listen(socket)
        finally:
            self._forget(socket)
        return socket

    async def send(self, kind: str, payload: Json, attempt: int = 0, reason: str = "") -> Any:
        """Send an envelope over one connection and return the payload of its acknowledgement.

        Raises ConnectionError when there is no connection; the caller sets the time limit.
        """
        if not self._open:
            raise ConnectionError("no socket is connected")
        socket = random.choice(list(self._open))  # noqa: S311 - Slack gives each envelope to a random connection
        envelope: Json = {
            "envelope_id": self._new_id("envelope-"),
            "type": kind,
            "payload": payload,
            "accepts_response_payload": kind in ACCEPTS_PAYLOAD,
        }
        if kind == "events_api":
            envelope |= {"retry_attempt": attempt, "retry_reason": reason}
        acknowledged = asyncio.get_running_loop().create_future()
        self._waiting[envelope["envelope_id"]] = acknowledged
        try:
            await socket.send_json(envelope)
            return await acknowledged
        finally:
            self._waiting.pop(envelope["envelope_id"], None)

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask the app to connect anew, as Slack does every few hours; it closes the connections itself."""
        for socket in list(self._open):
            await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "stand-in"}})

    def drop(self) -> None:
        """Cut all connections without a word."""
        for socket, request in list(self._open.items()):
            self._forget(socket)
            if request.transport is not None:
                request.transport.abort()

    async def close(self) -> None:
        """Close all connections in good order."""
        for socket in list(self._open):
            await socket.close()

    async def _listen(self, socket: web.WebSocketResponse) -> None:
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                continue
            try:
                answer = json.loads(frame.data)
            except ValueError:
                continue
            waiting = self._waiting.get(str(answer.get("envelope_id")))
            if waiting and not waiting.done():
                waiting.set_result(answer.get("payload"))

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": self.connected,
            "debug_info": {"host": "stand-in", "build_number": 1, "approximate_connection_time": 18060},
            "connection_info": {"app_id": self._app_id},
        }

    def _forget(self, socket: web.WebSocketResponse) -> None:
        if self._open.pop(socket, None) is not None:
            self._woken()
