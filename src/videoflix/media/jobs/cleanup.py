"""Delete files of deleted videos, of killed attempts, and of expired rejected uploads.

Every deletion checks the database again when it runs: jobs may run twice, late, or after the
video was restored by an import.
"""

import logging

from videoflix.catalog.payloads import PurgeDeleted
from videoflix.catalog.service.editing import Editing
from videoflix.media.payloads import (
    DeleteFolder,
    DeleteSource,
    ExpireSources,
    SweepAttempts,
    SweepOrphans,
)
from videoflix.media.service import Failures, Media
from videoflix.media.service.sweeping import (
    LEFT_ALONE,
    ORPHANED_AFTER,
    remove_orphans,
    sweep_asset,
)
from videoflix.platform.late_import import late
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import for_each_in_transaction, handles
from videoflix.platform.storage.media_storage import media_storage

PURGED_AT_ONCE = 1_000
EXPIRED_AT_ONCE = 1_000

logger = logging.getLogger(__name__)


@handles(DeleteFolder)
async def delete_folder(job: DeleteFolder) -> None:
    async with transaction() as session:
        media = Media(session)
        await media.delete_retired(job.folder)
        is_needed = await media.needs_folder(job.folder)
    if is_needed:  # the video was restored by an import
        logger.warning("not deleting folder %s: a video needs it", job.folder)
        return
    await media_storage().delete_below(job.folder)


@handles(ExpireSources)
async def expire_sources(job: ExpireSources) -> None:
    async with transaction() as session:
        due = await Failures(session).work.expired(EXPIRED_AT_ONCE)
    expired = await for_each_in_transaction(due, lambda session, one: Failures(session).expire(one))
    if expired:
        logger.info("%d rejected uploads expired", expired)


@handles(DeleteSource)
async def delete_source(job: DeleteSource) -> None:
    async with transaction() as session:
        key = await Failures(session).source_to_delete(job.asset_id)
    if key is not None:
        await media_storage().delete([key])


@handles(SweepAttempts)
async def sweep_attempts(job: SweepAttempts) -> None:
    removed = await sweep_asset(job.asset_id, LEFT_ALONE)
    if removed:
        logger.info("removed %d files left by killed attempts", removed)


@handles(SweepOrphans)
async def sweep_orphans(job: SweepOrphans) -> None:
    """Keep objects younger than a day: their row may not be committed yet."""
    async with transaction() as session:
        await Media(session).delete_long_retired()
    removed = await remove_orphans()
    unfinished = await media_storage().drop_unfinished(ORPHANED_AFTER)
    abort_unfinished = late("videoflix.platform.storage.multipart_sweep:abort_unfinished")
    unfinished += await abort_unfinished(media_storage(), ORPHANED_AFTER)
    if removed or unfinished:
        logger.info("removed %d orphaned and %d unfinished files", removed, unfinished)


@handles(PurgeDeleted)
async def purge_deleted(job: PurgeDeleted) -> None:
    """Purge each video in its own transaction."""
    async with transaction() as session:
        due = await Editing(session).due_for_purge(PURGED_AT_ONCE)
    for video_id in due:
        async with transaction() as session:
            if await Editing(session).is_due_for_purge(video_id):  # not restored meanwhile
                await Media(session).remove(video_id)
    if due:
        logger.info("purged %d videos that were deleted 30 days ago", len(due))
