"""A fetch finds the oldest and the first job of a kind by index, whatever the statistics say."""

from alembic import op

revision = "0047"
down_revision = "0046"

DEFINITION = "select pg_get_functiondef('videoflix_fetch_job'::regproc)"
# Where columns are compared with `=`, they are not part of an order, and the planner may walk
# another index through all jobs. Only videoflix_jobs_oldest has the order (queue_name, id), and
# only videoflix_jobs_ready that of queue, kind, priority and id. Each former text and its new one:
OLDEST = """(select id from procrastinate_jobs
                        where queue_name = target_queue and status = 'todo'
                          and scheduled_at is null order by id limit 1)"""
OLDEST_BY_INDEX = """(select id from (
                            select queue_name, id from procrastinate_jobs
                            where (queue_name, id) > (target_queue, 0) and status = 'todo'
                              and scheduled_at is null order by queue_name, id limit 1) as oldest
                        where queue_name = target_queue)"""
FIRST = """select priority, id from procrastinate_jobs as job
                where queue_name = target_queue and status = 'todo' and scheduled_at is null
                  and job.task_name = kind.task_name
                order by priority desc, id limit 1) as first
            where kind.task_name <> all (full_kinds)"""
FIRST_BY_INDEX = """select job.queue_name, job.task_name, priority, id
                from procrastinate_jobs as job
                where (job.queue_name, job.task_name) >= (target_queue, kind.task_name)
                  and status = 'todo' and scheduled_at is null
                order by job.queue_name, job.task_name, priority desc, id limit 1) as first
            where first.queue_name = target_queue and first.task_name = kind.task_name
              and kind.task_name <> all (full_kinds)"""
CHANGES = ((OLDEST, OLDEST_BY_INDEX), (FIRST, FIRST_BY_INDEX))


def replace(former: str, current: str) -> None:
    bind = op.get_bind()
    definition = bind.exec_driver_sql(DEFINITION).scalar_one()
    if former not in definition:
        raise RuntimeError("videoflix_fetch_job is not as migration 0025 made it")
    bind.exec_driver_sql(definition.replace(former, current))


def upgrade() -> None:
    for former, current in CHANGES:
        replace(former, current)


def downgrade() -> None:
    for former, current in CHANGES:
        replace(current, former)
