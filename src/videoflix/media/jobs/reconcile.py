"""The reconciler: every minute, check that all unfinished work has a job."""

import logging
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.media.payloads import Reconcile, StallUnserved
from videoflix.media.service import Failures
from videoflix.media.service.failures import NO_WORKER
from videoflix.media.unqueued import UnqueuedWork
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import enqueue, for_each_in_transaction, handles
from videoflix.settings import settings

AT_ONCE = 500
PLAN_UNREADABLE = "This release cannot read the file's encoding plan. Upload the file again."

logger = logging.getLogger(__name__)


@handles(Reconcile)
async def reconcile(job: Reconcile) -> None:
    """Enqueue missing jobs, and correct the state of videos without unfinished files.

    A job may be missing because it was deleted in the database, because the process that should
    have recorded its outcome died, or because of a bug.
    """
    async with transaction() as session:
        work = Failures(session).work
        lacking, stuck = await work.lacking(AT_ONCE), await work.stuck(AT_ONCE)
        await _update_unserved(session, work)
        served = await work.with_worker_again(NO_WORKER, AT_ONCE)
    await for_each_in_transaction(served, _resume_served)
    found = await for_each_in_transaction(lacking, _requeue)
    settled = await for_each_in_transaction(stuck, _settle)
    if found or settled:
        logger.warning(
            "enqueued missing jobs of %d files, corrected the state of %d videos", found, settled
        )


async def _requeue(session: AsyncSession, asset_id: int) -> bool:
    failures = Failures(session)
    try:
        count = await failures.requeue(asset_id)
    except msgspec.ValidationError:
        logger.exception("could not read the plan of asset %d", asset_id)
        await failures.fail(asset_id, "plan-unreadable", PLAN_UNREADABLE)
        return False
    if count:
        logger.warning("asset %d lacked %d jobs: enqueued again", asset_id, count)
    return count > 0


@handles(StallUnserved)
async def stall_unserved(job: StallUnserved) -> None:
    """Mark files as stalled if there is still no worker after a grace period for restarts."""
    async with transaction() as session:
        unserved = await Failures(session).work.without_worker(AT_ONCE)
    await for_each_in_transaction(unserved, _stall_unserved)


async def _update_unserved(session: AsyncSession, work: UnqueuedWork) -> None:
    if await work.without_worker(1):
        later = datetime.now(UTC) + timedelta(seconds=settings.worker_stall_seconds)
        await enqueue(session, StallUnserved(), at=later)


async def _stall_unserved(session: AsyncSession, asset_id: int) -> bool:
    await Failures(session).stall_unserved(asset_id)
    return True


async def _resume_served(session: AsyncSession, asset_id: int) -> bool:
    await Failures(session).resume_served(asset_id)
    return True


async def _settle(session: AsyncSession, video_id: int) -> bool:
    return await Failures(session).settle(video_id)
