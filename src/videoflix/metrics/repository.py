"""Queries of the metrics, at a bounded cost whatever the backlog."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.queue.load import QueueLoad, queue_loads
from videoflix.settings import settings

WORKERS = text("""
select count(*) from procrastinate_workers
where last_heartbeat > now() - make_interval(secs => :stall)
""")
# Recent events are selected by ID, as there is no index on time.
SPEED = text("""
select sum(chunk.frame_count * (asset.plan ->> 'frame_rate_den')::float8
           / (asset.plan ->> 'frame_rate_num')::float8)
       / nullif(sum(extract(epoch from ended.at - began.at)::float8), 0)
from (
    select job_id, at from procrastinate_events
    where id > (select max(id) from procrastinate_events) - 10000
      and type = 'succeeded' and at > now() - interval '15 minutes'
) as ended
join procrastinate_jobs as job
    on job.id = ended.job_id and job.task_name = 'media.encode_chunk'
join lateral (
    select max(at) as at from procrastinate_events
    where job_id = job.id and type = 'started'
) as began on true
join media_asset as asset on asset.id = (job.args ->> 'asset_id')::bigint
join media_chunk as chunk on chunk.asset_id = asset.id and chunk.index = (job.args ->> 'index')::int
""")

STALLED = text("""
select coalesce(stalled_code, ''), count(*) from media_asset
where state in ('uploaded', 'encoding', 'stalled') and state = 'stalled' group by 1
""")
REQUEUED = text("""
select count(*) from job_incident
where kind = 'requeued' and created_at > now() - interval '1 day'
""")


class LoadRepository:
    """Load of the queues and encoding speed."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def queues(self) -> list[QueueLoad]:
        return await queue_loads(self.session, settings.worker_stall_seconds)

    async def workers(self) -> int:
        """Return the number of workers with a recent heartbeat."""
        values = {"stall": settings.worker_stall_seconds}
        count: int = (await self.session.execute(WORKERS, values)).scalar_one()
        return count

    async def stalled_files(self) -> dict[str, int]:
        """Return the number of stalled files by fault code."""
        found = await self.session.execute(STALLED)
        return {row[0]: row[1] for row in found}

    async def requeued_jobs(self) -> int:
        """Return the number of jobs that the reconciler requeued within a day."""
        count: int = (await self.session.execute(REQUEUED)).scalar_one()
        return count

    async def transcode_speed(self) -> float | None:
        speed: float | None = await self.session.scalar(SPEED)
        return speed
