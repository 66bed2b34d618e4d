"""Media: uploaded files, chunks, renditions and their parts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "media_asset",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("video_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "uploaded",
                "encoding",
                "ready",
                "failed",
                name="assetstate",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("folder", sa.String(length=100), nullable=False),
        sa.Column("source_key", sa.String(), nullable=False),
        sa.Column("source_name", sa.String(length=255), nullable=False),
        sa.Column("source_bytes", sa.BigInteger(), nullable=False),
        sa.Column("source_sha256", sa.String(length=64), nullable=False),
        sa.Column("plan", postgresql.JSONB(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["video_id"], ["video.id"], name="fk_media_asset_video_id_video", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_media_asset"),
        sa.UniqueConstraint("folder", name="uq_media_asset_folder"),
    )
    op.create_index("ix_media_asset_video_id", "media_asset", ["video_id"], unique=False)
    op.create_table(
        "media_chunk",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("asset_id", sa.BigInteger(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("frame_count", sa.Integer(), nullable=False),
        sa.Column("encoded_frames", sa.Integer(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"],
            ["media_asset.id"],
            name="fk_media_chunk_asset_id_media_asset",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_media_chunk"),
        sa.UniqueConstraint("asset_id", "index", name="uq_media_chunk_asset_id"),
    )
    op.create_table(
        "media_rendition",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("asset_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "video",
                "audio",
                name="trackkind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("max_bitrate", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["asset_id"],
            ["media_asset.id"],
            name="fk_media_rendition_asset_id_media_asset",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_media_rendition"),
        sa.UniqueConstraint("asset_id", "name", name="uq_media_rendition_asset_id"),
    )
    op.create_table(
        "media_part",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("rendition_id", sa.BigInteger(), nullable=False),
        sa.Column("chunk_index", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("codec", sa.String(length=32), nullable=False),
        sa.Column("timescale", sa.Integer(), nullable=False),
        sa.Column("init_length", sa.Integer(), nullable=False),
        sa.Column("init_sha256", sa.String(length=64), nullable=False),
        sa.Column("segments", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["rendition_id"],
            ["media_rendition.id"],
            name="fk_media_part_rendition_id_media_rendition",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_media_part"),
        sa.UniqueConstraint("rendition_id", "chunk_index", name="uq_media_part_rendition_id"),
    )


def downgrade() -> None:
    op.drop_table("media_part")
    op.drop_table("media_rendition")
    op.drop_table("media_chunk")
    op.drop_table("media_asset")
