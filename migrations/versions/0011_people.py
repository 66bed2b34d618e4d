"""Profiles of people, API tokens, guests, and the audit of security events."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# Append-only: what happened cannot be changed, and is forgotten only after a year.
GUARD = """
create function security_event_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and old.created_at < now() - interval '365 days' then
        return old;
    end if;
    raise exception 'security events are never changed' using errcode = 'restrict_violation';
end
$$
"""
TRIGGER = """
create trigger security_event_guard before update or delete on security_event
for each row execute function security_event_guard()
"""


def upgrade() -> None:
    op.alter_column("user_account", "name", new_column_name="first_name")
    for name, length in (("last_name", 100), ("phone", 30), ("address", 300)):
        op.add_column(
            "user_account",
            sa.Column(name, sa.String(length=length), nullable=False, server_default=""),
        )
        op.alter_column("user_account", name, server_default=None)
    op.add_column(
        "user_account",
        sa.Column("is_guest", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.alter_column("user_account", "is_guest", server_default=None)
    op.add_column("sign_in", sa.Column("token_hash", sa.String(length=64), nullable=True))
    op.add_column(
        "sign_in",
        sa.Column(
            "scope",
            sa.Enum(
                "read",
                "write",
                "admin",
                name="scope",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
    )
    op.create_unique_constraint("uq_sign_in_token_hash", "sign_in", ["token_hash"])
    op.create_table(
        "security_event",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=200), nullable=False),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_security_event"),
    )
    op.create_index("ix_security_event_user_id", "security_event", ["user_id", "id"])
    op.execute(GUARD)
    op.execute(TRIGGER)


def downgrade() -> None:
    op.drop_table("security_event")
    op.execute("drop function security_event_guard()")
    op.drop_constraint("uq_sign_in_token_hash", "sign_in")
    op.drop_column("sign_in", "scope")
    op.drop_column("sign_in", "token_hash")
    for name in ("is_guest", "address", "phone", "last_name"):
        op.drop_column("user_account", name)
    op.alter_column("user_account", "first_name", new_column_name="name")
