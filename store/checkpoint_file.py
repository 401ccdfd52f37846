"""The file that checkpoints are appended to, outside of the database: JSON, one thing a line.

A checkpoint is its line (`{"checkpoint": body, "signature": …}`) behind a line for each leaf that it changed
(`{"place", "chain", "seq", "hash"}`), so that the root can be made again from the file alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from store import checkpoints
from store.audit import STREAMED
from store.audit_models import AuditLeaf, Checkpoint
from store.leaves import newest_number

_L: Any = AuditLeaf.__table__  # type: ignore[attr-defined]


def line_of(checkpoint: Checkpoint) -> str:
    """The line of a checkpoint, which the messages in Slack have as well."""
    return _line({"checkpoint": checkpoint.body, "signature": checkpoint.signature})


def is_behind(session: Session, number: int) -> bool:
    """Whether a file whose last checkpoint has this number lacks the newest one. Not while another one is being made:
    then the leaves are of neither."""
    newest = checkpoints.last_number(session)
    return newest > number and newest_number(session) <= newest


def lines_after(session: Session, number: int) -> Iterator[str]:
    """The lines of the newest checkpoint for a file whose last one has this number and which `is_behind`."""
    changed = select(_L.c.place, _L.c.chain, _L.c.seq, _L.c.hash).where(_L.c.number > number).order_by(_L.c.place)
    for row in session.execute(changed, execution_options=STREAMED):
        yield _line(dict(row._mapping))
    newest = checkpoints.last(session)
    assert newest
    yield line_of(newest)


def append(path: Path, lines: Iterable[str]) -> None:
    """Writes the lines to the end of the file, on disk when this returns. What an earlier write left unfinished stays
    a line of its own, which counts for nothing."""
    with path.open("ab+") as file:
        if file.tell() and not _ends_with_newline(file):
            file.write(b"\n")
        file.writelines(line.encode() + b"\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())


def _ends_with_newline(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")


def last_body(path: Path) -> str | None:
    """The body of the last checkpoint in the file; None: it has none, or there is no file."""
    body = None
    if path.exists():
        with path.open(encoding="utf-8", errors="replace") as lines:
            for said in filter(None, map(read_line, lines)):
                body = str(said["checkpoint"]) if "checkpoint" in said else body
    return body


def number_of(body: str) -> int:
    """The number that a checkpoint says it has; 0: none."""
    said = read_line(body)
    number = said.get("number") if said else None
    return number if isinstance(number, int) else 0


def read_line(line: str) -> dict[str, Any] | None:
    """What a line says; None: it is none of ours, or was never finished."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _line(said: dict[str, Any]) -> str:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))
