"""Failures of assets: rejected, failed, stalled, or without a job; and retries.

Only `expire` deletes an uploaded file, and only a rejected one.
"""

from collections.abc import Sequence
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
from videoflix.platform.postgres.session import transaction, transaction_time
from videoflix.platform.problems import Conflict
from videoflix.platform.queue import (
    Job,
    JobCancelled,
    TransientError,
    cancel_pending,
    enqueue,
    enqueue_many,
    on_failure,
    on_retry,
    run_now,
)
from videoflix.platform.queue.retry import StallLimitReached
from videoflix.settings import settings

WORK: list[type[Job]] = [Inspect, EncodeChunk, EncodeAudio, MakePoster]
# How often a file may kill its encoder on machines that pass the self-test.
SUSPECT_ATTEMPTS_MAX = 20
# Code of a stall while no live worker encodes.
NO_WORKER = "no-worker"


class NothingToRetry(Conflict):
    """There is nothing to retry: the film is complete, or has no file yet."""


class SourceRemoved(Conflict):
    """The uploaded file has been deleted. Upload it again."""


class Failures:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.media = Media(session)
        self.catalog = self.media.catalog
        self.assets = self.media.assets
        self.work = UnqueuedWork(session)

    async def reject(self, asset_id: int, code: str, reason: str) -> None:
        """Reject a file; the source is kept for REJECTED_SOURCE_DAYS, everything else is swept."""
        asset = await self._failed(asset_id, code, reason)
        if asset is not None:
            kept = timedelta(days=settings.rejected_source_days)
            asset.source_expires_at = await transaction_time(self.session) + kept
            await enqueue(self.session, SweepAttempts(asset_id=asset_id))

    async def fail(self, asset_id: int, code: str, reason: str) -> None:
        """Mark an asset as failed; everything is kept, and a retry resumes."""
        await self._failed(asset_id, code, reason)

    async def _failed(self, asset_id: int, code: str, reason: str) -> Asset | None:
        asset = await self.media.publication.locked(asset_id)
        if asset is None or not asset.is_unfinished:
            return None
        await cancel_pending(self.session, WORK, asset_id=asset_id)
        await self.media.publication.fail(asset, code, reason)
        return asset

    async def stall(self, asset_id: int, fault: TransientError) -> None:
        """Mark an asset as stalled: the machine is at fault.

        Raises StallLimitReached after STALL_MAX_HOURS, or after SUSPECT_ATTEMPTS_MAX faults that
        the file may have caused.
        """
        asset = await self.media.publication.locked(asset_id)
        if asset is None or not asset.is_unfinished:
            return
        now = await transaction_time(self.session)
        waits_for_machine = asset.stalled_at and asset.stalled_code != NO_WORKER
        since = asset.stalled_at if waits_for_machine and asset.stalled_at else now
        if now - since > timedelta(hours=settings.stall_max_hours):
            raise StallLimitReached(fault.code, f"{fault.reason} The problem has lasted too long.")
        asset.suspicions += fault.suspicious
        if asset.suspicions > SUSPECT_ATTEMPTS_MAX:
            raise StallLimitReached(
                fault.code, f"{fault.reason} This happened {SUSPECT_ATTEMPTS_MAX} times."
            )
        asset.state, asset.stalled_at = AssetState.STALLED, since
        asset.stalled_code, asset.stalled_reason = fault.code, fault.reason
        await self.catalog.stall(asset.video_id, fault.code, fault.reason)

    async def stall_unserved(self, asset_id: int) -> None:
        """Stall an asset because no worker encodes; the reason quotes a worker's self-test."""
        fault = (await self.work.workers_fault()).rstrip(".")
        reason = (
            f"No worker can encode at the moment. The last one reported: {fault}."
            if fault
            else "No encoding worker is running. Start one, or check why it stopped."
        )
        await self.stall(asset_id, TransientError(NO_WORKER, reason))

    async def resume_served(self, asset_id: int) -> None:
        """Clear the stall: a worker encodes again."""
        asset = await self.media.publication.locked(asset_id)
        if asset is not None and asset.stalled_code == NO_WORKER:
            asset.state = _resumed_state(asset)
            asset.stalled_code = asset.stalled_reason = asset.stalled_at = None
            await self.catalog.clear_failure(asset.video_id)

    async def retry(self, video_id: int) -> None:
        """Resume processing of a video's newest file.

        Raises VideoNotFound, NothingToRetry or SourceRemoved.
        """
        video = await self.catalog.locked(video_id)
        if video.deleted_at is not None:
            raise VideoNotFound
        asset = await self.assets.last_of(video_id)
        if asset is None or asset.state is AssetState.READY:
            raise NothingToRetry
        await enqueue_many(self.session, await self.resume(asset))

    async def retry_failed(self, video_id: int) -> bool:
        """Retry one of many videos; False if there is nothing to retry."""
        try:
            await self.retry(video_id)
        except (VideoNotFound, NothingToRetry, SourceRemoved):
            return False
        return True

    async def retry_job_of(self, asset_id: int) -> list[Job]:
        """List the jobs an asset needs when one of its jobs is retried. Raises SourceRemoved."""
        asset = await self.media.publication.locked(asset_id)
        if asset is None or asset.state is AssetState.READY:
            return []
        return await self.resume(asset)

    async def resume(self, asset: Asset) -> list[Job]:
        """Clear failure and stall of a locked asset; return the jobs to enqueue.

        Raises SourceRemoved.
        """
        if asset.source_removed_at is not None:
            raise SourceRemoved
        if asset.state is AssetState.FAILED:
            await self._clear_failure(asset)
        await run_now(self.session, WORK, asset_id=asset.id)
        return await self.missing_jobs(asset) if asset.is_unfinished else []

    async def _clear_failure(self, asset: Asset) -> None:
        asset.state = _resumed_state(asset)
        asset.failure_code = asset.failure_reason = asset.source_expires_at = None
        asset.suspicions = 0
        if await self.assets.ready_of(asset.video_id):
            await self.catalog.clear_failure(asset.video_id)
            return
        await self.catalog.resume(asset.video_id)
        if asset.plan is not None:
            await self.media.publication.update_progress(asset)

    async def missing_jobs(self, asset: Asset) -> list[Job]:
        """The jobs an unfinished asset needs that are neither queued nor running."""
        queued = await self.work.queued(asset.id)
        return [
            job
            for job in await self.media.work_left(asset)
            if (job.name, getattr(job, "index", getattr(job, "track", 0))) not in queued
        ]

    async def requeue(self, asset_id: int) -> int:
        """Enqueue the missing jobs of an unfinished asset; return how many."""
        asset = await self.media.publication.locked(asset_id)
        if asset is None or not asset.is_unfinished:
            return 0
        missing = await self.missing_jobs(asset)
        if missing:
            ids = await enqueue_many(self.session, missing)
            await self.work.note_requeued(ids)
        elif not await self.media.work_left(asset):
            await self.media.publication.update_progress(asset)
        return len(missing)

    async def settle(self, video_id: int) -> bool:
        """Correct the state of a video that is processing although none of its assets is."""
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
        """Expire a rejected source; False if it was retried meanwhile."""
        asset = await self.media.publication.locked(asset_id)
        if asset is None or not await self.work.is_expired(asset_id):
            return False
        asset.source_removed_at = await transaction_time(self.session)
        await enqueue(self.session, DeleteSource(asset_id=asset_id))
        return True

    async def source_to_delete(self, asset_id: int) -> str | None:
        """The storage key of an expired source; None if it was retried meanwhile."""
        asset = await self.assets.get_one_or_none(id=asset_id)
        if asset is None or asset.state is not AssetState.FAILED:
            return None
        return asset.source_key if asset.source_removed_at is not None else None

    async def requeue_after_import(self) -> None:
        """Enqueue the jobs of unfinished assets (jobs are not imported), and cancel deletions of
        imported files.
        """
        await self.work.forget_deletions()
        for asset_id in await self.work.lacking(limit=None):
            with suppress(msgspec.ValidationError):  # the reconciler marks it as failed
                await self.requeue(asset_id)


