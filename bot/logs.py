"""The log: one line each, as text for people or as JSON for machines. Messages are fixed; what differs is in fields.

Of an exception there are its type and where it was raised, and not its words: these quote what could not be read,
written or parsed, and so payloads and personal data."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.exc import DBAPIError

from bot.settings import Settings

LONGEST_CHAIN = 10
OURS = ("bot", "runbooks", "store")
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


_bound: ContextVar[Mapping[str, Any] | None] = ContextVar("_bound", default=None)


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Whatever is logged within, by this task and those that it starts, has these fields as well: which request, case
    or run it is about."""
    token = _bound.set({**(_bound.get() or {}), **{name: value for name, value in fields.items() if value is not None}})
    try:
        yield
    finally:
        _bound.reset(token)


def set_up_logs(settings: Settings) -> None:
    """Our own loggers at LOG_LEVEL, and those of libraries only from warnings on: their debug lines hold payloads."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Json() if settings.log_format == "json" else _Text())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(settings.log_level)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={_one_word(value)}" for name, value in _fields(record).items())
        line = f"{_at(record)} {record.levelname:7} {record.name}: {_message(record)}{fields}"
        return f"{line}\n{_fault(record)}" if record.exc_info else line


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"at": _at(record), "level": record.levelname, "from": record.name, "message": _message(record)}
        fault = {"fault": _fault(record)} if record.exc_info else {}
        return json.dumps(_fields(record) | line | fault, ensure_ascii=False, default=str)


def _message(record: logging.LogRecord) -> str:
    """Ours are fixed. Of a library's only the first line: what follows quotes what it was at."""
    return record.getMessage().partition("\n")[0]


def _fault(record: logging.LogRecord) -> str:
    fault = record.exc_info[1] if record.exc_info else None
    told: list[str] = []
    while fault is not None and len(told) < LONGEST_CHAIN:
        told.append("".join(traceback.format_tb(fault.__traceback__)) + _named(fault))
        fault = fault.__cause__ or (None if fault.__suppress_context__ else fault.__context__)
    return "Traceback:\n" + "\nbecause of\n".join(told)


def _named(fault: BaseException) -> str:
    """Its type, and what is no data: the operating system's own words, and a database's code."""
    name = f"{type(fault).__module__}.{type(fault).__qualname__}"
    if isinstance(fault, DBAPIError):
        code = getattr(fault.orig, "sqlstate", None) or getattr(fault.orig, "sqlite_errorname", None)
        return f"{name} ({code})"
    return f"{name}: {fault.strerror}" if isinstance(fault, OSError) and fault.strerror else name


def _at(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _one_word(value: Any) -> str:
    """A value that cannot break the line that it stands in."""
    text = str(value)
    return text if text.isprintable() and " " not in text else json.dumps(text)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    said = {name: value for name, value in record.__dict__.items() if name not in _OWN}
    return {**(_bound.get() or {}), **said}
