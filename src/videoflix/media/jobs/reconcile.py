"""Proves each minute that no film waits for work that nobody will do."""

import logging

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.media.schemas import Reconcile
from videoflix.media.service import Failures
from videoflix.platform.db import transaction
from videoflix.platform.queue import TransientError, each_apart, every, handles

AT_ONCE = 500
PLAN_UNREADABLE = "This release cannot read what was planned for the file; upload it again."

NO_WORKER = TransientError(
    "no-worker", "No worker can encode films right now; the job monitor says why."
)

logger = logging.getLogger(__name__)

every("* * * * *", Reconcile())


@handles(Reconcile)
async def reconcile(job: Reconcile) -> None:
    """Queue the work that unfinished films lack, and settle films that only seem unfinished.

    A job may be missing because it was cancelled or deleted in the database, because the process
    that should have told of its end died, or because of a bug.
    """
    async with transaction() as session:
        work = Failures(session).work
        lacking, stuck = await work.lacking(AT_ONCE), await work.stuck(AT_ONCE)
        waiting = await work.without_worker(AT_ONCE)
    await each_apart(waiting, _stall)
    found = await each_apart(lacking, _requeue)
    settled = await each_apart(stuck, _settle)
    if found or settled:
        logger.warning("%d films lacked work, and %d seemed unfinished", found, settled)


async def _requeue(session: AsyncSession, asset_id: int) -> bool:
    failures = Failures(session)
    try:
        count = await failures.requeue(asset_id)
    except msgspec.ValidationError:
        logger.exception("the plan of asset %d cannot be read", asset_id)
        await failures.fail(asset_id, "plan-unreadable", PLAN_UNREADABLE)
        return False
    if count:
        logger.warning("asset %d lacked %d jobs: queued again", asset_id, count)
    return count > 0


async def _stall(session: AsyncSession, asset_id: int) -> bool:
    await Failures(session).stall(asset_id, NO_WORKER)
    return True


async def _settle(session: AsyncSession, video_id: int) -> bool:
    return await Failures(session).settle(video_id)