def _resumed_state(asset: Asset) -> AssetState:
    """The state of an asset whose processing resumes."""
    return AssetState.UPLOADED if asset.plan is None else AssetState.ENCODING


@on_failure(Inspect, EncodeChunk, EncodeAudio)
async def fail_asset(job: Inspect | EncodeChunk | EncodeAudio, error: Exception) -> None:
    """Mark the asset as failed; finished chunks are kept for a retry."""
    code, reason = failure_of(error)
    async with transaction() as session:
        await Failures(session).fail(job.asset_id, code, reason)


@on_retry(Inspect, EncodeChunk, EncodeAudio)
async def resume(session: AsyncSession, job: Inspect | EncodeChunk | EncodeAudio) -> Sequence[Job]:
    """Resume the whole asset when an operator retries one of its jobs."""
    return await Failures(session).retry_job_of(job.asset_id)


def failure_of(error: Exception) -> tuple[str, str]:
    """Map an error to a stable code and a sentence for editors."""
    if isinstance(error, StallLimitReached):
        return error.code, f"{error.reason} The file is kept; retry when the cause is fixed."
    if isinstance(error, JobCancelled):
        return (
            "encoding-cancelled",
            "An administrator cancelled the encoding. The file is kept; you can retry.",
        )
    return (
        "encoding-failed",
        "The film could not be encoded; see the server's log for the reason. The file is kept;"
        " you can retry.",
    )
