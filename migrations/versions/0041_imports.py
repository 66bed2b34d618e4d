"""Files that the server fetches from a URL are uploads, too."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"


def upgrade() -> None:
    op.add_column("upload", sa.Column("source_url", sa.String, nullable=True))
    op.add_column("upload", sa.Column("source_validator", sa.String(200), nullable=True))
    op.add_column("upload", sa.Column("failure", sa.String, nullable=True))


def downgrade() -> None:
    op.drop_column("upload", "failure")
    op.drop_column("upload", "source_validator")
    op.drop_column("upload", "source_url")
