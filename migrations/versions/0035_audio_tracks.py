"""Audio tracks are renditions of their own, in stereo and where the source has it in 5.1."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    no, empty = sa.text("false"), sa.text("''")
    for column in (
        sa.Column("track", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("language", sa.String(35), nullable=False, server_default=empty),
        sa.Column("label", sa.String(100), nullable=False, server_default=empty),
        sa.Column("is_described", sa.Boolean, nullable=False, server_default=no),
        sa.Column("channels", sa.Integer, nullable=False, server_default=sa.text("2")),
        sa.Column("source_index", sa.Integer, nullable=False, server_default=sa.text("0")),
    ):
        op.add_column("media_rendition", column)


def downgrade() -> None:
    op.execute("delete from public.media_rendition where kind = 'audio' and track > 0")
    for name in ("source_index", "channels", "is_described", "language", "label", "track"):
        op.drop_column("media_rendition", name)
