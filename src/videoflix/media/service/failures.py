"""Uploaded files whose work failed, waits or is missing: three kinds of failure, and the way back.

Nothing here removes an uploaded file but `expire`, and that only one that was rejected.
"""

from contextlib import suppress
from datetime import timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.service import VideoNotFound
from videoflix.media.models import Asset, AssetState
from videoflix.media.payloads import (
    DeleteSource,
    EncodeAudio,
    EncodeChunk,
    Inspect,
    MakePoster,
    SweepAttempts,
)
from videoflix.media.service.assets import Media
from videoflix.media.unqueued import UnqueuedWork
from videoflix.platform.postgres.session import transaction_time
from videoflix.platform.problems import Conflict
from videoflix.platform.queue import (
    Job,
    TransientError,
    cancel_pending,
    enqueue,
    enqueue_many,
    run_now,
)
from videoflix.platform.queue.retry import StallLimitReached
from videoflix.settings import settings

WORK: list[type[Job]] = [Inspect, EncodeChunk, EncodeAudio, MakePoster]
# So often a file may end its encoder by a signal on machines that encode others well.
SUSPECT_ATTEMPTS_MAX = 20
# Why a file waits while no living worker encodes.
NO_WORKER = "no-worker"


class NothingToRetry(Conflict):
    """The film is complete, or has no file yet: there is nothing to retry."""


class SourceRemoved(Conflict):
    """The uploaded file is not kept any more: upload it again."""


