"""SQL that compares unfinished assets with the queue, to find missing jobs.

It is set-based and reads unfinished assets and live jobs only, so its cost does not depend on the
number of complete videos.
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.queue import Job
from videoflix.settings import settings

# Assets with a missing job, or for which nothing is left to do.
LACKING = text("""
with unfinished as materialized (
    select id, plan is not null as planned, coalesce((plan ->> 'has_audio')::bool, false) as sound
    from media_asset where state in ('uploaded', 'encoding', 'stalled')
), queued as materialized (
    select task_name, (args ->> 'asset_id')::bigint as asset_id,
           coalesce(args ->> 'index', args ->> 'track', '0')::int as number
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
      and exists (
          select from media_rendition as rendition
          where rendition.kind = 'audio' and rendition.asset_id = unfinished.id
            and not rendition.is_complete and not exists (
                select from queued where asset_id = unfinished.id
                  and task_name = 'media.encode_audio' and number = rendition.track))
    union
    select id from unfinished
    where planned and not exists (select from queued where asset_id = unfinished.id)
)
select id from lacking order by id limit cast(:limit as bigint)
""")
QUEUED = text("""
select task_name, coalesce(args ->> 'index', args ->> 'track', '0')::int from procrastinate_jobs
where status in ('todo', 'doing') and task_name like 'media.%'
  and args ->> 'asset_id' = cast(cast(:asset_id as bigint) as text)
""")
# Videos that are processing, although they have assets and none of these is unfinished.
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
# Complete assets without an automatic poster, unless an earlier release made it; dead letters are
# left to operators.
WITHOUT_POSTER = text("""
select asset.id from media_asset as asset join video on video.id = asset.video_id
where asset.state = 'ready' and asset.stills is null
  and (video.poster is null or not starts_with(video.poster, asset.folder || '/'))
  and not exists (
      select from procrastinate_jobs as job
      where job.task_name = 'media.make_poster' and job.status in ('todo', 'doing', 'failed')
        and job.args @> jsonb_build_object('asset_id', asset.id))
order by asset.id limit :limit
""")
# Posters of earlier releases, which have one size.
WITHOUT_SIZES = text("""
select id from video
where poster is not null and poster_widths = '{}' and state = 'ready' and deleted_at is null
  and not exists (
      select from procrastinate_jobs as job
      where job.task_name = 'media.scale_poster' and job.status in ('todo', 'doing', 'failed')
        and job.args @> jsonb_build_object('video_id', video.id))
order by id limit :limit
""")
# Complete assets without an MP4 file or storyboard; dead letters are left to operators.
UNPACKAGED = text("""
select asset.id from media_asset as asset
where asset.state = 'ready' and (
    asset.sprite_key is null and not exists (
        select from procrastinate_jobs as job
        where job.task_name = 'media.make_storyboard' and job.status in ('todo', 'doing', 'failed')
          and job.args ->> 'asset_id' = asset.id::text)
    or exists (
        select from media_rendition as rendition
        where rendition.asset_id = asset.id and rendition.kind = 'video'
          and rendition.file_key is null and not exists (
              select from procrastinate_jobs as job
              where job.task_name = 'media.package' and job.status in ('todo', 'doing', 'failed')
                and job.args ->> 'asset_id' = asset.id::text
                and job.args ->> 'rendition' = rendition.name)))
order by asset.id desc limit :limit
""")
DEAD = text("""
select queueing_lock from procrastinate_jobs
where status = 'failed' and queueing_lock = any(:marks) and args ->> 'asset_id' = :asset_id
""")
# Whether a running job has had transient errors for too long.
WAITED_TOO_LONG = text("""
select exists (
    select from procrastinate_jobs as job join job_incident as incident on incident.job_id = job.id
    where job.status = 'doing' and job.queueing_lock = :mark and incident.kind = 'transient'
      and incident.created_at < now() - make_interval(hours => :hours))
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

