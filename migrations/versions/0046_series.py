"""Series, seasons and episodes; markers of intro and credits."""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"

MARKERS = ("intro_start", "intro_end", "credits_start")
AUDIENCES = "audience in ('everyone', 'members', 'private')"


def record(name: str, *columns: sa.Column | sa.Constraint) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
    )


def upgrade() -> None:
    empty = sa.text("''")
    for name in MARKERS:
        op.add_column("video", sa.Column(name, sa.Double, nullable=True))
    record(
        "series",
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column(
            "title_key",
            sa.String(400, collation="C"),
            sa.Computed("videoflix_plain(title)", persisted=True),
            nullable=False,
        ),
        sa.Column("description", sa.String, nullable=False, server_default=empty),
        sa.Column("audience", sa.String(32), nullable=False, server_default=sa.text("'everyone'")),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(AUDIENCES, name="ck_series_audience"),
    )
    op.create_index("ix_series_title_key", "series", ["title_key", "id"])
    op.create_index(
        "ix_series_words",
        "series",
        ["title_key"],
        postgresql_using="gin",
        postgresql_ops={"title_key": "gin_trgm_ops"},
    )
    record(
        "season",
        sa.Column("series_id", sa.BigInteger, nullable=False),
        sa.Column("number", sa.SmallInteger, nullable=False),
        sa.Column("title", sa.String(200), nullable=False, server_default=empty),
        sa.ForeignKeyConstraint(
            ["series_id"], ["series.id"], name="fk_season_series_id_series", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("series_id", "number", name="uq_season_series_id"),
    )
    record(
        "episode",
        sa.Column("video_id", sa.BigInteger, nullable=False),
        sa.Column("series_id", sa.BigInteger, nullable=False),
        sa.Column("season", sa.SmallInteger, nullable=False),
        sa.Column("number", sa.SmallInteger, nullable=False),
        sa.ForeignKeyConstraint(
            ["video_id"], ["video.id"], name="fk_episode_video_id_video", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["series_id", "season"],
            ["season.series_id", "season.number"],
            name="fk_episode_series_id_season",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("video_id", name="uq_episode_video_id"),
        sa.UniqueConstraint(
            "series_id",
            "season",
            "number",
            name="uq_episode_series_id",
            deferrable=True,
            initially="IMMEDIATE",
        ),
    )


def downgrade() -> None:
    for table in ("episode", "season", "series"):
        op.drop_table(table)
    for name in MARKERS:
        op.drop_column("video", name)
