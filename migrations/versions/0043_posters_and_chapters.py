"""Posters in several sizes, their candidates, and chapters."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0043"
down_revision = "0042"


def upgrade() -> None:
    widths = postgresql.ARRAY(sa.SmallInteger)
    op.add_column(
        "video",
        sa.Column("poster_widths", widths, nullable=False, server_default=sa.text("'{}'")),
    )
    op.add_column(
        "video",
        sa.Column("has_own_chapters", sa.Boolean, nullable=False, server_default=sa.text("false")),
    )
    op.add_column("video", sa.Column("preview", sa.String, nullable=True))
    op.create_index(
        "ix_video_own_poster",
        "video",
        ["poster"],
        postgresql_where=sa.text("poster like 'posters/%'"),
    )
    op.add_column("media_asset", sa.Column("stills", postgresql.JSONB, nullable=True))
    time = sa.DateTime(timezone=True)
    op.create_table(
        "chapter",
        sa.Column("id", sa.BigInteger, nullable=False),
        sa.Column("video_id", sa.BigInteger, nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("start", sa.Float, nullable=False),
        sa.Column("end", sa.Float, nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chapter"),
        sa.ForeignKeyConstraint(
            ["video_id"], ["video.id"], name="fk_chapter_video_id_video", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("video_id", "start", name="uq_chapter_video_id"),
    )


def downgrade() -> None:
    op.drop_table("chapter")
    op.drop_column("media_asset", "stills")
    op.drop_index("ix_video_own_poster", "video")
    op.drop_column("video", "preview")
    op.drop_column("video", "has_own_chapters")
    op.drop_column("video", "poster_widths")
