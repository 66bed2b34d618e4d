"""Resumable uploads: their offsets, and the objects that hold their bytes in a bucket."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "upload",
        sa.Column("id", sa.BigInteger, nullable=False),
        sa.Column("public_id", sa.String(32), nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("length", sa.BigInteger, nullable=True),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("raw_metadata", sa.String, nullable=False),
        sa.Column("draft", JSONB, nullable=True),
        sa.Column("target_id", sa.BigInteger, nullable=True),
        sa.Column("video_id", sa.BigInteger, nullable=True),
        sa.Column("file_name", sa.String(255), nullable=False),
        sa.Column("writer", sa.String(32), nullable=True),
        sa.Column("active_at", time, nullable=False, server_default=sa.text("now()")),
        sa.Column("final_id", sa.BigInteger, nullable=True),
        sa.Column("position", sa.SmallInteger, nullable=False),
        sa.Column("expires_at", time, nullable=False),
        sa.Column("completed_at", time, nullable=True),
        sa.Column("finished_at", time, nullable=True),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_upload"),
        sa.UniqueConstraint("public_id", name="uq_upload_public_id"),
        sa.CheckConstraint("kind in ('single', 'partial', 'final')", name="ck_upload_uploadkind"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user_account.id"],
            name="fk_upload_user_id_user_account",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["final_id"], ["upload.id"], name="fk_upload_final_id_upload", ondelete="SET NULL"
        ),
    )
    op.create_index("ix_upload_user_id", "upload", ["user_id"])
    op.create_index("ix_upload_final_id", "upload", ["final_id"])
    op.create_index("ix_upload_expires_at", "upload", ["expires_at"])
    op.create_table(
        "upload_part",
        sa.Column("id", sa.BigInteger, nullable=False),
        sa.Column("upload_id", sa.BigInteger, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("key", sa.String(100), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_upload_part"),
        sa.UniqueConstraint("upload_id", "start", name="uq_upload_part_upload_id"),
        sa.ForeignKeyConstraint(
            ["upload_id"],
            ["upload.id"],
            name="fk_upload_part_upload_id_upload",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    op.drop_table("upload_part")
    op.drop_table("upload")
