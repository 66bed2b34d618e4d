"""Jobs that create requested and weekly exports, and delete old ones."""

import logging
from contextlib import suppress

from videoflix.backup.schemas import MakeExport, SweepExports, WeeklyExport
from videoflix.backup.service.exports import (
    Exports,
    ExportStarting,
    remove_leftovers,
    store_archive,
)
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import AttemptLost, complete_job, handles
from videoflix.platform.storage.media_storage import StorageFull, media_storage

logger = logging.getLogger(__name__)


@handles(MakeExport)
async def make_export(job: MakeExport) -> None:
    async with transaction() as session:
        if not await Exports(session).begin(job.export_id):
            return
    try:
        folder, made = await store_archive(with_media=job.with_media)
    except StorageFull as error:  # not retried, as it would fill the disk again
        async with complete_job() as session:
            await Exports(session).fail(job.export_id, str(error))
        logger.warning("storage full during export %d: %s", job.export_id, error)
        return
    published = False
    try:
        async with complete_job() as session:
            published = await Exports(session).publish(job.export_id, folder, made)
    except AttemptLost:
        await media_storage().delete_below(folder)
        raise
    if not published:
        await media_storage().delete_below(folder)


@handles(WeeklyExport)
async def request_weekly_export(job: WeeklyExport) -> None:
    async with complete_job() as session:
        with suppress(ExportStarting):
            await Exports(session).request(with_media=False)


@handles(SweepExports)
async def sweep_exports(job: SweepExports) -> None:
    async with transaction() as session:
        deleted = await Exports(session).delete_oldest()
    leftovers = await remove_leftovers()
    if deleted or leftovers:
        logger.info("deleted %d exports and %d unfinished files", deleted, leftovers)
