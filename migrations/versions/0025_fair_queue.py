"""Fetch jobs at a cost that does not depend on how many wait, in turn by kind."""

from alembic import op

from videoflix.platform.postgres.session import run_script

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

# Jobs that could run now are those without `scheduled_at`: fetching clears it once it has passed.
FETCH = """
create index videoflix_jobs_ready on procrastinate_jobs
    (queue_name, task_name, priority desc, id) where status = 'todo' and scheduled_at is null;
create index videoflix_jobs_oldest on procrastinate_jobs
    (queue_name, id) where status = 'todo' and scheduled_at is null;
create index videoflix_jobs_scheduled on procrastinate_jobs
    (queue_name, scheduled_at) where status = 'todo' and scheduled_at is not null;
create index videoflix_jobs_lock on procrastinate_jobs
    (lock, priority desc, id)
    where status = 'todo' and scheduled_at is null and lock is not null;
create index videoflix_jobs_asset on procrastinate_jobs
    ((args ->> 'asset_id')) where status in ('todo', 'doing');
create index videoflix_jobs_doing on procrastinate_jobs (queue_name, id) where status = 'doing';
create index videoflix_jobs_failed on procrastinate_jobs (queue_name, id) where status = 'failed';
create index videoflix_events_ended on procrastinate_events (at)
    where type in ('succeeded', 'failed');

-- Takes the next job of a queue for a worker: the highest priority first; of equal ones, a kind
-- that is not among `recent_kinds` or stands early in it; then the one that was queued first.
-- No kind of `full_kinds`. With `aged_seconds`, the job that was queued first if it has waited
-- so long. The settings keep a plan that was made for an empty table from being a bad one later.
create function videoflix_fetch_job(
    target_queue text, for_worker bigint, recent_kinds text[], full_kinds text[],
    aged_seconds double precision
) returns setof procrastinate_jobs language plpgsql
set enable_seqscan = off set enable_bitmapscan = off as $$
declare
    chosen bigint;
    head record;
begin
    update procrastinate_jobs set scheduled_at = null where id in (
        select id from procrastinate_jobs
        where queue_name = target_queue and status = 'todo' and scheduled_at <= now()
        order by scheduled_at limit 100 for update skip locked);

    if aged_seconds is not null then
        select job.id into chosen from procrastinate_jobs as job
        where job.id = (select id from procrastinate_jobs
                        where queue_name = target_queue and status = 'todo'
                          and scheduled_at is null order by id limit 1)
          and job.status = 'todo' and job.scheduled_at is null
          and job.task_name <> all (full_kinds) and job.lock is null
          and (select max(at) from procrastinate_events where job_id = job.id)
              < now() - make_interval(secs => aged_seconds)
        for update skip locked;
    end if;

    if chosen is null then
        for head in
            with recursive kind as (
                (select task_name from procrastinate_jobs
                 where queue_name = target_queue and status = 'todo' and scheduled_at is null
                 order by task_name limit 1)
                union all
                select (select later.task_name from procrastinate_jobs as later
                        where queue_name = target_queue and status = 'todo'
                          and scheduled_at is null and later.task_name > kind.task_name
                        order by later.task_name limit 1)
                from kind where kind.task_name is not null)
            select kind.task_name from kind cross join lateral (
                select priority, id from procrastinate_jobs as job
                where queue_name = target_queue and status = 'todo' and scheduled_at is null
                  and job.task_name = kind.task_name
                order by priority desc, id limit 1) as first
            where kind.task_name <> all (full_kinds)
            order by first.priority desc,
                     array_position(recent_kinds, kind.task_name::text) nulls first, first.id
        loop
            select job.id into chosen from procrastinate_jobs as job
            where job.queue_name = target_queue and job.task_name = head.task_name
              and job.status = 'todo' and job.scheduled_at is null
              and (job.lock is null or (
                  not exists (select from procrastinate_jobs as holder
                              where holder.lock = job.lock and holder.status = 'doing')
                  and job.id = (select id from procrastinate_jobs as next
                                where next.lock = job.lock and next.status = 'todo'
                                  and next.scheduled_at is null and next.lock is not null
                                order by next.priority desc, next.id limit 1)))
            order by job.priority desc, job.id limit 1 for update skip locked;
            exit when chosen is not null;
        end loop;
    end if;

    return query update procrastinate_jobs set status = 'doing', worker_id = for_worker
                 where id = chosen returning *;
end $$;
"""
FORMER = """
drop function videoflix_fetch_job(text, bigint, text[], text[], double precision);
drop index videoflix_jobs_ready, videoflix_jobs_oldest, videoflix_jobs_scheduled,
    videoflix_jobs_lock, videoflix_jobs_asset, videoflix_jobs_doing, videoflix_jobs_failed,
    videoflix_events_ended;
"""


def upgrade() -> None:
    run_script(op.get_bind(), FETCH)


def downgrade() -> None:
    run_script(op.get_bind(), FORMER)
