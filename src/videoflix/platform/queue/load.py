"""Queue lengths and waiting times, at a bounded cost whatever the backlog."""

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# Upper bound of each count; a count at this limit means "at least".
MAX_COUNT = 100_000
# Number of oldest jobs whose waiting time is compared.
OLDEST_SAMPLE = 20

LOAD = text("""
with recursive queue as (
    (select queue_name as name from procrastinate_jobs order by queue_name limit 1)
    union all
    select (select queue_name from procrastinate_jobs where queue_name > queue.name
            order by queue_name limit 1)
    from queue where queue.name is not null)
select queue.name, ready.count + due.count, later.count, doing.alive, doing.stalled, failed.count,
       coalesce(extract(epoch from now() - oldest.ready_at), 0)::float8
from queue
cross join lateral (
    select count(*) from (
        select from procrastinate_jobs where queue_name = queue.name and status = 'todo'
        and scheduled_at is null limit :counted) as job) as ready
cross join lateral (
    select count(*) from (
        select from procrastinate_jobs where queue_name = queue.name and status = 'todo'
        and scheduled_at <= now() limit :counted) as job) as due
cross join lateral (
    select count(*) from (
        select from procrastinate_jobs where queue_name = queue.name and status = 'todo'
        and scheduled_at > now() limit :counted) as job) as later
cross join lateral (
    select count(*) filter (where alive) as alive, count(*) filter (where not alive) as stalled
    from (
        select coalesce(worker.last_heartbeat >= now() - make_interval(secs => :stall), false)
               as alive
        from procrastinate_jobs as job
        left join procrastinate_workers as worker on worker.id = job.worker_id
        where job.queue_name = queue.name and job.status = 'doing') as job) as doing
cross join lateral (
    select count(*) from (
        select from procrastinate_jobs where queue_name = queue.name and status = 'failed'
        limit :counted) as job) as failed
cross join lateral (
    select min(event.ready_at) as ready_at from (
        (select id from procrastinate_jobs where queue_name = queue.name and status = 'todo'
         and scheduled_at is null order by id limit :looked_at)
        union all
        (select id from procrastinate_jobs where queue_name = queue.name and status = 'todo'
         and scheduled_at <= now() order by scheduled_at limit :looked_at)) as job
    cross join lateral (
        select max(at) as ready_at from procrastinate_events
        where job_id = job.id and at <= now()) as event) as oldest
where queue.name is not null order by queue.name
""")


class QueueLoad(msgspec.Struct, frozen=True):
    """Jobs of a queue by state, and the waiting time of the oldest runnable one in seconds.

    `scheduled` jobs are delayed, `stalled` ones belong to a worker without a recent heartbeat.
    """

    queue: str
    todo: int
    scheduled: int
    doing: int
    stalled: int
    failed: int
    oldest_seconds: float


async def queue_loads(session: AsyncSession, stall_seconds: float) -> list[QueueLoad]:
    """Return the load of every queue.

    A worker without a heartbeat for `stall_seconds` counts as stalled.
    """
    values = {
        "counted": MAX_COUNT,
        "looked_at": OLDEST_SAMPLE,
        "stall": stall_seconds,
    }
    return [QueueLoad(*row) for row in await session.execute(LOAD, values)]
