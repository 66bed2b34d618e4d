"""Files of renditions know when they begin, their length, and the sizes of their key frames."""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"


def upgrade() -> None:
    op.add_column("media_part", sa.Column("start_ticks", sa.BigInteger, nullable=True))
    op.add_column("media_part", sa.Column("file_bytes", sa.BigInteger, nullable=True))
    op.add_column("media_part", sa.Column("key_frames", sa.LargeBinary, nullable=True))


def downgrade() -> None:
    op.drop_column("media_part", "key_frames")
    op.drop_column("media_part", "file_bytes")
    op.drop_column("media_part", "start_ticks")
