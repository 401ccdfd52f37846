"""What lets the database grow for years: what is kept for how long, and by which index it is found."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0005"
down_revision = "0004"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.Text().with_variant(TIMESTAMP(timezone=True), "postgresql")


def _partial(name: str, table: str, columns: list[str], *, where: str, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, postgresql_where=condition, sqlite_where=condition)


def upgrade() -> None:
    _retention()


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


def downgrade() -> None:
    raise RuntimeError("a database goes back by its backup")
