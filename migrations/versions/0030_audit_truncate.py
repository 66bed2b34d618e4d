"""The audit cannot be emptied: TRUNCATE fires no trigger for rows.

Only `videoflix import --replace` empties it, which puts the audit of the archive in its place and
says so in it.
"""

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

TRIGGER = """
create trigger security_event_no_truncate before truncate on security_event
for each statement execute function security_event_guard()
"""


def upgrade() -> None:
    op.execute(TRIGGER)
    op.execute("revoke update, truncate on security_event from public")


def downgrade() -> None:
    op.execute("drop trigger security_event_no_truncate on security_event")
