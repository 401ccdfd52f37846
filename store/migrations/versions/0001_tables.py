"""The tables, but for the audit log."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

revision = "0001"
down_revision = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.Text().with_variant(TIMESTAMP(timezone=True), "postgresql")
DOCUMENT = sa.Text().with_variant(JSONB(), "postgresql")


def _one_of(column: str, *words: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def _partial(name: str, table: str, columns: list[str], *, where: str) -> None:
    op.create_index(name, table, columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))


def _partial_unique(name: str, table: str, columns: list[str], *, where: str) -> None:
    op.create_index(name, table, columns, unique=True, postgresql_where=sa.text(where), sqlite_where=sa.text(where))


def upgrade() -> None:
    _events()
    _outbox()
    _overrides()
    _people()
    _policies()
    _requests()
    _rota_calendars()
    _cases()
    _policy_in_force()
    _deliveries()
    _exceptions()
    _notes()
    _paged()
    _state_changes()
    _timers()
    _attempts()


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", BIG, nullable=False),
        sa.Column("workflow", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=True),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("content", DOCUMENT, nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="events_pkey"),
    )
    op.create_index("events_by_key", "events", ["workflow", "key"])


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", BIG, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("case_id", BIG, nullable=True),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("payload", DOCUMENT, nullable=False),
        sa.Column("while_unacknowledged", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("not_before_at", INSTANT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("maybe_sent", sa.Boolean(), nullable=False),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.Column("result", DOCUMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="outbox_pkey"),
        _one_of("state", "owed", "sending", "sent", "dead", "cancelled"),
    )
    _partial_unique("one_owed_per_key", "outbox", ["key"], where="state = 'owed'")
    _partial("outbox_by_case", "outbox", ["case_id", "id"], where="state IN ('owed', 'sending')")
    _partial("edited_with_case", "outbox", ["case_id"], where="kind IN ('page', 'question') AND state = 'sent'")
    _partial("outbox_due", "outbox", ["not_before_at", "id"], where="state IN ('owed', 'sending')")


def _overrides() -> None:
    op.create_table(
        "overrides",
        sa.Column("id", BIG, nullable=False),
        sa.Column("rota", sa.String(), nullable=False),
        sa.Column("start_at", INSTANT, nullable=False),
        sa.Column("end_at", INSTANT, nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="overrides_pkey"),
        sa.CheckConstraint("start_at < end_at", name="ends_after_start"),
    )
    op.create_index("by_rota", "overrides", ["rota", "end_at"])


def _people() -> None:
    op.create_table(
        "people",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("team_id", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("is_bot", sa.Boolean(), nullable=False),
        sa.Column("is_guest", sa.Boolean(), nullable=False),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("members", DOCUMENT, nullable=True),
        sa.Column("checked_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="people_pkey"),
    )


def _policies() -> None:
    op.create_table(
        "policies",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("files", DOCUMENT, nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="policies_pkey"),
    )


def _requests() -> None:
    op.create_table(
        "requests",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("answer", DOCUMENT, nullable=True),
        sa.PrimaryKeyConstraint("key", name="requests_pkey"),
    )
    op.create_index("requests_by_age", "requests", ["at"])


def _rota_calendars() -> None:
    op.create_table(
        "rota_calendars",
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("fetched_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("address", name="rota_calendars_pkey"),
    )


def _cases() -> None:
    op.create_table("cases", *_cases_columns(), *_cases_rules())
    _partial("by_card", "cases", ["channel", "card_ts"], where="card_ts IS NOT NULL")
    op.create_index("by_owner", "cases", ["owner", "id"])
    op.create_index("by_state", "cases", ["state", "id"])
    _partial("by_thread", "cases", ["channel", "thread_ts"], where="thread_ts IS NOT NULL")
    op.create_index("by_workflow", "cases", ["workflow", "id"])
    _partial("missed_resolution", "cases", ["resolution_breached_at"], where="resolution_breached_at IS NOT NULL")
    _partial("missed_response", "cases", ["response_breached_at"], where="response_breached_at IS NOT NULL")
    _partial_unique("one_open_case_per_match", "cases", ["match_key"], where="closed_at IS NULL")
    _partial_unique(
        "one_open_case_per_thread",
        "cases",
        ["channel", "thread_ts"],
        where="closed_at IS NULL AND thread_ts IS NOT NULL",
    )
    _partial("open_by_assignee", "cases", ["assignee", "id"], where="closed_at IS NULL")
    _partial("open_by_number", "cases", ["id"], where="closed_at IS NULL")
    _partial("open_by_workflow", "cases", ["workflow", "failure_mode"], where="closed_at IS NULL AND NOT is_drill")
    _partial("open_by_owner", "cases", ["owner", "id"], where="closed_at IS NULL")


def _cases_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("id", BIG, nullable=False),
        sa.Column("workflow", sa.String(), nullable=False),
        sa.Column("failure_mode", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("risk", sa.String(), nullable=False),
        sa.Column("priority", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("route_rule", sa.String(), nullable=False),
        sa.Column("route_because", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("assignee", sa.String(), nullable=True),
        sa.Column("match_key", sa.String(), nullable=False),
        sa.Column("dedup_key", sa.String(), nullable=True),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("policy_digest", sa.String(), nullable=False),
        sa.Column("contract_version", sa.Integer(), nullable=True),
        sa.Column("next_step", sa.String(), nullable=True),
        sa.Column("event_id", BIG, nullable=True),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("opened_by", sa.String(), nullable=False),
        sa.Column("last_seen_at", INSTANT, nullable=False),
        sa.Column("occurrences", sa.Integer(), nullable=False),
        sa.Column("acknowledge_due_at", INSTANT, nullable=False),
        sa.Column("resolve_due_at", INSTANT, nullable=False),
        sa.Column("response_from_at", INSTANT, nullable=False),
        sa.Column("acknowledged_at", INSTANT, nullable=True),
        sa.Column("acknowledged_by", sa.String(), nullable=True),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("snoozed_until", INSTANT, nullable=True),
        sa.Column("response_breached_at", INSTANT, nullable=True),
        sa.Column("resolution_breached_at", INSTANT, nullable=True),
        sa.Column("exhausted", sa.Boolean(), nullable=False),
        sa.Column("closed_at", INSTANT, nullable=True),
        sa.Column("resolution", sa.String(), nullable=True),
        sa.Column("reopened", sa.Integer(), nullable=False),
        sa.Column("is_drill", sa.Boolean(), nullable=False),
        sa.Column("overridden_by", sa.String(), nullable=True),
        sa.Column("override_reason", sa.String(), nullable=True),
        sa.Column("follows_id", BIG, nullable=True),
        *_cases_messages(),
    ]


def _cases_messages() -> list[sa.Column[Any]]:
    return [
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("thread_ts", sa.String(), nullable=True),
        sa.Column("card_ts", sa.String(), nullable=True),
        sa.Column("notice_channel", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
    ]


def _cases_rules() -> list[sa.Constraint]:
    return [
        sa.PrimaryKeyConstraint("id", name="cases_pkey"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="cases_event_id_fkey"),
        sa.ForeignKeyConstraint(["follows_id"], ["cases.id"], name="cases_follows_id_fkey"),
        sa.ForeignKeyConstraint(["policy_digest"], ["policies.digest"], name="cases_policy_digest_fkey"),
        _one_of("priority", "P1", "P2", "P3", "P4"),
        _one_of("route", "auto_fix", "owner_queue", "on_call"),
        _one_of(
            "state",
            "queued",
            "in_progress",
            "waiting_for_systems",
            "waiting_for_customer",
            "manual_review",
            "closing",
            "resolved",
            "failed",
        ),
        sa.CheckConstraint("(closed_at IS NOT NULL) = (state IN ('resolved', 'failed'))", name="closed_with_state"),
        sa.CheckConstraint("occurrences >= 1", name="occurred"),
    ]


def _policy_in_force() -> None:
    op.create_table(
        "policy_in_force",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("since_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="policy_in_force_pkey"),
        sa.ForeignKeyConstraint(["digest"], ["policies.digest"], name="policy_in_force_digest_fkey"),
        sa.CheckConstraint("id = 1", name="only_one"),
    )


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", BIG, nullable=False),
        sa.Column("case_id", BIG, nullable=True),
        sa.Column("event_id", BIG, nullable=False),
        sa.Column("workflow", sa.String(), nullable=False),
        sa.Column("connector", sa.String(), nullable=False),
        sa.Column("lane", sa.String(), nullable=True),
        sa.Column("verb", sa.String(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=False),
        sa.Column("key_born_at", INSTANT, nullable=False),
        sa.Column("policy_digest", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("content", DOCUMENT, nullable=True),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("because", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="deliveries_pkey"),
        sa.UniqueConstraint("event_id", "generation", name="deliveries_event_id_generation_key"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="deliveries_case_id_fkey"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="deliveries_event_id_fkey"),
        sa.ForeignKeyConstraint(["policy_digest"], ["policies.digest"], name="deliveries_policy_digest_fkey"),
        _one_of("state", "finding", "sending", "verifying", "delivered", "already_there", "refused", "unknown", "dead"),
        _one_of("verb", "deliver", "retry", "replay"),
    )
    _partial("deliveries_due", "deliveries", ["connector", "due_at"], where="due_at IS NOT NULL")
    _partial("deliveries_in_lane", "deliveries", ["lane", "event_id"], where="lane IS NOT NULL AND due_at IS NOT NULL")
    op.create_index("deliveries_of_case", "deliveries", ["case_id", "id"])


def _exceptions() -> None:
    op.create_table(
        "exceptions",
        sa.Column("id", BIG, nullable=False),
        sa.Column("case_id", BIG, nullable=False),
        sa.Column("occurrence", sa.Integer(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("event_id", BIG, nullable=True),
        sa.Column("links", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="exceptions_pkey"),
        sa.UniqueConstraint("case_id", "occurrence", name="exceptions_case_id_occurrence_key"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="exceptions_case_id_fkey"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="exceptions_event_id_fkey"),
    )


def _notes() -> None:
    op.create_table(
        "notes",
        sa.Column("id", BIG, nullable=False),
        sa.Column("case_id", BIG, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("message_ts", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="notes_pkey"),
        sa.UniqueConstraint("case_id", "message_ts", name="notes_case_id_message_ts_key"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="notes_case_id_fkey"),
    )


def _paged() -> None:
    op.create_table(
        "paged",
        sa.Column("case_id", BIG, nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("case_id", "who", name="paged_pkey"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="paged_case_id_fkey"),
    )


def _state_changes() -> None:
    op.create_table(
        "state_changes",
        sa.Column("id", BIG, nullable=False),
        sa.Column("case_id", BIG, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="state_changes_pkey"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="state_changes_case_id_fkey"),
    )
    op.create_index("state_changes_of_case", "state_changes", ["case_id", "id"])


def _timers() -> None:
    op.create_table(
        "timers",
        sa.Column("case_id", BIG, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("case_id", "kind", name="timers_pkey"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="timers_case_id_fkey"),
        _one_of("kind", "response", "resolution", "lease", "snooze"),
    )
    op.create_index("timers_due", "timers", ["due_at"])


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", BIG, nullable=False),
        sa.Column("delivery_id", BIG, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("request", DOCUMENT, nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("response", sa.String(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="attempts_pkey"),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name="attempts_delivery_id_fkey"),
    )
    op.create_index("attempts_of_delivery", "attempts", ["delivery_id", "id"])


def downgrade() -> None:
    raise RuntimeError("a database goes back by its backup")
