"""What no caller can write, whatever the code above does."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from store.database import Database
from store.models import Case, Delivery, ExceptionReport, Owed, PolicyInForce, PolicyVersion, RotaOverride, Timer
from tests.store.seeds import AT, POLICY, case_row, put_case

OVERRIDE = {"rota": "r", "start_at": AT, "person": "U0ADA", "made_by": "U0ADA", "made_at": AT}
MESSAGE = {"kind": "card", "key": "k", "channel": "C0", "created_at": AT, "not_before_at": AT}
DELIVERY = {
    "case_id": 1,
    "workflow": "refund",
    "connector": "billing",
    "event_id": 1,
    "generation": 1,
    "idempotency_key": "k",
    "key_born_at": AT,
    "policy_digest": POLICY,
    "content": {},
    "asked_by": "U0ADA",
    "asked_at": AT,
}


@pytest.mark.parametrize(
    ("model", "row", "rule"),
    [
        (Case, case_row(2, state="lost"), "state_known"),
        (Case, case_row(2, priority="P0"), "priority_known"),
        (Case, case_row(2, route="nowhere"), "route_known"),
        (Case, case_row(2, state="resolved"), "closed_with_state"),
        (Case, case_row(2, closed_at=AT), "closed_with_state"),
        (Case, case_row(2, occurrences=0), "occurred"),
        (Timer, {"case_id": 1, "kind": "lunch"}, "kind_known"),
        (
            Owed,
            {"kind": "card", "key": "k", "channel": "C0", "state": "lost", "created_at": AT, "not_before_at": AT},
            "state_known",
        ),
        (RotaOverride, OVERRIDE | {"end_at": AT}, "ends_after_start"),
        (PolicyInForce, {"id": 2, "digest": POLICY, "since_at": AT}, "only_one"),
        (Delivery, DELIVERY | {"verb": "again", "state": "sending"}, "verb_known"),
        (Delivery, DELIVERY | {"verb": "retry", "state": "lost"}, "state_known"),
    ],
)
def test_a_row_that_breaks_a_rule_is_refused(database: Database, model: Any, row: dict[str, Any], rule: str) -> None:
    put_case(database, 1)
    with pytest.raises(IntegrityError, match=rule):
        database.write(lambda session: session.execute(insert(model), [row])).result()


@pytest.mark.parametrize(
    ("model", "row"),
    [
        (Case, case_row(2, match_key="v1:1")),
        (Case, case_row(2, thread_ts="1.1")),
        (Case, case_row(2, policy_digest="1" * 64)),
        (Timer, {"case_id": 2, "kind": "response"}),
        (ExceptionReport, {"case_id": 1, "occurrence": 1, "received_at": AT, "source": "s", "title": "t"}),
    ],
)
def test_a_second_one_and_one_of_nothing_are_refused(database: Database, model: Any, row: dict[str, Any]) -> None:
    put_case(database, 1, thread_ts="1.1")
    report = {"case_id": 1, "occurrence": 1, "received_at": AT, "source": "s", "title": "t"}
    database.write(lambda session: session.execute(insert(ExceptionReport), [report])).result()
    with pytest.raises(IntegrityError):
        database.write(lambda session: session.execute(insert(model), [row])).result()


def test_a_key_and_a_thread_are_free_again_when_their_case_is_closed(database: Database) -> None:
    put_case(database, 1, thread_ts="1.1", state="resolved", closed_at=AT)
    put_case(database, 2, thread_ts="1.1", match_key="v1:1")
    count = text("SELECT count(*) FROM cases")
    assert database.read_now(lambda session: session.execute(count).scalar_one()) == 2


def test_what_is_kept_is_read_as_it_was(database: Database) -> None:
    files = {"team.yml": "roles: {}\n", "ünï 🚨": "\\u0000 'quoted' \"twice\" 1e400"}
    put_case(database, 1, title="'; DROP TABLE cases; -- {{ 7 * 7 }} \u202e <!channel>")

    def change(session: Session) -> None:
        session.execute(insert(PolicyVersion), [{"digest": "d", "files": files, "recorded_at": AT}])

    database.write(change).result()

    def kept(session: Session) -> tuple[Any, ...]:
        case, policy = session.get_one(Case, 1), session.get_one(PolicyVersion, "d")
        return case.title, case.opened_at, case.closed_at, policy.files

    title = "'; DROP TABLE cases; -- {{ 7 * 7 }} \u202e <!channel>"
    assert database.read_now(kept) == (title, AT, None, files)
