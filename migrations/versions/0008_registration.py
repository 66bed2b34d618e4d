"""Confirmed addresses, and tokens that are mailed to prove them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("user_account", sa.Column("confirmed_at", sa.DateTime(timezone=True)))
    # Until now an administrator had entered everybody.
    op.execute("update user_account set confirmed_at = created_at")
    op.create_table(
        "mail_token",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "proof",
            sa.Enum(
                "activate",
                "reset-password",
                "change-email",
                name="proof",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user_account.id"],
            name="fk_mail_token_user_id_user_account",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_mail_token"),
        sa.UniqueConstraint("token_hash", name="uq_mail_token_token_hash"),
    )
    op.create_index("ix_mail_token_user_id", "mail_token", ["user_id"])


def downgrade() -> None:
    op.drop_table("mail_token")
    op.drop_column("user_account", "confirmed_at")
