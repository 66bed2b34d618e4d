"""Subtitles may be from the video's file, and in any language of BCP 47."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    no = sa.text("false")
    op.add_column(
        "subtitle", sa.Column("is_extracted", sa.Boolean, nullable=False, server_default=no)
    )
    op.alter_column("subtitle", "label", type_=sa.String(100))
    for table in ("subtitle", "subtitle_cue"):
        op.alter_column(table, "language", type_=sa.String(35))


def downgrade() -> None:
    op.execute("delete from public.subtitle where length(language) > 5")
    for table in ("subtitle_cue", "subtitle"):
        op.alter_column(table, "language", type_=sa.String(5))
    op.execute("update public.subtitle set label = left(label, 50)")
    op.alter_column("subtitle", "label", type_=sa.String(50))
    op.drop_column("subtitle", "is_extracted")
