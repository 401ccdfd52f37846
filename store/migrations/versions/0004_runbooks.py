"""The tables of runbooks under way, and of how cases end."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

revision = "0004"
down_revision = "0003"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.Text().with_variant(TIMESTAMP(timezone=True), "postgresql")
DOCUMENT = sa.Text().with_variant(JSONB(), "postgresql")


def _partial(name: str, table: str, columns: list[str], *, where: str, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, postgresql_where=condition, sqlite_where=condition)


def upgrade() -> None:
    _runs()
    _run_steps()
    _run_attempts()
    _run_approvals()
    _closings()
    _checks()
    _post_mortems()
    _connector_health()


def downgrade() -> None:
    raise RuntimeError("a database goes back by its backup")


def _runs() -> None:
    op.create_table(
        "runs",
        *_runs_columns(),
        sa.CheckConstraint(
            "cause IN ('pressed', 'auto_fix', 'delivery', 'on_open', 'on_close', 'step')", name="cause_known"
        ),
        sa.CheckConstraint(
            "state IN ('held', 'approving', 'running', 'proposed', 'undoing', 'done', 'failed', 'stopped', 'undone', "
            "'declined')",
            name="state_known",
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="runs_case_id_fkey"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="runs_event_id_fkey"),
        sa.ForeignKeyConstraint(["item_id"], ["events.id"], name="runs_item_id_fkey"),
        sa.ForeignKeyConstraint(["parent_id"], ["runs.id"], name="runs_parent_id_fkey"),
        sa.ForeignKeyConstraint(["policy_digest"], ["policies.digest"], name="runs_policy_digest_fkey"),
        sa.PrimaryKeyConstraint("id", name="runs_pkey"),
    )
    _runs_indexes()


def _runs_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("id", BIG, nullable=False),
        sa.Column("case_id", BIG, nullable=True),
        sa.Column("event_id", BIG, nullable=True),
        sa.Column("workflow", sa.String(), nullable=False),
        sa.Column("runbook", sa.String(), nullable=False),
        sa.Column("policy_digest", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("parent_id", BIG, nullable=True),
        sa.Column("parent_position", sa.Integer(), nullable=True),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("inputs", DOCUMENT, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("item_id", BIG, nullable=True),
        sa.Column("upto_id", BIG, nullable=True),
        sa.Column("counts", DOCUMENT, nullable=False),
        sa.Column("because", sa.String(), nullable=False),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("gives_up_at", INSTANT, nullable=True),
        sa.Column("waits_for_yes_since", INSTANT, nullable=True),
        sa.Column("proposed_at", INSTANT, nullable=True),
        sa.Column("accepted_by", sa.String(), nullable=True),
        sa.Column("accepted_at", INSTANT, nullable=True),
        sa.Column("refused_by", sa.String(), nullable=True),
        sa.Column("undo_by", sa.String(), nullable=True),
        sa.Column("overtaken_by", sa.String(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
    ]


def _runs_indexes() -> None:
    _partial("runs_due", "runs", ["due_at"], where="due_at IS NOT NULL")
    op.create_index("runs_of_case", "runs", ["case_id", "id"])
    op.create_index("runs_of_event", "runs", ["event_id", "id"])
    op.create_index("runs_of_runbook", "runs", ["workflow", "cause", "asked_at"])
    _partial("runs_proposed", "runs", ["workflow", "proposed_at"], where="proposed_at IS NOT NULL")
    _partial("runs_of_step", "runs", ["parent_id"], where="parent_id IS NOT NULL")
    _partial("runs_under_way", "runs", ["workflow", "id"], where="ended_at IS NULL")


def _run_steps() -> None:
    op.create_table(
        "run_steps",
        sa.Column("id", BIG, nullable=False),
        sa.Column("run_id", BIG, nullable=False),
        sa.Column("item_id", BIG, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("key_born_at", INSTANT, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("unanswered", sa.Integer(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("until_at", INSTANT, nullable=True),
        sa.Column("response", DOCUMENT, nullable=True),
        sa.Column("sealed", sa.String(), nullable=True),
        sa.Column("because", sa.String(), nullable=False),
        sa.Column("link_id", BIG, nullable=True),
        sa.CheckConstraint(
            "state IN ('under_way', 'waiting', 'done', 'failed', 'skipped', 'overtaken', 'undoing', 'undone', "
            "'not_undone')",
            name="state_known",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="run_steps_run_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="run_steps_pkey"),
        sa.UniqueConstraint("run_id", "item_id", "position", name="run_steps_run_id_item_id_position_key"),
    )
    _partial("run_steps_waiting", "run_steps", ["kind", "link_id"], where="state = 'waiting'")


def _run_attempts() -> None:
    op.create_table(
        "run_attempts",
        sa.Column("id", BIG, nullable=False),
        sa.Column("step_id", BIG, nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("request", DOCUMENT, nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("response", sa.String(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.CheckConstraint("purpose IN ('step', 'undo')", name="purpose_known"),
        sa.ForeignKeyConstraint(["step_id"], ["run_steps.id"], name="run_attempts_step_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="run_attempts_pkey"),
    )
    op.create_index("run_attempts_of_step", "run_attempts", ["step_id", "id"])


def _run_approvals() -> None:
    op.create_table(
        "run_approvals",
        sa.Column("run_id", BIG, nullable=False),
        sa.Column("seat", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=True),
        sa.Column("answered_at", INSTANT, nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.CheckConstraint("answer IN ('', 'yes', 'no', 'expired', 'nobody')", name="answer_known"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="run_approvals_run_id_fkey"),
        sa.PrimaryKeyConstraint("run_id", "seat", name="run_approvals_pkey"),
    )


def _closings() -> None:
    op.create_table(
        "closings",
        sa.Column("id", BIG, nullable=False),
        sa.Column("case_id", BIG, nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("state_before", sa.String(), nullable=False),
        sa.Column("wanted", DOCUMENT, nullable=False),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("overridden_by", sa.String(), nullable=True),
        sa.Column("override_reason", sa.String(), nullable=True),
        sa.CheckConstraint("state IN ('checking', 'passed', 'refused', 'overridden', 'withdrawn')", name="state_known"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="closings_case_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="closings_pkey"),
    )
    op.create_index("closings_of_case", "closings", ["case_id", "id"])
    _partial("one_closing_at_a_time", "closings", ["case_id"], where="state = 'checking'", unique=True)


def _checks() -> None:
    op.create_table(
        "checks",
        sa.Column("id", BIG, nullable=False),
        sa.Column("closing_id", BIG, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("at", INSTANT, nullable=True),
        sa.Column("by", sa.String(), nullable=True),
        sa.Column("request", DOCUMENT, nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body_digest", sa.String(), nullable=True),
        sa.Column("because", sa.String(), nullable=False),
        sa.Column("found", sa.String(), nullable=False),
        sa.CheckConstraint("kind IN ('request', 'confirm')", name="kind_known"),
        sa.CheckConstraint(
            "state IN ('owed', 'passed', 'failed', 'unknown', 'confirmed', 'unconfirmed')", name="state_known"
        ),
        sa.ForeignKeyConstraint(["closing_id"], ["closings.id"], name="checks_closing_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="checks_pkey"),
        sa.UniqueConstraint("closing_id", "name", name="checks_closing_id_name_key"),
    )
    _partial("checks_due", "checks", ["due_at"], where="due_at IS NOT NULL")


def _post_mortems() -> None:
    op.create_table(
        "post_mortems",
        sa.Column("case_id", BIG, nullable=False),
        sa.Column("owed_at", INSTANT, nullable=False),
        sa.Column("because", sa.String(), nullable=False),
        sa.Column("written_at", INSTANT, nullable=True),
        sa.Column("written_by", sa.String(), nullable=True),
        sa.Column("summary", sa.String(), nullable=False),
        sa.Column("causes", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="post_mortems_case_id_fkey"),
        sa.PrimaryKeyConstraint("case_id", name="post_mortems_pkey"),
    )
    _partial("post_mortems_to_write", "post_mortems", ["case_id"], where="written_at IS NULL")
    _partial("actions_of_case", "cases", ["follows_id", "id"], where="follows_id IS NOT NULL")


def _connector_health() -> None:
    op.create_table(
        "connector_health",
        sa.Column("connector", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("since_at", INSTANT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("answered_at", INSTANT, nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("because", sa.String(), nullable=False),
        sa.CheckConstraint("state IN ('unknown', 'up', 'down')", name="state_known"),
        sa.PrimaryKeyConstraint("connector", name="connector_health_pkey"),
    )
    _partial("connector_health_due", "connector_health", ["due_at"], where="due_at IS NOT NULL")
