"""Imports from older backends: what came from where, and passwords hashed by Django."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"


def upgrade() -> None:
    op.create_table(
        "imported_record",
        sa.Column("site", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("old_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("new_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", "kind", "old_id", name="pk_imported_record"),
    )
    op.create_index(
        "ix_user_account_django_hash",
        "user_account",
        ["id"],
        postgresql_where=sa.text("starts_with(password_hash, 'django$')"),
    )


def downgrade() -> None:
    op.drop_index("ix_user_account_django_hash", "user_account")
    op.drop_table("imported_record")
