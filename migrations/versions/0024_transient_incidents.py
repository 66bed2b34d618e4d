"""Incidents of jobs that the machine was at fault for: one a job, counted."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

KINDS = ("rescued", "fenced", "dead", "unknown", "superseded")


def _allow(*kinds: str) -> None:
    name = op.f("ck_job_incident_incidentkind")
    op.drop_constraint(name, "job_incident")
    words = ", ".join(f"'{kind}'" for kind in kinds)
    op.create_check_constraint(name, "job_incident", f"kind in ({words})")


def upgrade() -> None:
    _allow(*KINDS, "transient")
    op.create_index(
        "uq_job_incident_transient",
        "job_incident",
        ["job_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'transient'"),
    )


def downgrade() -> None:
    op.drop_index("uq_job_incident_transient", table_name="job_incident")
    op.execute("delete from job_incident where kind = 'transient'")
    _allow(*KINDS)
