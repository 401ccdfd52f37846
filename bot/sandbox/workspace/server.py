"""The stand-in's HTTP server: Web API, Socket Mode, response URLs, uploads. The page is added by `ui`."""

import asyncio
from typing import Any

from aiohttp import web

from . import arguments, web_api
from .arguments import Arguments
from .digest import METHODS
from .errors import SlackError
from .faults import CALLS_KEPT, Call, Fault, Faults
from .limits import Limits
from .responding import ResponseUrls
from .socket_mode import Sockets
from .workspace import Workspace

MOST_BYTES = 4_000_000


class Api:
    """Answers requests as Slack would. `calls` holds the latest requests to the Web API, oldest first."""

    def __init__(
        self,
        workspace: Workspace,
        sockets: Sockets,
        urls: ResponseUrls,
        *,
        faults: Faults,
        limits: Limits | None,
    ) -> None:
        self.calls: list[Call] = []
        self._workspace, self._sockets, self._urls = workspace, sockets, urls
        self._faults, self._limits = faults, limits

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""
        app.router.add_route("GET", "/api/{method}", self.method)
        app.router.add_route("POST", "/api/{method}", self.method)
        app.router.add_get("/link", self._sockets.serve)
        app.router.add_post("/actions/{team}/{key}", self.response_url)
        app.router.add_post("/upload/{file_id}", self.upload)

    async def method(self, request: web.Request) -> web.StreamResponse:
        """One call of the Web API."""
        name = request.match_info["method"]
        if self._faults.drops_before(name):
            return self._cut(request, name, Arguments(), {})
        token, args = "", Arguments()
        try:
            token, args = await arguments.read(request)
            fault = self._faults.take(name)
            answer, status, headers = _failed(fault) if fault else self._carried_out(request, name, token, args)
        except SlackError as refused:
            answer, status, headers = refused.answer, 200, {}
        if seconds := self._faults.seconds(name):
            await asyncio.sleep(seconds)
        if self._faults.drops_after(name):
            return self._cut(request, name, args, answer)
        self._record(name, args, answer, status)
        return web.json_response(answer, status=status, headers=headers)

    async def response_url(self, request: web.Request) -> web.Response:
        """An answer to a `response_url`."""
        if self._faults.is_down:
            raise web.HTTPInternalServerError
        _, args = await arguments.read(request)
        try:
            self._urls.take(request.match_info["key"], args)
        except SlackError as refused:
            status = 404 if refused.error in ("used_url", "expired_url") else 400
            return web.json_response(refused.answer, status=status)
        return web.Response(text="ok")

    async def upload(self, request: web.Request) -> web.Response:
        """The bytes of a file, as a body or as a form."""
        upload = self._workspace.uploads.get(request.match_info["file_id"])
        if upload is None:
            raise web.HTTPNotFound
        upload["content"] = await _bytes(request)
        return web.Response(text=f"OK - {len(upload['content'])}")

    def _carried_out(
        self, request: web.Request, name: str, token: str, args: Arguments
    ) -> tuple[dict[str, Any], int, dict[str, str]]:
        web_api.authorise(self._workspace, name, token)
        if self._limits:
            wait = self._limits.retry_after(name, METHODS[name].tier, args.text("channel"))
            if wait is not None:
                return _failed(Fault("ratelimited", 429, wait))
        if name == web_api.SOCKET_METHOD:
            address = f"ws://{request.host}/link?ticket={self._sockets.ticket()}"
            return {"ok": True, "url": address}, 200, {}
        answer = web_api.answer(self._workspace, name, args)
        if name == "files.getUploadURLExternal":
            answer["upload_url"] = f"{request.scheme}://{request.host}/upload/{answer['file_id']}"
        return answer, 200, {"X-OAuth-Scopes": ",".join(sorted(self._workspace.app.scopes))}

    def _cut(self, request: web.Request, name: str, args: Arguments, answer: dict[str, Any]) -> web.Response:
        self._record(name, args, answer, 0)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    def _record(self, name: str, args: Arguments, answer: dict[str, Any], status: int) -> None:
        self.calls.append(Call(name, dict(args), answer, status, self._workspace.monotonic()))
        if len(self.calls) > CALLS_KEPT:
            del self.calls[: CALLS_KEPT // 2]
        self._workspace.wake()


def _failed(fault: Fault) -> tuple[dict[str, Any], int, dict[str, str]]:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return {"ok": False, "error": fault.error or "internal_error"}, fault.status, headers


async def _bytes(request: web.Request) -> bytes:
    if request.content_type != "multipart/form-data":
        return await request.read()
    for value in (await request.post()).values():
        if isinstance(value, web.FileField):
            return value.file.read()
    return b""
