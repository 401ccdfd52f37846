"""The tables of enforced contracts, and the installation's own key: made once, with the migration's lock held."""

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

revision = "0003"
down_revision = "0002"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.Text().with_variant(TIMESTAMP(timezone=True), "postgresql")
DOCUMENT = sa.Text().with_variant(JSONB(), "postgresql")


def _partial(name: str, table: str, columns: list[str], *, where: str, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, postgresql_where=condition, sqlite_where=condition)


def upgrade() -> None:
    _desk_keys()
    _sealed_events()
    _subject_keys()
    _contract_versions()
    _outcomes()
    _proposals()
    _approvals()
    _baselines()
    _missed()
    _connector_states()
    _drills()
    _expected()
    _triggers()
    _releases()


def _desk_keys() -> None:
    op.create_table(
        "desk_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="desk_keys_pkey"),
    )
    table = sa.table("desk_keys", sa.column("id", sa.Integer()), sa.column("key", sa.LargeBinary()))
    op.execute(table.insert().values(id=1, key=secrets.token_bytes(32)))


def _sealed_events() -> None:
    op.add_column("events", sa.Column("sealed", sa.String(), nullable=True))
    op.add_column("events", sa.Column("subject_key", sa.String(), nullable=True))


def _subject_keys() -> None:
    op.create_table(
        "subject_keys",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("dropped_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="subject_keys_pkey"),
    )


def _contract_versions() -> None:
    op.create_table(
        "contract_versions",
        sa.Column("id", BIG, nullable=False),
        sa.Column("workflow", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("policy_digest", sa.String(), nullable=False),
        sa.Column("since_at", INSTANT, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.CheckConstraint("state IN ('current', 'before', 'rolled_back')", name="state_known"),
        sa.ForeignKeyConstraint(["policy_digest"], ["policies.digest"], name="contract_versions_policy_digest_fkey"),
        sa.PrimaryKeyConstraint("id", name="contract_versions_pkey"),
    )
    op.create_index("contract_versions_of_workflow", "contract_versions", ["workflow", "id"])


def _outcomes() -> None:
    op.create_table(
        "outcomes",
        sa.Column("id", BIG, nullable=False),
        sa.Column("workflow", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("content", DOCUMENT, nullable=False),
        sa.Column("meaning", sa.String(), nullable=False),
        sa.Column("because", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("event_id", BIG, nullable=True),
        sa.CheckConstraint("state IN ('matched', 'early', 'unmatched', 'superseded')", name="state_known"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="outcomes_event_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="outcomes_pkey"),
    )
    op.create_index("outcomes_by_key", "outcomes", ["key", "workflow", "id"])
    _partial("outcomes_kept", "outcomes", ["state", "id"], where="state IN ('early', 'unmatched')")
    op.create_index("outcomes_of_event", "outcomes", ["event_id"])


def _proposals() -> None:
    op.create_table(
        "proposals",
        sa.Column("id", BIG, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("before", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("proposed_at", INSTANT, nullable=False),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("needs", DOCUMENT, nullable=False),
        sa.Column("told", DOCUMENT, nullable=False),
        sa.Column("channel", sa.String(), nullable=True),
        sa.Column("card_ts", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('proposed', 'in_force', 'replaced', 'superseded', 'withdrawn', 'rolled_back')",
            name="state_known",
        ),
        sa.ForeignKeyConstraint(["before"], ["policies.digest"], name="proposals_before_fkey"),
        sa.ForeignKeyConstraint(["digest"], ["policies.digest"], name="proposals_digest_fkey"),
        sa.PrimaryKeyConstraint("id", name="proposals_pkey"),
    )
    op.create_index("proposals_of_digest", "proposals", ["digest", "id"])
    _partial("one_proposal_waits", "proposals", ["state"], where="state = 'proposed'", unique=True)


def _approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("proposal_id", BIG, nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("seats", DOCUMENT, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposals.id"], name="approvals_proposal_id_fkey"),
        sa.PrimaryKeyConstraint("proposal_id", "part", "person", name="approvals_pkey"),
    )


def _baselines() -> None:
    op.create_table(
        "baselines",
        sa.Column("workflow", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("from_at", INSTANT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("again_at", INSTANT, nullable=True),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("case_id", BIG, nullable=True),
        sa.CheckConstraint("kind IN ('freshness', 'census')", name="kind_known"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="baselines_case_id_fkey"),
        sa.PrimaryKeyConstraint("workflow", "kind", name="baselines_pkey"),
    )
    op.create_index("baselines_due", "baselines", ["due_at"])


def _missed() -> None:
    op.create_table(
        "missed",
        sa.Column("workflow", sa.String(), nullable=False),
        sa.Column("identity", sa.String(), nullable=False),
        sa.Column("case_id", BIG, nullable=False),
        sa.Column("named_at", INSTANT, nullable=False),
        sa.Column("came_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="missed_case_id_fkey"),
        sa.PrimaryKeyConstraint("workflow", "identity", name="missed_pkey"),
    )
    _partial("missed_still", "missed", ["workflow", "identity"], where="came_at IS NULL")


def _connector_states() -> None:
    op.create_table(
        "connector_states",
        sa.Column("connector", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_event", BIG, nullable=True),
        sa.Column("since_at", INSTANT, nullable=False),
        sa.Column("probe_at", INSTANT, nullable=True),
        sa.Column("free_at", INSTANT, nullable=True),
        sa.Column("because", sa.String(), nullable=False),
        sa.Column("case_id", BIG, nullable=True),
        sa.CheckConstraint("state IN ('closed', 'open', 'refused')", name="state_known"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="connector_states_case_id_fkey"),
        sa.PrimaryKeyConstraint("connector", name="connector_states_pkey"),
    )


def _drills() -> None:
    op.create_table(
        "drills",
        sa.Column("id", BIG, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("workflow", sa.String(), nullable=True),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("because", sa.String(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=True),
        sa.Column("gives_up_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("event_id", BIG, nullable=True),
        sa.Column("case_id", BIG, nullable=True),
        sa.Column("detected_at", INSTANT, nullable=True),
        sa.Column("routed_to", sa.String(), nullable=True),
        sa.Column("told_at", INSTANT, nullable=True),
        sa.CheckConstraint("state IN ('asked', 'running', 'caught', 'missed', 'impossible')", name="state_known"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="drills_case_id_fkey"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="drills_event_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="drills_pkey"),
    )
    op.create_index("drills_of_event", "drills", ["event_id"])
    _partial("drills_to_play", "drills", ["id"], where="state IN ('asked', 'running')")


def _expected() -> None:
    op.create_table(
        "expected",
        sa.Column("event_id", BIG, nullable=False),
        sa.Column("workflow", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("since_at", INSTANT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("policy_digest", sa.String(), nullable=False),
        sa.Column("case_id", BIG, nullable=True),
        sa.Column("settled_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'done', 'failed', 'missing', 'late', 'superseded')", name="state_known"
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="expected_case_id_fkey"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="expected_event_id_fkey"),
        sa.ForeignKeyConstraint(["policy_digest"], ["policies.digest"], name="expected_policy_digest_fkey"),
        sa.PrimaryKeyConstraint("event_id", name="expected_pkey"),
    )
    op.create_index("expected_by_key", "expected", ["workflow", "key"])
    _partial("expected_due", "expected", ["due_at"], where="due_at IS NOT NULL")
    _partial("expected_in_vain", "expected", ["workflow", "since_at"], where="state IN ('missing', 'failed')")
    _partial("expected_taken", "expected", ["lease_until"], where="lease_until IS NOT NULL")


def _releases() -> None:
    op.create_table(
        "releases",
        sa.Column("id", BIG, nullable=False),
        sa.Column("case_id", BIG, nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("after_id", BIG, nullable=False),
        sa.Column("upto_id", BIG, nullable=False),
        sa.Column("names", DOCUMENT, nullable=False),
        sa.Column("counts", DOCUMENT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="releases_case_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="releases_pkey"),
    )
    _partial("releases_due", "releases", ["due_at"], where="due_at IS NOT NULL")


def _triggers() -> None:
    op.create_table(
        "triggers",
        sa.Column("event_id", BIG, nullable=False),
        sa.Column("workflow", sa.String(), nullable=False),
        sa.Column("identity", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("lane", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("misfit", DOCUMENT, nullable=True),
        sa.Column("because", sa.String(), nullable=True),
        sa.Column("case_id", BIG, nullable=True),
        sa.Column("policy_digest", sa.String(), nullable=False),
        sa.Column("contract_version", sa.Integer(), nullable=False),
        sa.Column("released_from", BIG, nullable=True),
        sa.Column("is_drill", sa.Boolean(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("last_seen_at", INSTANT, nullable=False),
        sa.Column("delivered_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "state IN ('accepted', 'delivering', 'delivered', 'failed', 'quarantined', 'ignored', 'shadowed', "
            "'released', 'dropped')",
            name="state_known",
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="triggers_case_id_fkey"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="triggers_event_id_fkey"),
        sa.ForeignKeyConstraint(["policy_digest"], ["policies.digest"], name="triggers_policy_digest_fkey"),
        sa.ForeignKeyConstraint(["released_from"], ["events.id"], name="triggers_released_from_fkey"),
        sa.PrimaryKeyConstraint("event_id", name="triggers_pkey"),
        sa.UniqueConstraint("identity", "workflow", name="triggers_identity_workflow_key"),
    )
    op.create_index("triggers_by_arrival", "triggers", ["workflow", "received_at"])
    _partial(
        "triggers_astray",
        "triggers",
        ["workflow", "received_at", "state"],
        where="state IN ('failed', 'quarantined', 'ignored', 'shadowed', 'released', 'dropped')",
    )
    _partial(
        "triggers_in_lane",
        "triggers",
        ["lane", "event_id"],
        where="lane IS NOT NULL AND state IN ('delivering', 'failed')",
    )
    _partial("triggers_in_quarantine", "triggers", ["workflow", "event_id"], where="state = 'quarantined'")
    op.create_index("triggers_of_case", "triggers", ["case_id", "event_id"])
    _partial("triggers_of_drills", "triggers", ["workflow", "received_at"], where="is_drill")


def downgrade() -> None:
    raise RuntimeError("a database goes back by its backup")
