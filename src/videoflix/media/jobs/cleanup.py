"""Removes files that nobody needs: of films that are gone, of attempts that were killed, and of
rejected uploads whose time is over.

Every deletion asks the database again when it runs: it may run twice, late, and after its film
came back from an archive.
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import timedelta

from videoflix.catalog.schemas import PurgeDeleted
from videoflix.catalog.service.desk import Desk
from videoflix.media.schemas import (
    DeleteFolder,
    DeleteSource,
    ExpireSources,
    SweepAttempts,
    SweepOrphans,
)
from videoflix.media.service import Failures, Media
from videoflix.platform.db import transaction
from videoflix.platform.queue import each_apart, every, handles
from videoflix.platform.storage import media_storage

PURGED_AT_ONCE = 1_000
EXPIRED_AT_ONCE = 1_000
SWEPT_AT_ONCE = 200
ORPHANED_AFTER = timedelta(days=1)
LATELY = timedelta(days=7)
# Younger files may belong to an attempt that is about to show them.
LEFT_ALONE = timedelta(hours=1)
# A database that knows few of the folders is more likely the wrong one than the storage full of
# orphans: an older backup, or another installation's.
ORPHANS_AT_LEAST, ORPHANS_MAX_SHARE = 20, 0.5

logger = logging.getLogger(__name__)


class TooManyOrphans(Exception):
    """Most folders of the storage belong to no film here, so none was removed: is this the right
    database? If it is, remove them with `videoflix media fsck`.
    """


@handles(DeleteFolder)
async def delete_folder(job: DeleteFolder) -> None:
    async with transaction() as session:
        is_needed = await Media(session).assets.known_folders([job.folder])
    if is_needed:  # its film came back from an archive
        logger.warning("the folder %s stays: a film needs it", job.folder)
        return
    await media_storage().delete_below(job.folder)


every("25 * * * *", ExpireSources())


@handles(ExpireSources)
async def expire_sources(job: ExpireSources) -> None:
    async with transaction() as session:
        due = await Failures(session).work.expired(EXPIRED_AT_ONCE)
    expired = await each_apart(due, lambda session, one: Failures(session).expire(one))
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
    async with transaction() as session:
        keys = await Media(session).keys_in_use(job.asset_id)
    if keys is not None:
        removed = await media_storage().delete_others(keys.folder, keys.used, LEFT_ALONE)
        logger.info("removed %d files that killed attempts had left", removed)


every("45 4 * * *", SweepOrphans())


@handles(SweepOrphans)
async def sweep_orphans(job: SweepOrphans) -> None:
    """Whatever is younger than a day may still be on its way into a row."""
    storage, removed = media_storage(), 0
    unfinished = await storage.drop_unfinished(ORPHANED_AFTER)
    for folder in await orphaned(await storage.folders("assets")):
        removed += await storage.delete_others(folder, frozenset(), ORPHANED_AFTER)
    removed += await _sweep_lately_changed()
    logger.info("removed %d orphaned files and %d unfinished ones", removed, unfinished)


async def orphaned(folders: Sequence[str]) -> list[str]:
    """Those of the folders that no film knows. Raises TooManyOrphans."""
    unknown: list[str] = []
    for some in batched(folders, SWEPT_AT_ONCE):
        async with transaction() as session:
            known = await Media(session).assets.known_folders(some)
        unknown += set(some) - known
    if len(unknown) > max(ORPHANS_AT_LEAST, ORPHANS_MAX_SHARE * len(folders)):
        raise TooManyOrphans(f"{len(unknown)} of {len(folders)} folders belong to no film here.")
    return unknown


async def _sweep_lately_changed() -> int:
    """In folders of films: what attempts left that were killed between storing and showing."""
    removed, last = 0, 0
    while True:
        async with transaction() as session:
            found = await Media(session).assets.lately_changed(last, LATELY, SWEPT_AT_ONCE)
        if not found:
            return removed
        for last in found:
            async with transaction() as session:
                keys = await Media(session).keys_in_use(last)
            if keys is not None:
                removed += await media_storage().delete_others(
                    keys.folder, keys.used, ORPHANED_AFTER
                )


every("35 3 * * *", PurgeDeleted())


@handles(PurgeDeleted)
async def purge_deleted(job: PurgeDeleted) -> None:
    """Each film in a transaction of its own: whatever happens, nothing is left half done."""
    async with transaction() as session:
        due = await Desk(session).due_for_purge(PURGED_AT_ONCE)
    for video_id in due:
        async with transaction() as session:
            if await Desk(session).is_due_for_purge(video_id):  # nobody restored it meanwhile
                await Media(session).remove(video_id)
    logger.info("removed %d films that were deleted a month ago", len(due))


def batched(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The items in runs of at most this size."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
