"""Webhooks: endpoints, events and their deliveries."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0045"
down_revision = "0044"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.BigInteger, nullable=False),
        sa.Column("url", sa.String(2000), nullable=True),
        sa.Column("description", sa.String(200), nullable=False),
        sa.Column("events", ARRAY(sa.String(50)), nullable=False),
        sa.Column("is_enabled", sa.Boolean, nullable=False),
        sa.Column("disabled_reason", sa.String(300), nullable=True),
        sa.Column("secret", sa.String, nullable=False),
        sa.Column("previous_secret", sa.String, nullable=True),
        sa.Column("previous_until", TIME, nullable=True),
        sa.Column("failing_since", TIME, nullable=True),
        sa.Column("listens_until", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_endpoint"),
    )
    op.create_table(
        "webhook_event",
        sa.Column("id", sa.BigInteger, nullable=False),
        sa.Column("public_id", sa.String(40), nullable=False),
        sa.Column("type", sa.String(50), nullable=False),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("data", JSONB, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_event"),
        sa.UniqueConstraint("public_id", name="uq_webhook_event_public_id"),
    )
    op.create_index("ix_webhook_event_created_at", "webhook_event", ["created_at"])
    _create_deliveries()


def _create_deliveries() -> None:
    states = "state IN ('pending', 'delivered', 'failed')"
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.BigInteger, nullable=False),
        sa.Column("endpoint_id", sa.BigInteger, nullable=False),
        sa.Column("event_id", sa.BigInteger, nullable=False),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("is_replay", sa.Boolean, nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("attempted_at", TIME, nullable=True),
        sa.Column("duration_ms", sa.Integer, nullable=True),
        sa.Column("response_status", sa.SmallInteger, nullable=True),
        sa.Column("response_excerpt", sa.String(1000), nullable=True),
        sa.Column("error", sa.String(200), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint(states, name="ck_webhook_delivery_deliverystate"),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_delivery"),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoint.id"],
            name="fk_webhook_delivery_endpoint_id_webhook_endpoint",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["webhook_event.id"],
            name="fk_webhook_delivery_event_id_webhook_event",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_webhook_delivery_event_id", "webhook_delivery", ["event_id"])
    op.create_index("ix_webhook_delivery_endpoint_id", "webhook_delivery", ["endpoint_id", "id"])
    op.create_index(
        "ix_webhook_delivery_pending",
        "webhook_delivery",
        ["endpoint_id", "subject", "id"],
        postgresql_where=sa.text("state = 'pending'"),
    )


def downgrade() -> None:
    for table in ("webhook_delivery", "webhook_event", "webhook_endpoint"):
        op.drop_table(table)
