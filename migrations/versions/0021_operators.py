"""The role of owners, and an index for what the job monitor asks about the last hour."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    limit_roles("'viewer', 'editor', 'admin', 'owner'")
    op.create_index("videoflix_job_event_at", "procrastinate_events", ["at"])


def downgrade() -> None:
    op.drop_index("videoflix_job_event_at", "procrastinate_events")
    op.execute("update user_account set role = 'admin' where role = 'owner'")
    limit_roles("'viewer', 'editor', 'admin'")


def limit_roles(roles: str) -> None:
    op.drop_constraint(op.f("ck_user_account_role"), "user_account")
    op.create_check_constraint(op.f("ck_user_account_role"), "user_account", f"role in ({roles})")
