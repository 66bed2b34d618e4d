"""Plans, memberships, streams that are watched at once, and requests that may be repeated."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def stamps() -> list[sa.Column]:
    return [
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    ]


def chosen(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    op.create_table(
        "plan",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("price", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("period", chosen("period", "month", "year"), nullable=False),
        sa.Column("streams", sa.SmallInteger(), nullable=False),
        sa.Column("profiles", sa.SmallInteger(), nullable=False),
        sa.Column("max_height", sa.SmallInteger(), nullable=True),
        sa.Column("is_offered", sa.Boolean(), nullable=False),
        *stamps(),
        sa.CheckConstraint("price >= 0", name="ck_plan_price"),
        sa.CheckConstraint("streams >= 1", name="ck_plan_streams"),
        sa.PrimaryKeyConstraint("id", name="pk_plan"),
        sa.UniqueConstraint("name", name="uq_plan_name"),
    )
    op.create_table(
        "membership",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("streams_override", sa.SmallInteger(), nullable=True),
        *stamps(),
        sa.CheckConstraint("ends_at > starts_at", name="ck_membership_ends_at"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user_account.id"],
            name="fk_membership_user_id_user_account",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plan.id"], name="fk_membership_plan_id_plan", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_membership"),
        sa.UniqueConstraint("user_id", name="uq_membership_user_id"),
    )
    op.create_index("ix_membership_plan_id", "membership", ["plan_id"])
    op.create_table(
        "stream_lease",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("video_id", sa.BigInteger(), nullable=False),
        sa.Column("sign_in_id", sa.BigInteger(), nullable=False),
        sa.Column("device", sa.String(length=100), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        *stamps(),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user_account.id"],
            name="fk_stream_lease_user_id_user_account",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["video_id"], ["video.id"], name="fk_stream_lease_video_id_video", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stream_lease"),
    )
    op.create_index(
        "ix_stream_lease_user_id",
        "stream_lease",
        ["user_id"],
        postgresql_where=sa.text("ended_at is null"),
    )
    op.create_index("ix_stream_lease_video_id", "stream_lease", ["video_id"])
    op.create_index("ix_stream_lease_ended_at", "stream_lease", ["ended_at"])
    op.create_table(
        "idempotent_answer",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        *stamps(),
        sa.PrimaryKeyConstraint("id", name="pk_idempotent_answer"),
        sa.UniqueConstraint("user_id", "key", name="uq_idempotent_answer_user_id"),
    )
    op.create_index("ix_idempotent_answer_created_at", "idempotent_answer", ["created_at"])


def downgrade() -> None:
    for table in ("idempotent_answer", "stream_lease", "membership", "plan"):
        op.drop_table(table)
