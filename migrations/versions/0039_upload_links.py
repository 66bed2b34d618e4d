"""Links to upload files without an account."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "upload_link",
        sa.Column("id", sa.BigInteger, nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("label", sa.String(150), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("max_bytes", sa.BigInteger, nullable=True),
        sa.Column("max_files", sa.Integer, nullable=False),
        sa.Column("used", sa.Integer, nullable=False),
        sa.Column("target_id", sa.BigInteger, nullable=True),
        sa.Column("draft", JSONB, nullable=True),
        sa.Column("expires_at", time, nullable=False),
        sa.Column("revoked_at", time, nullable=True),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_upload_link"),
        sa.UniqueConstraint("token_hash", name="uq_upload_link_token_hash"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user_account.id"],
            name="fk_upload_link_user_id_user_account",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_upload_link_user_id", "upload_link", ["user_id"])
    op.add_column("upload", sa.Column("link_id", sa.BigInteger, nullable=True))
    op.create_index("ix_upload_link_id", "upload", ["link_id"])
    op.create_foreign_key(
        "fk_upload_link_id_upload_link",
        "upload",
        "upload_link",
        ["link_id"],
        ["id"],
        ondelete="SET NULL",
    )


def downgrade() -> None:
    op.drop_column("upload", "link_id")
    op.drop_table("upload_link")
