"""Every request is answered in time and told its result, whatever happens behind it.

Slack waits three seconds; we answer after two at the most. What is under way then goes on, and the person hears when
it is done. Nothing is ever raised through Bolt: its async runner loses an acknowledgement that an exception follows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from bot.rules.refusals import Refused
from bot.slack.parts import Block
from store.ids import new_key

log = logging.getLogger(__name__)

LIMIT = 2.0
"""Seconds until a request is answered, done or not."""
NOT_RECORDED = ":hourglass_flowing_sand: Not recorded yet: this takes longer than usual. You will be told when it is."


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody is told. `field`: the field of the form that is wrong. `code`: of a refusal; `fault`: ours.
    `wrong`: each of several fields and what is wrong with it. `words`: it is done, and what there is to say about it
    has still to be looked up: not before a click is answered."""

    text: str
    blocks: tuple[Block, ...] = ()
    code: str | None = None
    field: str | None = None
    words: Callable[[], Awaitable[Told]] | None = None
    wrong: tuple[tuple[str, str], ...] = ()


class FieldRefused(Refused):
    """Refused because of one field of a form."""

    def __init__(self, code: str, text: str, *, field: str) -> None:
        super().__init__(code, text)
        self.field = field


class FieldsRefused(Refused):
    """Refused because of fields of a form; `wrong` says what is wrong with each, by the name of its block."""

    def __init__(self, code: str, text: str, wrong: Mapping[str, str]) -> None:
        super().__init__(code, text)
        self.wrong = dict(wrong)


Result = Told | None
FAULT = "fault"


class Guard:
    """Runs what requests ask for as tasks of our own, which nothing cuts short, and which are waited for at the end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Awaitable[Result]) -> asyncio.Task[Result]:
        """Starts the work. The task never raises: a refusal and a fault become what the person is told."""
        return self.track(_safely(work))

    def track(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Starts work that answers nobody."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def drain(self, timeout: float | None = None) -> None:
        """Waits for all that is under way, and for what that starts."""
        while self._tasks:
            _, waiting = await asyncio.wait(set(self._tasks), timeout=timeout)
            if waiting and timeout is not None:
                log.warning("stopped with requests under way", extra={"requests": len(waiting)})
                return


async def in_words(work: Awaitable[Result]) -> Result:
    """What came of the work, and what there is to say about it."""
    told = await work
    return await told.words() if told and told.words else told


async def in_time(task: asyncio.Task[Result]) -> bool:
    """Whether the task was done within the limit. It goes on if it was not."""
    done, _ = await asyncio.wait({task}, timeout=LIMIT)
    return bool(done)


async def _safely(work: Awaitable[Result]) -> Result:
    try:
        return await work
    except FieldRefused as refused:
        return Told(refused.text, code=refused.code, field=refused.field)
    except FieldsRefused as refused:
        return Told(refused.text, code=refused.code, wrong=tuple(refused.wrong.items()))
    except Refused as refused:
        return Told(refused.text, code=refused.code)
    except Exception:
        reference = fault_reference()
        return Told(f"That did not work, and it is our fault. If it happens again, tell us *{reference}*.", code=FAULT)


def fault_reference() -> str:
    """Logs the exception that is being handled; the reference by which the person who saw it finds it there."""
    reference = new_key()[:8]
    log.exception("a request from Slack failed", extra={"reference": reference})
    return reference
