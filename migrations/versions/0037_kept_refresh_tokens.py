"""Sessions of older clients keep their refresh token."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    no = sa.text("false")
    column = sa.Column("keeps_refresh_token", sa.Boolean, nullable=False, server_default=no)
    op.add_column("sign_in", column)


def downgrade() -> None:
    op.execute("update public.sign_in set ended_at = now() where keeps_refresh_token")
    op.drop_column("sign_in", "keeps_refresh_token")