# A live worker fetches transcoding jobs, or one is running.
SERVED = """(
    exists (
        select from worker_breaker as breaker
        join procrastinate_workers as worker on worker.id = breaker.worker_id
        where breaker.queue_name = 'transcode' and breaker.reason = ''
          and worker.last_heartbeat > now() - make_interval(secs => :stall))
    or exists (select from procrastinate_jobs where queue_name = 'transcode' and status = 'doing')
)"""
WITHOUT_WORKER = text(f"""
select id from media_asset where state in ('uploaded', 'encoding') and not {SERVED}
order by id limit :limit
""")  # noqa: S608 - constants
# Assets stalled because of a missing worker, while there is one again.
WITH_WORKER_AGAIN = text(f"""
select id from media_asset
where state = 'stalled' and stalled_code = :code and {SERVED}
order by id limit :limit
""")  # noqa: S608 - constants
# Why the worker with the latest heartbeat does not fetch transcoding jobs.
WORKERS_FAULT = text("""
select breaker.reason from worker_breaker as breaker
join procrastinate_workers as worker on worker.id = breaker.worker_id
where breaker.queue_name = 'transcode' and breaker.reason <> ''
order by worker.last_heartbeat desc limit 1
""")


class UnqueuedWork:
    """Finds unfinished work without a job."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def lacking(self, limit: int | None) -> list[int]:
        """Unfinished assets with a missing job."""
        return list(await self.session.scalars(LACKING, {"limit": limit}))

    async def queued(self, asset_id: int) -> set[tuple[str, int]]:
        """The jobs that are queued or running for an asset: name, and chunk or audio track."""
        rows = await self.session.execute(QUEUED, {"asset_id": asset_id})
        return {(name, number) for name, number in rows}

    async def without_worker(self, limit: int) -> list[int]:
        """Unfinished assets while no live worker encodes."""
        values = {"limit": limit, "stall": settings.worker_stall_seconds}
        return list(await self.session.scalars(WITHOUT_WORKER, values))

    async def with_worker_again(self, code: str, limit: int) -> list[int]:
        """Assets stalled with this code while a live worker encodes again."""
        values = {"limit": limit, "stall": settings.worker_stall_seconds, "code": code}
        return list(await self.session.scalars(WITH_WORKER_AGAIN, values))

    async def workers_fault(self) -> str:
        """Why the last worker does not fetch transcoding jobs; "" if unknown."""
        return await self.session.scalar(WORKERS_FAULT) or ""

    async def stuck(self, limit: int) -> list[int]:
        """Videos that are processing although none of their assets is."""
        return list(await self.session.scalars(STUCK, {"limit": limit}))

    async def failed(self) -> list[int]:
        """Videos whose newest asset failed and can be retried."""
        return list(await self.session.scalars(FAILED))

    async def expired(self, limit: int) -> list[int]:
        """Rejected assets past `source_expires_at`."""
        values = {"limit": limit, "asset_id": None}
        return list(await self.session.scalars(EXPIRED, values))

    async def is_expired(self, asset_id: int) -> bool:
        values = {"limit": 1, "asset_id": asset_id}
        return await self.session.scalar(EXPIRED, values) is not None

    async def without_poster(self, limit: int) -> list[int]:
        """Complete assets whose video has no poster made of them."""
        return list(await self.session.scalars(WITHOUT_POSTER, {"limit": limit}))

    async def without_sizes(self, limit: int) -> list[int]:
        """Videos whose poster has one size only."""
        return list(await self.session.scalars(WITHOUT_SIZES, {"limit": limit}))

    async def unpackaged(self, limit: int) -> list[int]:
        """Complete assets without an MP4 file or storyboard, newest first.

        Dead letters are not retried as long as they are kept.
        """
        return list(await self.session.scalars(UNPACKAGED, {"limit": limit}))

    async def without_dead_letter(self, asset_id: int, jobs: Sequence[Job]) -> list[Job]:
        """Filter out an asset's jobs that have a dead letter."""
        marks = [job.unique_key for job in jobs]
        values = {"marks": marks, "asset_id": str(asset_id)}
        dead = set(await self.session.scalars(DEAD, values))
        return [job for job in jobs if job.unique_key not in dead]

    async def waited_too_long(self, job: Job) -> bool:
        """Whether a running job has had transient errors for STALL_MAX_HOURS."""
        values = {"mark": job.unique_key, "hours": settings.stall_max_hours}
        return bool(await self.session.scalar(WAITED_TOO_LONG, values))

    async def note_requeued(self, job_ids: Sequence[int]) -> None:
        """Record an incident for each job that was enqueued again."""
        await self.session.execute(NOTE_REQUEUED, {"ids": list(job_ids)})

    async def forget_deletions(self) -> None:
        """Delete queued jobs that would delete the folder of an existing asset."""
        await self.session.execute(KEEP_FOLDERS)
