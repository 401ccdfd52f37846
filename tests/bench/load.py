"""A load client: keep-alive connections that each send the next request as soon as the answer is there.

It is a process of its own (`python -m tests.bench.load …`), so that it shares no interpreter with what it measures;
it prints one JSON object. Requests are made beforehand and answers are read by their Content-Length alone: the client
must not be what is measured."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from time import perf_counter

KINDS = ("single", "lists", "joined", "events", "repeats")
LIST_LENGTH = 100


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it: accepted reports and requests, statuses, seconds, and how long answers took in ms."""

    reports: int
    requests: int
    statuses: dict[str, int]
    seconds: float
    reports_per_second: float
    p50_ms: float
    p99_ms: float


class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, next_request: Callable[[], bytes | None], done: asyncio.Future[None]) -> None:
        self._next_request = next_request
        self._done = done
        self._received = b""
        self._sent_at = 0.0
        self.took: list[float] = []
        self.statuses: Counter[bytes] = Counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        self.took.append(perf_counter() - self._sent_at)
        self.statuses[head[9:12]] += 1
        self._received = b""
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _send(self) -> None:
        request = self._next_request()
        if request is None:
            self._transport.close()
            return
        self._sent_at = perf_counter()
        self._transport.write(request)


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0])


def bodies(kind: str) -> Iterator[bytes]:
    """Bodies without end: each report a case of its own (single, lists), or all of one case (joined); each an event of
    its own (events), or the same one again and again (repeats)."""
    for number in count():
        if kind in ("events", "repeats"):
            yield json.dumps(event(0 if kind == "repeats" else number)).encode()
        elif kind == "lists":
            reports = [report(number * LIST_LENGTH + at) for at in range(LIST_LENGTH)]
            yield json.dumps(reports).encode()
        else:
            yield json.dumps(report(0 if kind == "joined" else number)).encode()


def report(number: int) -> dict[str, object]:
    """A report of the usual size, with the payload of its event."""
    return {
        "workflow": "lead-routing",
        "failure_mode": "delivery_failed",
        "title": f"Lead {number} was not routed: the CRM answered 503",
        "detail": "The request timed out after three tries; the last answer was 503 Service Unavailable.",
        "subject": f"lead-{number}",
        "event": {"lead_id": f"lead-{number}", "tier": "enterprise", "country": "DE", "score": 87, "owner": None},
        "event_key": f"lead-routing:{number}",
        "links": ["https://crm.example.com/leads/" + str(number)],
    }


def event(number: int) -> dict[str, object]:
    """An event of the usual size, of a workflow of the bench's own."""
    return {
        "order_id": f"ord-{number}",
        "customer_id": f"cus-{number % 1000}",
        "amount_cents": 4900 + number % 100,
        "currency": "EUR",
        "placed_at": "2026-11-23T09:00:00Z",
        "lines": [{"sku": f"sku-{number % 7}", "count": 1}, {"sku": "sku-gift", "count": 2}],
    }


def requests(kind: str, *, host: str, path: str, token: str) -> Iterator[bytes]:
    """The requests as they go over the wire."""
    for body in bodies(kind):
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        yield head.encode() + body


async def drive(
    port: int, kind: str, *, token: str, amount: int, connections: int = 64, path: str = "/v1/exceptions"
) -> Load:
    """Sends `amount` requests over so many connections to 127.0.0.1, and tells how it went."""
    made = requests(kind, host=f"127.0.0.1:{port}", path=path, token=token)
    ready = iter([next(made) for _ in range(amount)])
    loop = asyncio.get_running_loop()
    ends = [loop.create_future() for _ in range(connections)]
    start = perf_counter()
    protocols = [_Connection(lambda: next(ready, None), end) for end in ends]
    for protocol in protocols:
        await loop.create_connection(partial(_same, protocol), "127.0.0.1", port)
    await asyncio.gather(*ends)
    return _summed(kind, protocols, perf_counter() - start)


def _same(protocol: _Connection) -> _Connection:
    return protocol


def _summed(kind: str, protocols: list[_Connection], seconds: float) -> Load:
    took = sorted(each for protocol in protocols for each in protocol.took)
    statuses: Counter[bytes] = sum((protocol.statuses for protocol in protocols), Counter())
    reports = statuses[b"202"] * (LIST_LENGTH if kind == "lists" else 1)
    return Load(
        reports=reports,
        requests=len(took),
        statuses={status.decode(): number for status, number in statuses.items()},
        seconds=round(seconds, 3),
        reports_per_second=round(reports / seconds, 1),
        p50_ms=round(took[len(took) // 2] * 1000, 2),
        p99_ms=round(took[len(took) * 99 // 100] * 1000, 2),
    )


def main() -> None:
    """The process: prints what `drive` tells."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--token", required=True)
    parser.add_argument("--amount", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--path", default="/v1/exceptions")
    of = parser.parse_args()
    told = drive(of.port, of.kind, token=of.token, amount=of.amount, connections=of.connections, path=of.path)
    print(json.dumps(asdict(asyncio.run(told))))


if __name__ == "__main__":
    main()