class Failures:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.media = Media(session)
        self.catalog = self.media.catalog
        self.assets = self.media.assets
        self.work = UnqueuedWork(session)

    async def reject(self, asset_id: int, code: str, reason: str) -> None:
        """The file is bad: it is kept for REJECTED_SOURCE_DAYS, and nothing else of it."""
        asset = await self._failed(asset_id, code, reason)
        if asset is not None:
            kept = timedelta(days=settings.rejected_source_days)
            asset.source_expires_at = await transaction_time(self.session) + kept
            await enqueue(self.session, SweepAttempts(asset_id=asset_id))

    async def fail(self, asset_id: int, code: str, reason: str) -> None:
        """We are bad, or were told to stop: everything is kept, and a retry goes on from here."""
        await self._failed(asset_id, code, reason)

    async def _failed(self, asset_id: int, code: str, reason: str) -> Asset | None:
        asset = await self.media.locked(asset_id)
        if asset is None or not asset.is_unfinished:
            return None
        asset.state = AssetState.FAILED
        asset.failure_code, asset.failure_reason = code, reason
        asset.stalled_code = asset.stalled_reason = asset.stalled_at = None
        await cancel_pending(self.session, WORK, asset_id=asset_id)
        if await self.assets.ready_of(asset.video_id):
            await self.catalog.fail_replacement(asset.video_id, code, reason)
        else:
            await self.catalog.fail(asset.video_id, code, reason)
        return asset

    async def stall(self, asset_id: int, fault: TransientError) -> None:
        """The machine is bad: say why work waits. Raises StallLimitReached when it waited for too
        long.
        """
        asset = await self.media.locked(asset_id)
        if asset is None or not asset.is_unfinished:
            return
        now = await transaction_time(self.session)
        waits_for_machine = asset.stalled_at and asset.stalled_code != NO_WORKER
        since = asset.stalled_at if waits_for_machine and asset.stalled_at else now
        if now - since > timedelta(hours=settings.stall_max_hours):
            raise StallLimitReached(
                fault.code, f"{fault.reason} It did not get better for too long."
            )
        asset.suspicions += fault.suspicious
        if asset.suspicions > SUSPECT_ATTEMPTS_MAX:
            raise StallLimitReached(
                fault.code, f"{fault.reason} It happened {SUSPECT_ATTEMPTS_MAX} times."
            )
        asset.state, asset.stalled_at = AssetState.STALLED, since
        asset.stalled_code, asset.stalled_reason = fault.code, fault.reason
        await self.catalog.stall(asset.video_id, fault.code, fault.reason)

    async def stall_unserved(self, asset_id: int) -> None:
        """No worker encodes: say so, with a worker's own words if there are any."""
        fault = (await self.work.workers_fault()).rstrip(".")
        reason = (
            f"No worker can encode films right now. The last one said: {fault}."
            if fault
            else "No worker that encodes films is running. Start one, or see why it ended."
        )
        await self.stall(asset_id, TransientError(NO_WORKER, reason))

    async def resume_served(self, asset_id: int) -> None:
        """A worker encodes again: the file is one of many that wait for their turn."""
        asset = await self.media.locked(asset_id)
        if asset is not None and asset.stalled_code == NO_WORKER:
            asset.state = _begun(asset)
            asset.stalled_code = asset.stalled_reason = asset.stalled_at = None
            await self.catalog.clear_failure(asset.video_id)

    async def retry(self, video_id: int) -> None:
        """Resume the work on a film's newest file. Raises VideoNotFound and the problems above."""
        video = await self.catalog.locked(video_id)
        if video.deleted_at is not None:
            raise VideoNotFound
        asset = await self.assets.last_of(video_id)
        if asset is None or asset.state is AssetState.READY:
            raise NothingToRetry
        await enqueue_many(self.session, await self.resume(asset))

    async def retry_failed(self, video_id: int) -> bool:
        """Retry one of many: False when there is nothing to retry any more."""
        try:
            await self.retry(video_id)
        except (VideoNotFound, NothingToRetry, SourceRemoved):
            return False
        return True

    async def retry_job_of(self, asset_id: int) -> list[Job]:
        """A job of this file is retried: which others are needed. Raises SourceRemoved."""
        asset = await self.media.locked(asset_id)
        if asset is None or asset.state is AssetState.READY:
            return []
        return await self.resume(asset)

    async def resume(self, asset: Asset) -> list[Job]:
        """Take back that a locked file failed or waits; the jobs it needs and has not.

        Raises SourceRemoved.
        """
        if asset.source_removed_at is not None:
            raise SourceRemoved
        if asset.state is AssetState.FAILED:
            await self._clear_failure(asset)
        await run_now(self.session, WORK, asset_id=asset.id)
        return await self.missing_jobs(asset) if asset.is_unfinished else []

    async def _clear_failure(self, asset: Asset) -> None:
        asset.state = _begun(asset)
        asset.failure_code = asset.failure_reason = asset.source_expires_at = None
        asset.suspicions = 0
        if await self.assets.ready_of(asset.video_id):
            await self.catalog.clear_failure(asset.video_id)
            return
        await self.catalog.resume(asset.video_id)
        if asset.plan is not None:
            await self.media.update_progress(asset)

    async def missing_jobs(self, asset: Asset) -> list[Job]:
        """The work of an unfinished file that is neither queued nor running."""
        queued = await self.work.queued(asset.id)
        return [
            job
            for job in await self.media.work_left(asset)
            if (job.name, getattr(job, "index", None)) not in queued
        ]

    async def requeue(self, asset_id: int) -> int:
        """Queue what an unfinished file lacks, however that came about; how many jobs."""
        asset = await self.media.locked(asset_id)
        if asset is None or not asset.is_unfinished:
            return 0
        missing = await self.missing_jobs(asset)
        if missing:
            ids = await enqueue_many(self.session, missing)
            await self.work.note_requeued(ids)
        elif not await self.media.work_left(asset):
            await self.media.update_progress(asset)
        return len(missing)

    async def settle(self, video_id: int) -> bool:
        """A film is processing although no file of it is: let it say what its files say."""
        if await self.catalog.videos.locked(video_id) is None:
            return False
        asset = await self.assets.newest_of(video_id)
        if asset is None or asset.is_unfinished:
            return False
        if asset.state is AssetState.READY:
            await self.catalog.complete(video_id)
        else:
            code = asset.failure_code or "encoding-failed"
            await self.catalog.fail(video_id, code, asset.failure_reason or "")
        return True

    async def expire(self, asset_id: int) -> bool:
        """Let go of a rejected file whose time is over; False when it was retried meanwhile."""
        asset = await self.media.locked(asset_id)
        if asset is None or not await self.work.is_expired(asset_id):
            return False
        asset.source_removed_at = await transaction_time(self.session)
        await enqueue(self.session, DeleteSource(asset_id=asset_id))
        return True

    async def source_to_delete(self, asset_id: int) -> str | None:
        """The key of a file that has expired; None when it has not, or is needed after all."""
        asset = await self.assets.get_one_or_none(id=asset_id)
        if asset is None or asset.state is not AssetState.FAILED:
            return None
        return asset.source_key if asset.source_removed_at is not None else None

    async def requeue_after_import(self) -> None:
        """Queue what unfinished files need, as jobs are not imported; keep what came back."""
        await self.work.forget_deletions()
        for asset_id in await self.work.lacking(limit=None):
            with suppress(msgspec.ValidationError):  # the reconciler says so in the film
                await self.requeue(asset_id)


def _begun(asset: Asset) -> AssetState:
    """The state of a file that work goes on for."""
    return AssetState.UPLOADED if asset.plan is None else AssetState.ENCODING
