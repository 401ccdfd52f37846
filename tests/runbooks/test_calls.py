"""Requests to connectors, against servers that lie, drip, flood and echo: each is a real one on this machine."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp.abc import ResolveResult

from runbooks.addresses import PrivateAddress, PublicResolver, check_public
from runbooks.calls import KEPT_BYTES, Answer, Caller
from runbooks.connectors import Auth, Basic, Connector, resolve
from runbooks.filling import Filled, fill
from runbooks.request import Request
from runbooks.striking import STRUCK_OUT
from runbooks.templates import ExpressionFault, compile_path, compile_text, compile_tree

TOKEN = "s3cret/token+with=signs&more"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """A system that answers each request with these bytes, or talks as it likes. `asked`: what it was sent."""

    port: int = 0
    says: bytes = b"HTTP/1.1 204 No Content\r\n\r\n"
    talk: Talk | None = None
    connections: int = 0
    asked: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            if self.talk:
                await self.talk(reader, writer)
            else:
                writer.write(self.says)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    yield made
    listening.close()


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    made = Caller()
    yield made
    await made.close()


@dataclass
class Asking:
    """Sends requests to a server, as a connector with a token."""

    caller: Caller
    server: Server

    async def ask(
        self,
        *,
        path: str = "/refunds",
        host: str = "127.0.0.1",
        private: bool = True,
        timeout: float = 5,
        auth: Auth | None = None,
        most: int = KEPT_BYTES,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        url = f"http://{host}:{self.server.port}"
        connector = Connector(name="billing", base_url=url, auth=auth or Auth(bearer="TOKEN"), private=private)
        resolved = resolve(connector, {"TOKEN": TOKEN, "PASSWORD": "pass:wörd/1"})
        return await self.caller.send(
            connector, resolved, Filled("GET", path, {}, None), timeout=timeout, headers=headers or {}, most=most
        )


@pytest.fixture
def asking(caller: Caller, server: Server) -> Asking:
    return Asking(caller, server)


def answered(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """An answer as it goes over the wire."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


# --- only the connector's host


