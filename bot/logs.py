"""The log: one line each, as text for people or as JSON for machines. Messages are fixed; what differs is in fields."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from bot.settings import Settings

OURS = ("bot", "runbooks", "store")
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


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
        line = f"{_at(record)} {record.levelname:7} {record.name}: {record.getMessage()}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"at": _at(record), "level": record.levelname, "from": record.name, "message": record.getMessage()}
        fault = {"fault": self.formatException(record.exc_info)} if record.exc_info else {}
        return json.dumps(_fields(record) | line | fault, ensure_ascii=False, default=str)


def _at(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _one_word(value: Any) -> str:
    """A value that cannot break the line that it stands in."""
    text = str(value)
    return text if text.isprintable() and " " not in text else json.dumps(text)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in record.__dict__.items() if name not in _OWN}
