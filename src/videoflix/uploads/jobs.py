"""Jobs of resumable uploads."""

import logging
from contextlib import suppress

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import complete_job, handles
from videoflix.platform.retention import retention
from videoflix.platform.storage.growing import delete_growing
from videoflix.platform.storage.media_storage import StorageProblem, media_storage
from videoflix.uploads.schemas import FinishUpload, ImportFile, SweepUploads
from videoflix.uploads.service.finishing import Finishing, assemble
from videoflix.uploads.service.imports import fetch
from videoflix.uploads.service.links import UploadLinks
from videoflix.uploads.service.sweeping import sweep_uploads

logger = logging.getLogger(__name__)


@retention("upload links", kept="30 days after they ended")
async def delete_links(session: AsyncSession) -> int:
    return await UploadLinks(session).delete_ended()


@handles(FinishUpload)
async def finish_upload(job: FinishUpload) -> None:
    async with transaction() as session:
        work = await Finishing(session).work(job.upload_id)
    if work is None:
        return
    storage = media_storage()
    file = await assemble(storage, work)
    async with complete_job() as session:
        is_needed = await Finishing(session).hand_over(job.upload_id, file)
    with suppress(StorageProblem):  # logged; swept later
        for source in work.sources:
            await delete_growing(storage, source.name)
        if not is_needed:
            await storage.delete_below(file.folder)


@handles(ImportFile)
async def import_file(job: ImportFile) -> None:
    await fetch(job.upload_id)


@handles(SweepUploads)
async def sweep(job: SweepUploads) -> None:
    deleted, orphans = await sweep_uploads()
    if deleted or orphans:
        logger.info("deleted %d expired uploads, and bytes of %d others", deleted, orphans)
