"""The audio of a film is published in parts; a flag says that it has all of them."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    column = sa.Column("is_complete", sa.Boolean, nullable=False, server_default=sa.text("false"))
    op.add_column("media_rendition", column)
    op.execute(
        """
        update public.media_rendition as rendition set is_complete = true
        where kind = 'audio' and exists (
            select from public.media_part as part where part.rendition_id = rendition.id)
        """
    )


def downgrade() -> None:
    op.drop_column("media_rendition", "is_complete")
