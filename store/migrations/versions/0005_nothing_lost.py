"""What lets the database grow for years and be shared: what is kept for how long and by which index it is found, a
pulse, the pace of messages, and the traces that cases and events belong to."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

revision = "0005"
down_revision = "0004"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.Text().with_variant(TIMESTAMP(timezone=True), "postgresql")

DOCUMENT = sa.Text().with_variant(JSONB(), "postgresql")


def _partial(name: str, table: str, columns: list[str], *, where: str, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, postgresql_where=condition, sqlite_where=condition)


def upgrade() -> None:
    _retention()
    _checkpoints()
    _watch()
    _serving()
    _traces()


def _retention() -> None:
    op.add_column("events", sa.Column("gone", sa.String(), nullable=True))
    op.add_column("events", sa.Column("drop_at", INSTANT, nullable=True))
    op.add_column("run_steps", sa.Column("gone_at", INSTANT, nullable=True))
    _partial("events_whole", "events", ["received_at"], where="gone IS NULL")
    _partial("events_to_drop", "events", ["drop_at"], where="drop_at IS NOT NULL")
    _partial("cases_of_event", "cases", ["event_id"], where="event_id IS NOT NULL")
    _partial("exceptions_of_event", "exceptions", ["event_id"], where="event_id IS NOT NULL")
    _partial("triggers_of_released", "triggers", ["released_from"], where="released_from IS NOT NULL")
    _partial("runs_of_item", "runs", ["item_id"], where="item_id IS NOT NULL")
    _partial("run_steps_with_evidence", "run_steps", ["ended_at"], where="response IS NOT NULL OR sealed IS NOT NULL")
    _partial("checks_with_evidence", "checks", ["at"], where="request IS NOT NULL")
    _partial("triggers_held", "triggers", ["event_id"], where="state = 'quarantined'")
    _partial("outcomes_unlike_most", "outcomes", ["state", "id"], where="state <> 'matched'")
    op.create_index("outcomes_of_workflow", "outcomes", ["workflow", "id"])


def _serving() -> None:
    op.create_table(
        "pulses",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pulses_pkey"),
    )
    op.create_table(
        "paces",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("full_at", INSTANT, nullable=False),
        sa.Column("held_until", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("name", name="paces_pkey"),
    )
    op.create_table(
        "storms",
        sa.Column("id", BIG, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("workflow", sa.String(), nullable=False),
        sa.Column("since_at", INSTANT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("counts", DOCUMENT, nullable=False),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.Column("channel_id", sa.String(), nullable=True),
        sa.Column("ts", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="storms_pkey"),
    )
    _partial("one_storm_at_a_time", "storms", ["channel", "workflow"], where="due_at IS NOT NULL", unique=True)


def _traces() -> None:
    op.add_column("cases", sa.Column("trace", sa.String(), nullable=True))
    op.add_column("triggers", sa.Column("trace", sa.String(), nullable=True))


def downgrade() -> None:
    raise RuntimeError("a database goes back by its backup")


def _checkpoints() -> None:
    changed: sa.Column[bool] = sa.Column("is_changed", sa.Boolean(), nullable=False, server_default=sa.true())
    op.add_column("audit_heads", changed)
    _partial("audit_heads_changed", "audit_heads", ["chain"], where="is_changed")
    op.create_table(
        "audit_leaves",
        sa.Column("place", BIG, autoincrement=False, nullable=False),
        sa.Column("chain", sa.String(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("broken", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("place", name="audit_leaves_pkey"),
        sa.UniqueConstraint("chain", name="audit_leaves_chain_key"),
    )
    op.create_index("audit_leaves_by_number", "audit_leaves", ["number"])
    _partial("audit_leaves_broken", "audit_leaves", ["chain"], where="broken <> ''")
    op.create_table(
        "audit_blocks",
        sa.Column("place", BIG, autoincrement=False, nullable=False),
        sa.Column("root", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("place", name="audit_blocks_pkey"),
    )
    op.create_table(
        "checkpoints",
        sa.Column("number", BIG, autoincrement=False, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="checkpoints_pkey"),
    )


def _watch() -> None:
    op.create_table(
        "turns",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("cursor", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="turns_pkey"),
    )
    op.create_table(
        "outages",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("since_at", INSTANT, nullable=False),
        sa.Column("because", sa.String(), nullable=False),
        sa.Column("until_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("name", name="outages_pkey"),
    )
    op.create_table(
        "findings",
        sa.Column("id", BIG, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("case_id", BIG, nullable=True),
        sa.CheckConstraint("kind IN ('late', 'unsent', 'left', 'broken')", name="kind_known"),
        sa.PrimaryKeyConstraint("id", name="findings_pkey"),
        sa.UniqueConstraint("key", name="findings_key_key"),
    )
    op.create_index("findings_by_time", "findings", ["kind", "at"])
    _partial("findings_untold", "findings", ["id"], where="case_id IS NULL")
