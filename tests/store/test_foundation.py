"""The ground the tests stand on holds on both engines."""

from sqlmodel import Session

from bot.desk.desk import Desk
from store.database import Database
from store.models import Case


def test_a_new_database_has_tables_and_no_cases(database: Database) -> None:
    assert database.read(lambda session: session.get(Case, 1)).result() is None


def test_the_example_companys_policy_is_in_force(desk: Desk) -> None:
    def workflows(session: Session) -> set[str]:
        return set(desk.policies.in_force(session).workflows)

    assert "refund" in desk.database.read(workflows).result()
