"""Which storage belongs to this database, and the SHA-256 of what was stored."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "installation",
        sa.Column("singleton", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("storage_id", sa.Uuid(), nullable=False),
        sa.Column("storage_claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("singleton", name=op.f("pk_installation")),
        sa.CheckConstraint("singleton", name=op.f("ck_installation_singleton")),
    )
    op.execute("insert into installation (storage_id) values (gen_random_uuid())")
    op.add_column("media_asset", sa.Column("source_fault", sa.String(16), nullable=True))
    op.add_column("media_part", sa.Column("sha256", sa.String(64), nullable=True))
    op.add_column("media_rendition", sa.Column("file_sha256", sa.String(64), nullable=True))
    op.add_column("media_asset", sa.Column("sprite_sha256", sa.String(64), nullable=True))


def downgrade() -> None:
    op.drop_column("media_asset", "sprite_sha256")
    op.drop_column("media_rendition", "file_sha256")
    op.drop_column("media_part", "sha256")
    op.drop_column("media_asset", "source_fault")
    op.drop_table("installation")
