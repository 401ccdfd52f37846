"""`pointsman backup` and `pointsman restore`: a database of SQLite, as one file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bot.databases import faults_told, sqlite_file
from bot.settings import Settings
from bot.start import StartFault
from store import backup

ITS_OWN = "DATABASE_URL: PostgreSQL is backed up by its own tools, such as pg_dump --format=custom (docs/running.md)"


def back_up(settings: Settings, to: Path, *, say: Callable[[str], None]) -> int:
    """Writes a backup while the service runs, and says how large it is."""
    database = _file(settings)
    if not database.is_file():
        raise StartFault(f"DATABASE_URL: there is no database at {database}")
    try:
        size = backup.back_up(database, to)
    except backup.Refused as refused:
        raise StartFault(str(refused)) from None
    say(f"wrote {to} ({size / 1e6:,.1f} MB), and it holds together")
    return 0


def restore(settings: Settings, file: Path, *, say: Callable[[str], None]) -> int:
    """Puts a backup in the place of the database, and says what to do next."""
    database = _file(settings)
    try:
        before = backup.restore(file, database)
    except backup.Refused as refused:
        raise StartFault(str(refused)) from None
    say(f"{database} is {file} now")
    if before:
        say(f"what was there is {before}")
    say("next: pointsman audit verify, then start the service")
    return 0


def _file(settings: Settings) -> Path:
    with faults_told(settings.database_url):
        file = sqlite_file(settings.database_url)
    if file is None:
        raise StartFault(ITS_OWN)
    return file
