"""Mails as HTML, what became of them, and the language people read."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mail", sa.Column("html", sa.String(), nullable=False, server_default=""))
    op.alter_column("mail", "html", server_default=None)
    op.add_column("mail", sa.Column("failure", sa.String(), nullable=True))
    op.add_column(
        "user_account",
        sa.Column("language", sa.String(length=5), nullable=False, server_default="en"),
    )
    op.alter_column("user_account", "language", server_default=None)


def downgrade() -> None:
    op.drop_column("user_account", "language")
    op.drop_column("mail", "failure")
    op.drop_column("mail", "html")
