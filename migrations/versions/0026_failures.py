"""Why a file failed or waits, kept with the file; sources of rejected files expire."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

INCIDENTS = ("rescued", "fenced", "dead", "unknown", "superseded", "transient")
STATES = ("uploaded", "encoding", "ready", "failed")
VIDEO_COLUMNS = ("stalled_code", "stalled_reason", "replacement_code", "replacement_reason")


def _allow(constraint: str, table: str, column: str, *values: str) -> None:
    op.drop_constraint(op.f(constraint), table)
    words = ", ".join(f"'{value}'" for value in values)
    op.create_check_constraint(op.f(constraint), table, f"{column} in ({words})")


def _allow_states(*states: str) -> None:
    _allow("ck_media_asset_assetstate", "media_asset", "state", *states)


def _allow_incidents(*kinds: str) -> None:
    _allow("ck_job_incident_incidentkind", "job_incident", "kind", *kinds)


def upgrade() -> None:
    _allow_states(*STATES, "stalled")
    _allow_incidents(*INCIDENTS, "requeued")
    moment = sa.DateTime(timezone=True)
    for column in (
        sa.Column("failure_code", sa.String(length=64), nullable=True),
        sa.Column("failure_reason", sa.String(), nullable=True),
        sa.Column("stalled_code", sa.String(length=64), nullable=True),
        sa.Column("stalled_reason", sa.String(), nullable=True),
        sa.Column("stalled_at", moment, nullable=True),
        sa.Column("suspicions", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("source_expires_at", moment, nullable=True),
        sa.Column("source_removed_at", moment, nullable=True),
    ):
        op.add_column("media_asset", column)
    # Earlier releases removed the files of what failed at once.
    op.execute("""
        update media_asset as asset
        set failure_code = coalesce(video.failure_code, 'encoding-failed'),
            failure_reason = coalesce(video.failure_reason, 'The film could not be encoded.'),
            source_removed_at = asset.updated_at
        from video where video.id = asset.video_id and asset.state = 'failed'
    """)
    op.create_index(
        "ix_media_asset_unfinished",
        "media_asset",
        ["id"],
        postgresql_where=sa.text("state in ('uploaded', 'encoding', 'stalled')"),
    )
    op.create_index(
        "ix_media_asset_source_expires_at",
        "media_asset",
        ["source_expires_at"],
        postgresql_where=sa.text("source_expires_at is not null and source_removed_at is null"),
    )
    for name in VIDEO_COLUMNS:
        kind = sa.String(length=64) if name.endswith("code") else sa.String()
        op.add_column("video", sa.Column(name, kind, nullable=True))
    op.create_index(
        "ix_video_processing", "video", ["id"], postgresql_where=sa.text("state = 'processing'")
    )


def downgrade() -> None:
    op.drop_index("ix_video_processing", table_name="video")
    for name in VIDEO_COLUMNS:
        op.drop_column("video", name)
    op.drop_index("ix_media_asset_source_expires_at", table_name="media_asset")
    op.drop_index("ix_media_asset_unfinished", table_name="media_asset")
    op.execute(
        "update media_asset set state = case when plan is null then 'uploaded' else 'encoding' end"
        " where state = 'stalled'"
    )
    for name in (
        "source_removed_at",
        "source_expires_at",
        "suspicions",
        "stalled_at",
        "stalled_reason",
        "stalled_code",
        "failure_reason",
        "failure_code",
    ):
        op.drop_column("media_asset", name)
    _allow_states(*STATES)
    op.execute("delete from job_incident where kind = 'requeued'")
    _allow_incidents(*INCIDENTS)
