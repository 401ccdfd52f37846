"""The database that DATABASE_URL names, and what is said where it cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from bot.start import StartFault, first_line
from store.database import Database
from store.migrate import SchemaDiffers, SchemaTooNew, migrate


def bring_to_version(url: str) -> None:
    """Brings the database to the schema of this version. Raises `StartFault` with what to do."""
    with faults_told(url):
        migrate(url)


def open_migrated(url: str) -> Database:
    """The database at the schema of this version. Raises `StartFault` with what to do."""
    with faults_told(url):
        migrate(url)
        return Database(url)


@contextmanager
def existing(url: str) -> Iterator[Database]:
    """The database that is there already: a look at it must not make an empty one. Raises `StartFault`, also for what
    fails while it is used."""
    with faults_told(url):
        file = sqlite_file(url)
        if file and not file.is_file():
            raise StartFault(f"DATABASE_URL: there is no database at {url}; `pointsman migrate` makes one")
        database = Database(url)
        try:
            yield database
        finally:
            database.close()


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite database; None for PostgreSQL."""
    address = make_url(url) if url.startswith("sqlite") else None
    return Path(address.database) if address and address.database else None


@contextmanager
def faults_told(url: str) -> Iterator[None]:
    """Faults of the address, the server and the schema as `StartFault`. A password is never in its text."""
    try:
        if not url.startswith(("sqlite:///", "postgresql://", "postgres://", "postgresql+psycopg://")):
            raise StartFault("DATABASE_URL: it has to begin with sqlite:/// or postgresql://")
        _check_address(url)
        yield
    except (SchemaTooNew, SchemaDiffers) as fault:
        raise StartFault(f"DATABASE_URL: {fault}") from None
    except SQLAlchemyError as fault:
        raise StartFault(f"DATABASE_URL: the database cannot be used: {said(fault)}") from None


def _check_address(url: str) -> None:
    try:
        if make_url(url).database in (None, "", ":memory:") and url.startswith("sqlite"):
            raise StartFault("DATABASE_URL: name a file, such as sqlite:///pointsman.db; memory is lost at the end")
    except (ArgumentError, ValueError):
        form = "postgresql://user:password@host:5432/name, with @ : / in the password written as %40 %3A %2F"
        raise StartFault(f"DATABASE_URL: this is not an address; write {form}") from None


def said(fault: SQLAlchemyError) -> str:
    """What the driver says, on one line."""
    return first_line(fault.orig if isinstance(fault, DBAPIError) and fault.orig else fault)
