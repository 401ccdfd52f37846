"""Personal data: keyed digests, and values that nobody can read once their subject's key is dropped."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import select, text
from sqlmodel import Session, col

from store.contract_models import SubjectKey
from store.database import Database
from store.sealing import Sealed, ToSeal, desk_key, erase, keyed, seal, subject_key_of, unseal
from tests.store.seeds import AT

VALUES = {"/email": "ada@acme.test", "/person": {"name": "Ada", "n": [1, None]}}


def sealed(database: Database, *many: ToSeal) -> list[str]:
    return database.write(lambda session: seal(session, many, at=AT)).result()


def opened(database: Database, *many: Sealed) -> list[dict[str, Any] | None]:
    return database.read_now(lambda session: unseal(session, many))


def test_what_is_sealed_opens_again_and_shows_nothing(database: Database) -> None:
    [kept] = sealed(database, ToSeal(7, "ada", VALUES))
    assert opened(database, Sealed(7, "ada", kept)) == [VALUES]
    assert "acme" not in kept


def test_the_same_values_are_sealed_otherwise_each_time(database: Database) -> None:
    one, other = sealed(database, ToSeal(7, "ada", VALUES), ToSeal(7, "ada", VALUES))
    assert one != other


def test_what_is_sealed_opens_for_its_own_event_and_subject_only(database: Database) -> None:
    kept, _ = sealed(database, ToSeal(7, "ada", VALUES), ToSeal(8, "ben", VALUES))
    assert opened(database, Sealed(8, "ada", kept), Sealed(7, "ben", kept)) == [None, None]


def test_dropping_a_key_erases_its_subject_and_nobody_else(database: Database) -> None:
    ada, ben = sealed(database, ToSeal(7, "ada", VALUES), ToSeal(8, "ben", VALUES))
    assert database.write(lambda session: erase(session, ["ada"], at=AT)).result() == 1
    assert opened(database, Sealed(7, "ada", ada), Sealed(8, "ben", ben)) == [None, VALUES]
    assert database.write(lambda session: erase(session, ["ada"], at=AT)).result() == 0


def test_a_subject_that_comes_again_has_another_key_and_what_was_erased_stays_gone(database: Database) -> None:
    [before] = sealed(database, ToSeal(7, "ada", VALUES))
    database.write(lambda session: erase(session, ["ada"], at=AT)).result()
    [after] = sealed(database, ToSeal(9, "ada", VALUES))
    assert opened(database, Sealed(7, "ada", before), Sealed(9, "ada", after)) == [None, VALUES]


def test_two_replicas_that_seal_for_a_new_subject_at_once_use_one_key(database: Database, database_url: str) -> None:
    other = Database(database_url)
    try:
        with ThreadPoolExecutor(8) as threads:
            work = [
                threads.submit(sealed, (database, other)[n % 2], ToSeal(n, "ada", VALUES), ToSeal(n, "ben", VALUES))
                for n in range(16)
            ]
            kept = [each.result() for each in work]
    finally:
        other.close()
    for number, (ada, ben) in enumerate(kept):
        assert opened(database, Sealed(number, "ada", ada), Sealed(number, "ben", ben)) == [VALUES, VALUES]
    assert database.read_now(_keys) == ["ada", "ben"]


def _keys(session: Session) -> list[str]:
    return sorted(session.execute(select(col(SubjectKey.id))).scalars())


def test_the_installation_has_one_key_that_every_replica_reads(database: Database, database_url: str) -> None:
    other = Database(database_url)
    keys = {each.read_now(desk_key) for each in (database, other)}
    other.close()
    assert [len(key) for key in keys] == [32]
    assert database.read_now(lambda session: session.execute(text("SELECT count(*) FROM desk_keys")).scalar()) == 1


def test_a_digest_is_told_by_nobody_without_the_key() -> None:
    assert keyed(b"k" * 32, "ada") == keyed(b"k" * 32, "ada")
    assert keyed(b"k" * 32, "ada") not in (keyed(b"l" * 32, "ada"), hashlib.sha256(b"ada").hexdigest())


def test_a_subject_has_one_key_in_a_workflow_and_an_event_without_a_subject_its_own() -> None:
    key = b"k" * 32
    assert subject_key_of(key, "w", "ada", event_id=1) == subject_key_of(key, "w", "ada", event_id=2)
    assert subject_key_of(key, "w", "ada", event_id=1) != subject_key_of(key, "x", "ada", event_id=1)
    assert subject_key_of(key, "w", None, event_id=1) != subject_key_of(key, "w", None, event_id=2)
