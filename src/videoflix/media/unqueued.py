"""SQL that compares unfinished files with the queue: which work is queued, and which is lacking.

All of it is set-based, and reads unfinished files and live jobs only: with 100,000 complete films
it costs as much as with none.
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# Files of which some work is neither queued nor running, or which nothing is left to do for.
LACKING = text("""
with unfinished as materialized (
    select id, plan is not null as planned, coalesce((plan ->> 'has_audio')::bool, false) as sound
    from media_asset where state in ('uploaded', 'encoding', 'stalled')
), queued as materialized (
    select task_name, (args ->> 'asset_id')::bigint as asset_id, (args ->> 'index')::int as number
    from procrastinate_jobs
    where status in ('todo', 'doing')
      and task_name in ('media.inspect', 'media.encode_chunk', 'media.encode_audio')
), lacking as (
    select id from unfinished
    where not planned and not exists (
        select from queued where asset_id = unfinished.id and task_name = 'media.inspect')
    union
    select chunk.asset_id from media_chunk as chunk
    join unfinished on unfinished.id = chunk.asset_id
    left join queued on queued.asset_id = chunk.asset_id and queued.number = chunk.index
        and queued.task_name = 'media.encode_chunk'
    where not chunk.done and queued.asset_id is null
    union
    select id from unfinished
    where planned and sound
      and not exists (
          select from queued where asset_id = unfinished.id and task_name = 'media.encode_audio')
      and not exists (
          select from media_rendition as rendition
          join media_part as part on part.rendition_id = rendition.id
          where rendition.kind = 'audio' and rendition.asset_id = unfinished.id)
    union
    select id from unfinished
    where planned and not exists (select from queued where asset_id = unfinished.id)
)
select id from lacking order by id limit cast(:limit as bigint)
""")
QUEUED = text("""
select task_name, (args ->> 'index')::int from procrastinate_jobs
where status in ('todo', 'doing') and task_name like 'media.%'
  and args ->> 'asset_id' = cast(cast(:asset_id as bigint) as text)
""")
# Films that are processing, although they have files and none of these is unfinished.
STUCK = text("""
select id from video where state = 'processing'
  and exists (select from media_asset where video_id = video.id)
  and not exists (select from media_asset where video_id = video.id
                  and state in ('uploaded', 'encoding', 'stalled'))
order by id limit :limit
""")
FAILED = text("""
select asset.video_id from media_asset as asset join video on video.id = asset.video_id
where asset.state = 'failed' and asset.source_removed_at is null and video.deleted_at is null
  and not exists (select from media_asset as newer
                  where newer.video_id = asset.video_id and newer.id > asset.id)
order by asset.video_id
""")
EXPIRED = text("""
select id from media_asset
where source_expires_at < now() and source_removed_at is null and state = 'failed'
  and (cast(:asset_id as bigint) is null or id = :asset_id)
order by id limit :limit
""")
# Complete films whose poster is missing, or was of a file that is gone; dead letters are left
# to operators.
WITHOUT_POSTER = text("""
select asset.id from media_asset as asset join video on video.id = asset.video_id
where asset.state = 'ready'
  and (video.poster is null or not starts_with(video.poster, asset.folder || '/'))
  and not exists (
      select from procrastinate_jobs as job
      where job.task_name = 'media.make_poster' and job.status in ('todo', 'doing', 'failed')
        and job.args @> jsonb_build_object('asset_id', asset.id))
order by asset.id limit :limit
""")
NOTE_REQUEUED = text("""
insert into job_incident
    (kind, job_id, queue_name, task_name, attempt, reason, created_at, updated_at)
select 'requeued', id, queue_name, task_name, 0, 'the job that did this work was gone', now(), now()
from procrastinate_jobs where id = any(:ids)
""")
KEEP_FOLDERS = text("""
delete from procrastinate_jobs
where status = 'todo' and task_name = 'media.delete_folder'
  and args ->> 'folder' in (select folder from media_asset)
""")

# Files that wait while no worker encodes, and some living one says that it cannot.
WITHOUT_WORKER = text("""
select id from media_asset
where state in ('uploaded', 'encoding')
  and exists (
      select from worker_breaker as breaker
      join procrastinate_workers as worker on worker.id = breaker.worker_id
      where breaker.queue_name = 'transcode'
        and worker.last_heartbeat > now() - interval '1 minute')
  and not exists (
      select from procrastinate_jobs where queue_name = 'transcode' and status = 'doing')
order by id limit :limit
""")


class UnqueuedWork:
    """What of the files' work is in the queue, and what is not."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def lacking(self, limit: int | None) -> list[int]:
        """Unfinished files of which some work is neither queued nor running."""
        return list(await self.session.scalars(LACKING, {"limit": limit}))

    async def queued(self, asset_id: int) -> set[tuple[str, int | None]]:
        """Names of the jobs that are queued or running for a file, and their chunks' numbers."""
        rows = await self.session.execute(QUEUED, {"asset_id": asset_id})
        return {(name, number) for name, number in rows}

    async def without_worker(self, limit: int) -> list[int]:
        """Files that wait because no worker encodes now, and some worker says it cannot."""
        return list(await self.session.scalars(WITHOUT_WORKER, {"limit": limit}))

    async def stuck(self, limit: int) -> list[int]:
        """Films that are processing although none of their files is."""
        return list(await self.session.scalars(STUCK, {"limit": limit}))

    async def failed(self) -> list[int]:
        """Films whose newest file failed and is kept."""
        return list(await self.session.scalars(FAILED))

    async def expired(self, limit: int) -> list[int]:
        """Rejected files whose time is over."""
        values = {"limit": limit, "asset_id": None}
        return list(await self.session.scalars(EXPIRED, values))

    async def is_expired(self, asset_id: int) -> bool:
        values = {"limit": 1, "asset_id": asset_id}
        return await self.session.scalar(EXPIRED, values) is not None

    async def without_poster(self, limit: int) -> list[int]:
        """Complete files whose film has no poster of theirs."""
        return list(await self.session.scalars(WITHOUT_POSTER, {"limit": limit}))

    async def note_requeued(self, job_ids: Sequence[int]) -> None:
        """Count jobs that had to be queued again."""
        await self.session.execute(NOTE_REQUEUED, {"ids": list(job_ids)})

    async def forget_deletions(self) -> None:
        """Drop the waiting jobs that would delete a folder some file needs."""
        await self.session.execute(KEEP_FOLDERS)
