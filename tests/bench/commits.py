"""Group commit alone: pieces of work of one row each, so many of them always waiting."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from time import perf_counter

from sqlalchemy import insert
from sqlmodel import Session

from store.database import Database
from store.migrate import migrate
from store.models import SeenRequest

PIECES = 10_000
WAITING = 64
AT = datetime(2026, 11, 23, 9, tzinfo=UTC)


async def committed_per_second(database: Database) -> float:
    """Pieces a second through `Database.write`."""
    table = SeenRequest.__table__  # type: ignore[attr-defined]
    numbers = iter(range(PIECES))
    keys = count()

    async def one_after_another() -> None:
        for _ in numbers:
            row = {"key": f"piece:{next(keys)}", "at": AT, "digest": "", "answer": {}}

            def work(session: Session, row: dict[str, object] = row) -> None:
                session.connection().execute(insert(table), row)

            await asyncio.wrap_future(database.write(work))

    start = perf_counter()
    await asyncio.gather(*(one_after_another() for _ in range(WAITING)))
    return PIECES / (perf_counter() - start)


def main(folder: Path) -> None:
    """The process: prints the figure."""
    url = f"sqlite:///{folder / 'commits.db'}"
    migrate(url)
    database = Database(url)
    print(json.dumps({"per_second": asyncio.run(committed_per_second(database))}))
    database.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
