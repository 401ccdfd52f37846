"""A system that takes what is delivered to it, as cheaply as Python can, and counts it, and the Idempotency-Keys under
which each path was asked; a process of its own."""

from __future__ import annotations

import asyncio
import sys
from typing import ClassVar

TAKEN = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"ok":true}'


class Receiver(asyncio.Protocol):
    """One connection. `GET /count` answers with the number of POSTs that came over all of them, `GET /twice` with the
    number of paths that were asked under more than one key."""

    taken = 0
    keys: ClassVar[dict[bytes, set[bytes]]] = {}

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].lower()
            _, _, rest = head.partition(b"content-length:")
            length = int(rest.partition(b"\r\n")[0] or 0)
            if len(self._received) < end + 4 + length:
                return
            self._received = self._received[end + 4 + length :]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        path = head.split(b" ", 2)[1]
        if head.startswith(b"post"):
            Receiver.taken += 1
            key = head.partition(b"idempotency-key:")[2].partition(b"\r\n")[0]
            Receiver.keys.setdefault(path, set()).add(key)
            self._transport.write(TAKEN)
            return
        twice = sum(len(keys) > 1 for keys in Receiver.keys.values())
        body = str(twice if path == b"/twice" else Receiver.taken).encode()
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
