"""Films as plain files: an MP4 a rendition, and a storyboard."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("media_rendition", sa.Column("file_key", sa.String(), nullable=True))
    op.add_column("media_rendition", sa.Column("file_bytes", sa.BigInteger(), nullable=True))
    op.add_column("media_asset", sa.Column("sprite_key", sa.String(), nullable=True))
    op.add_column("media_asset", sa.Column("storyboard", postgresql.JSONB(), nullable=True))


def downgrade() -> None:
    op.drop_column("media_asset", "storyboard")
    op.drop_column("media_asset", "sprite_key")
    op.drop_column("media_rendition", "file_bytes")
    op.drop_column("media_rendition", "file_key")
