"""Removes files that nobody needs: of films that are gone, of attempts that were killed, and of
rejected uploads whose time is over.

Every deletion asks the database again when it runs: it may run twice, late, and after its film
came back from an archive.
"""

import logging

from videoflix.catalog.schemas import PurgeDeleted
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
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import for_each_in_transaction, handles, schedule
from videoflix.platform.storage.media_storage import media_storage

PURGED_AT_ONCE = 1_000
EXPIRED_AT_ONCE = 1_000

logger = logging.getLogger(__name__)


@handles(DeleteFolder)
async def delete_folder(job: DeleteFolder) -> None:
    async with transaction() as session:
        media = Media(session)
        await media.delete_retired(job.folder)
        is_needed = await media.assets.known_folders([job.folder])
    if is_needed:  # its film came back from an archive
        logger.warning("the folder %s stays: a film needs it", job.folder)
        return
    await media_storage().delete_below(job.folder)


schedule("25 * * * *", ExpireSources())


@handles(ExpireSources)
async def expire_sources(job: ExpireSources) -> None:
    async with transaction() as session:
        due = await Failures(session).work.expired(EXPIRED_AT_ONCE)
    expired = await for_each_in_transaction(due, lambda session, one: Failures(session).expire(one))
    if expired:
        logger.info("%d files of refused films are not kept any longer", expired)


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
        logger.info("removed %d files that killed attempts had left", removed)


schedule("45 4 * * *", SweepOrphans())


@handles(SweepOrphans)
async def sweep_orphans(job: SweepOrphans) -> None:
    """Whatever is younger than a day may still be on its way into a row."""
    async with transaction() as session:
        await Media(session).delete_long_retired()
    removed = await remove_orphans()
    unfinished = await media_storage().drop_unfinished(ORPHANED_AFTER)
    if removed or unfinished:
        logger.info("removed %d orphaned files and %d unfinished ones", removed, unfinished)


schedule("35 3 * * *", PurgeDeleted())


@handles(PurgeDeleted)
async def purge_deleted(job: PurgeDeleted) -> None:
    """Each film in a transaction of its own: whatever happens, nothing is left half done."""
    async with transaction() as session:
        due = await Editing(session).due_for_purge(PURGED_AT_ONCE)
    for video_id in due:
        async with transaction() as session:
            if await Editing(session).is_due_for_purge(video_id):  # nobody restored it meanwhile
                await Media(session).remove(video_id)
    if due:
        logger.info("removed %d films that were deleted a month ago", len(due))
