"""Backups of an SQLite database: made while others write, put back when nobody does."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from store.migrate import MIGRATIONS

KNOWN = frozenset(path.stem.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


class Refused(Exception):
    """It cannot be done; the text says why, and what to do. Nothing was changed."""


def back_up(database: Path, to: Path) -> int:
    """Writes the database as it is at this moment to a new file, and returns its size. Writers go on meanwhile: it is
    read from one snapshot. The file is whole, checked and on disk, or it is not there."""
    if to.exists():
        raise Refused(f"{to} is there already: name another file, so that no backup is written over")
    part = to.with_name(f"{to.name}.part")
    part.unlink(missing_ok=True)
    try:
        with _opened(database) as connection:
            connection.execute("VACUUM INTO ?", (str(part),))
        os.chmod(part, 0o600)
        check(part)
        _on_disk(part)
        part.rename(to)
        _on_disk(to.parent)
    except (sqlite3.Error, OSError) as fault:
        raise Refused(f"{to} could not be written: {fault}") from None
    finally:
        part.unlink(missing_ok=True)
    return to.stat().st_size


def restore(backup: Path, to: Path) -> Path | None:
    """Puts a backup in the place of the database, at once and whole, and returns where the one before is kept (None:
    there was none). Refused while somebody uses the database, and for what this version cannot read."""
    if not backup.is_file():
        raise Refused(f"there is no file {backup}")
    check(backup)
    part = to.with_name(f"{to.name}.part")
    try:
        shutil.copyfile(backup, part)
        os.chmod(part, 0o600)
        _on_disk(part)
        before = _set_aside(to) if to.exists() else None
        os.replace(part, to)
        _on_disk(to.parent)
    except OSError as fault:
        raise Refused(f"{to} could not be written: {fault}") from None
    finally:
        part.unlink(missing_ok=True)
    return before


def check(file: Path) -> str:
    """Passes for a database of ours, not damaged, of this version or an older one; its revision."""
    try:
        with _opened(file) as connection:
            [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as fault:
        raise Refused(f"{file} is no database of Pointsman: {fault}") from None
    if found != "ok":
        raise Refused(f"{file} is damaged: {found}")
    revision = str(row[0]) if row else ""
    if revision not in KNOWN:
        raise Refused(f"{file} is at schema {revision}, which this version does not know: use the version that made it")
    return revision


def _set_aside(database: Path) -> Path:
    """Another name for the database, under which it stays. Nobody may be using it: then everything is in its main
    file, and no other one belongs to it."""
    try:
        with closing(sqlite3.connect(database, timeout=0)) as connection:
            [mode] = connection.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.OperationalError as fault:
        raise Refused(f"{database} is in use ({fault}): stop the service first") from None
    except sqlite3.DatabaseError:
        mode = "delete"  # damaged: it is kept as it is
    if mode != "delete":
        raise Refused(f"{database} is in use: stop the service first")
    number = 1
    while (aside := database.with_name(f"{database.name}.before-{number}")).exists():
        number += 1
    os.link(database, aside)
    return aside


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as connection:
        yield connection


def _on_disk(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
