"""What the database says, read from outside while the service runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def ask(file: Path, question: str, *values: object) -> list[tuple[object, ...]]:
    """The rows of a query."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as connection:
        return connection.execute(question, values).fetchall()
