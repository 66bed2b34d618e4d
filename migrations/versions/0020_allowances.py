"""Requests that a process takes from a bucket at once."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("throttle", sa.Column("granted", sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("throttle", "granted")
