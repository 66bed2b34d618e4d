"""The queue's memory: what went wrong, which scheduled runs were dealt with, and a wake-up."""

import sqlalchemy as sa
from alembic import op

from videoflix.platform.postgres.session import run_script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# procrastinate tells workers of new jobs only. A job that waits for a lock would be picked up
# at the next poll: this tells them when the lock is free.
WAKE = """
create function videoflix_wake_for_lock() returns trigger language plpgsql as $$
declare
    next record;
    news text;
begin
    select id, queue_name into next from procrastinate_jobs
    where lock = old.lock and status = 'todo' and id <> old.id
      and (scheduled_at is null or scheduled_at <= now())
    order by priority desc, id limit 1;
    if found then
        news := json_build_object('type', 'job_inserted', 'job_id', next.id)::text;
        perform pg_notify('procrastinate_queue_v1#' || next.queue_name, news);
        perform pg_notify('procrastinate_any_queue_v1', news);
    end if;
    return null;
end $$;

create trigger videoflix_lock_freed after update of status on procrastinate_jobs
    for each row when (old.lock is not null and old.status = 'doing' and new.status <> 'doing')
    execute function videoflix_wake_for_lock();

create trigger videoflix_lock_holder_deleted after delete on procrastinate_jobs
    for each row when (old.lock is not null and old.status = 'doing')
    execute function videoflix_wake_for_lock();
"""
SLEEP = """
drop trigger videoflix_lock_freed on procrastinate_jobs;
drop trigger videoflix_lock_holder_deleted on procrastinate_jobs;
drop function videoflix_wake_for_lock();
"""


def upgrade() -> None:
    op.create_table(
        "job_incident",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "rescued",
                "fenced",
                "dead",
                "unknown",
                "superseded",
                name="incidentkind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("queue_name", sa.String(length=128), nullable=False),
        sa.Column("task_name", sa.String(length=128), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_job_incident"),
    )
    op.create_index("ix_job_incident_job_id", "job_incident", ["job_id"])
    op.create_table(
        "cron_run",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=128), nullable=False),
        sa.Column("scheduled_for", sa.DateTime(timezone=True), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cron_run"),
        sa.UniqueConstraint("kind", "scheduled_for", name="uq_cron_run_kind"),
    )
    run_script(op.get_bind(), WAKE)


def downgrade() -> None:
    run_script(op.get_bind(), SLEEP)
    op.drop_table("cron_run")
    op.drop_table("job_incident")
