"""Is it alive, is it able to work, and a few numbers. These need no credential and tell nothing of any case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from bot.context import Context
from bot.web.answers import answer
from store.queries import cases as queries

Reasons = Callable[[], list[str]]


class Health:
    """`reasons` says what outside of the database keeps the service from working."""

    def __init__(self, context: Context, reasons: Reasons) -> None:
        self._context = context
        self._reasons = reasons
        self._answered: Counter[tuple[str, str, int]] = Counter()

    def count(self, request: web.Request, status: int) -> None:
        """Counts an answer. Addresses that are not ours are one, so that nobody can make the counters grow."""
        resource = request.match_info.route.resource
        method, path = (request.method, resource.canonical) if resource else ("", "")
        self._answered[method, path, status] += 1

    async def alive(self, _: web.Request) -> web.Response:
        """The process answers."""
        return answer({"status": "ok"})

    async def ready(self, _: web.Request) -> web.Response:
        """200, or 503 with the reasons."""
        reasons = [*await self._of_database(), *self._reasons()]
        return answer({"status": "not ready" if reasons else "ok", "reasons": reasons}, status=503 if reasons else 200)

    async def _of_database(self) -> list[str]:
        try:
            await self._context.desk.read(self._context.policies.in_force)
        except SQLAlchemyError:
            return ["the database does not answer"]
        except LookupError as fault:
            return [str(fault)]
        return []

    async def metrics(self, _: web.Request) -> web.Response:
        """Prometheus' text format, version 0.0.4."""
        now = self._context.clock.now()
        lines = await self._context.desk.read(lambda session: list(_gauges(session, now)))
        answered = {
            f'method="{method}",path="{path}",status="{status}"': count
            for (method, path, status), count in sorted(self._answered.items())
        }
        lines += _metric("pointsman_http_answers_total", "counter", "Answers over HTTP.", answered)
        return web.Response(
            text="\n".join(lines) + "\n", headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )


def _gauges(session: Session, now: datetime) -> Iterator[str]:
    states = {f'state="{state}"': count for state, count in queries.open_by_state(session).items()}
    yield from _metric("pointsman_open_cases", "gauge", "Cases that are not closed.", states)
    owed = {f'kind="{kind}"': count for kind, count in queries.owed_by_kind(session).items()}
    yield from _metric("pointsman_owed_messages", "gauge", "Messages owed and not sent.", owed)
    late = {"": queries.timers_late(session, now)}
    yield from _metric("pointsman_late_timers", "gauge", "Timers that are past due.", late)


def _metric(name: str, type_: str, help_: str, values: Mapping[str, int]) -> list[str]:
    lines = [f"# HELP {name} {help_}", f"# TYPE {name} {type_}"]
    return lines + [f"{name}{{{labels}}} {count}" if labels else f"{name} {count}" for labels, count in values.items()]