async def test_a_redirect_is_an_answer_and_is_not_followed(asking: Asking) -> None:
    elsewhere = Server()
    listening = await asyncio.start_server(elsewhere.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    asking.server.says = answered(b"", f"Location: http://127.0.0.1:{port}/stolen", status="307 Temporary Redirect")
    answer = await asking.ask()
    listening.close()
    assert answer.status == 307
    assert elsewhere.asked == []


@pytest.mark.parametrize("path", ["@evil.test/", ".evil.test/", ":80@evil.test/"])
async def test_a_path_that_would_change_the_host_is_not_sent(asking: Asking, path: str) -> None:
    answer = await asking.ask(path=path)
    assert answer.status is None
    assert asking.server.connections == 0


async def test_a_host_that_is_named_by_a_header_is_not_the_policys_to_choose() -> None:
    with pytest.raises(ValueError, match="Host is not for a policy to set"):
        Request(path=compile_path("/a"), headers={"Host": compile_text("evil.test")})


async def test_no_cookie_goes_along_with_the_next_request(asking: Asking) -> None:
    asking.server.says = answered(b"", "Set-Cookie: session=1; Path=/")
    await asking.ask(host="localhost")
    await asking.ask(host="localhost")
    assert [b"cookie" in each.lower() for each in asking.server.asked] == [False, False]


# --- private addresses

REFUSED = (
    "127.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "192.0.0.1",
    "198.18.0.1",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%lo",
    "fd00::1",
    "fec0::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:100.64.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "::127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f.1",
    "localhost",
)


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(PrivateAddress):
        check_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::93.184.216.34", "::ffff:8.8.8.8"])
def test_a_public_address_is_not(address: str) -> None:
    check_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f000001"])
async def test_a_connector_that_is_not_private_reaches_no_private_address(asking: Asking, host: str) -> None:
    answer = await asking.ask(host=host, private=False)
    assert (answer.status, answer.was_sent) == (None, False)
    assert asking.server.connections == 0


async def test_a_refusal_says_how_to_allow_it(asking: Asking) -> None:
    assert "private: true" in (await asking.ask(host="localhost", private=False)).error
    assert "private: true" in (await asking.ask(host="127.0.0.1", private=False)).error


async def test_a_name_that_is_bound_anew_after_it_was_checked_leads_nowhere(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def rebound(self: PublicResolver, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=2, proto=0, flags=0)]

    monkeypatch.setattr(PublicResolver, "resolve", rebound)
    answer = await asking.ask(host="billing.example", private=False)
    assert "127.0.0.1 is a private address" in answer.error
    assert asking.server.connections == 0


async def test_one_private_address_among_public_ones_is_enough_to_refuse(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()

    async def several(host: str, port: int, **_: Any) -> list[Any]:
        return [(2, 1, 6, "", (address, port)) for address in ("93.184.216.34", "127.0.0.1")]

    monkeypatch.setattr(loop, "getaddrinfo", several)
    assert "private address" in (await asking.ask(host="billing.example", private=False)).error


async def test_a_private_connector_reaches_its_private_host(asking: Asking) -> None:
    assert (await asking.ask()).status == 204


# --- size and time


async def test_of_a_long_answer_only_the_beginning_is_read(asking: Asking) -> None:
    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    asking.server.talk = endless
    answer = await asking.ask()
    assert (answer.status, len(answer.text), answer.is_cut) == (200, KEPT_BYTES, True)


async def test_an_answer_that_drips_ends_with_the_time_for_the_whole_request(asking: Asking) -> None:
    async def dripping(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    asking.server.talk = dripping
    answer = await asking.ask(timeout=0.3)
    assert (answer.status, answer.error, answer.was_sent) == (None, "no answer within 0.3 s", True)


@pytest.mark.parametrize("line", [b"X-More: 1\r\n", b"X-Long: " + b"x" * 65_536, b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_headers_without_end_are_given_up(asking: Asking, line: bytes) -> None:
    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" if not line.startswith(b"HTTP") else b"")
        while not writer.is_closing():
            writer.write(line)
            await writer.drain()

    asking.server.talk = endless
    tracemalloc.start()
    answer = await asking.ask(timeout=1)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status is None
    assert most < 20_000_000


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
async def test_what_is_packed_small_is_unpacked_no_further_than_it_is_kept(asking: Asking, packing: str) -> None:
    bomb = gzip.compress(b"\0" * 200_000_000)
    asking.server.says = answered(bomb, f"Content-Encoding: {packing}")
    tracemalloc.start()
    answer = await asking.ask()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (answer.status, answer.is_cut) == (200, True)
    assert len(answer.text) == KEPT_BYTES
    assert most < 5_000_000


async def test_what_is_packed_although_nobody_asked_is_read(asking: Asking) -> None:
    asking.server.says = answered(gzip.compress(b'{"id": 1}'), "Content-Encoding: gzip")
    assert (await asking.ask()).body == {"id": 1}
    assert b"Accept-Encoding: identity" in asking.server.asked[0]


@pytest.mark.parametrize("charset", ["zip", "idna", "undefined", "punycode", "no-such"])
async def test_an_encoding_that_is_none_is_read_as_utf_8(asking: Asking, charset: str) -> None:
    asking.server.says = answered("Grüße".encode(), f"Content-Type: text/plain; charset={charset}")
    assert (await asking.ask()).text == "Grüße"


async def test_systems_that_do_not_answer_take_no_connection_from_another(caller: Caller) -> None:
    hanging, quick, all_hang = Server(), Server(), asyncio.Event()

    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        if hanging.connections == 150:
            all_hang.set()
        await reader.read()

    hanging.talk = hang
    servers = [await asyncio.start_server(each.serve, "127.0.0.1", 0) for each in (hanging, quick)]
    hanging.port, quick.port = (each.sockets[0].getsockname()[1] for each in servers)
    waiting = [asyncio.create_task(Asking(caller, hanging).ask()) for _ in range(150)]
    async with asyncio.timeout(10):
        await all_hang.wait()
    answer = await Asking(caller, quick).ask()
    for task in waiting:
        task.cancel()
    for each in servers:
        each.close()
    assert answer.status == 204


@pytest.mark.parametrize("says", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"])
async def test_what_is_no_answer_is_told_and_not_raised(asking: Asking, says: bytes) -> None:
    asking.server.says = says
    answer = await asking.ask()
    assert (answer.status, answer.was_sent) == (None, True)
    assert answer.error.startswith("the connection was lost")


# --- secrets


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(each):04x}" for each in text)


ECHOES = {
    "plain": TOKEN,
    "quoted": quote(TOKEN, safe=""),
    "quoted in small letters": quote(TOKEN, safe="").lower().replace("s3cret", "s3cret"),
    "quoted throughout": "".join(f"%{byte:02x}" for byte in TOKEN.encode()),
    "json": json.dumps(TOKEN)[1:-1].replace("/", "\\/"),
    "json escapes": escaped(TOKEN),
    "html": TOKEN.replace("&", "&amp;"),
    "hex": TOKEN.encode().hex(),
    "base64": base64.b64encode(TOKEN.encode()).decode(),
    "base64 of the header": base64.b64encode(f"Bearer {TOKEN}".encode()).decode(),
    "base64 of more": base64.urlsafe_b64encode(f"x{TOKEN}yz".encode()).decode(),
}


@pytest.mark.parametrize("echo", ECHOES)
async def test_a_secret_that_is_echoed_is_struck_out(asking: Asking, echo: str) -> None:
    said = ECHOES[echo]
    asking.server.says = answered(f"you sent {said}, did you not".encode(), f"X-You-Sent: {said}")
    answer = await asking.ask()
    for kept in (answer.text, str(answer.body), str(answer.headers)):
        assert STRUCK_OUT in kept
        assert said not in kept
        assert not _holds_most_of(said, kept)


def _holds_most_of(secret: str, text: str) -> bool:
    size = len(secret) // 2
    return any(secret[at : at + size] in text for at in range(len(secret) - size + 1))


async def test_a_secret_that_only_shows_when_json_is_read_is_struck_out(asking: Asking) -> None:
    mixed = TOKEN.replace("t", "\\u0074")
    asking.server.says = answered(json.dumps({"echo": {"of": ["x"]}}).replace("x", mixed).encode())
    answer = await asking.ask()
    assert answer.body == {"echo": {"of": [STRUCK_OUT]}}
    assert json.loads(answer.text) == answer.body


async def test_a_secret_across_the_cut_leaves_no_part_of_itself(asking: Asking) -> None:
    asking.server.says = answered(b"x" * 90 + TOKEN.encode() + b"y" * 500)
    answer = await asking.ask(most=100)
    assert answer.text == "x" * 90 + STRUCK_OUT
    assert answer.is_cut


async def test_both_parts_of_a_basic_password_are_struck_out(asking: Asking) -> None:
    pair = base64.b64encode("TOKEN-USER:pass:wörd/1".encode()).decode()
    asking.server.says = answered(f"{pair} pass:wörd/1 {quote('pass:wörd/1')}".encode())
    basic = Auth(basic=Basic(username="TOKEN", password="PASSWORD"))
    answer = await asking.ask(auth=basic)
    assert "wörd" not in answer.text
    assert "rd/1" not in answer.text


def test_a_key_in_the_path_of_a_connector_is_a_secret_and_its_host_is_none() -> None:
    connector = Connector(name="chat", base_url="https://${REGION}.chat.test/bot${KEY}")
    resolved = resolve(connector, {"REGION": "eu", "KEY": "12345:abcdef"})
    assert resolved.secrets == ("12345:abcdef",)
    assert "12345" not in repr(resolved)


# --- what a request may hold


def filled(**request: Any) -> Filled:
    return fill(Request(path=compile_path("/a"), **request), {"event": {"note": "a\r\nX-Admin: 1", "id": "\ud800"}})


def test_a_header_cannot_be_split_by_data() -> None:
    with pytest.raises(ExpressionFault, match="the header X-Note would hold what no header can"):
        filled(headers={"X-Note": compile_text("{{ event.note }}")})


def test_a_body_or_query_that_cannot_be_written_is_a_fault_of_the_request() -> None:
    with pytest.raises(ExpressionFault, match="the query"):
        filled(query={"id": compile_tree("{{ event.id }}")})
    with pytest.raises(ExpressionFault, match="the body would hold what JSON cannot"):
        filled(json=compile_tree({"size": float("inf")}))
