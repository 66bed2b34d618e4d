"""For older clients: mailed links remember that they were used, and streams need no film."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mail_token", sa.Column("spent_at", sa.DateTime(timezone=True), nullable=True))
    op.alter_column("stream_lease", "video_id", nullable=True)


def downgrade() -> None:
    op.execute("delete from stream_lease where video_id is null")
    op.alter_column("stream_lease", "video_id", nullable=False)
    op.execute("delete from mail_token where spent_at is not null")
    op.drop_column("mail_token", "spent_at")
