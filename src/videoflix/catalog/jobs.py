"""Jobs of the catalogue."""

from videoflix.catalog.payloads import AnnouncePublication, DeletePicture
from videoflix.catalog.service.browse import Browse
from videoflix.catalog.service.catalog import topic_for
from videoflix.platform.postgres.notify import publish
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import complete_job, handles
from videoflix.platform.storage.media_storage import media_storage


@handles(AnnouncePublication)
async def publish_scheduled(job: AnnouncePublication) -> None:
    """Invalidate the response caches: the video's row does not change when it is due."""
    async with complete_job() as session:
        await publish(session, topic_for(job.video_id))


@handles(DeletePicture)
async def delete_picture(job: DeletePicture) -> None:
    async with transaction() as session:
        if await Browse(session).categories.has_picture(job.key):
            return
    await media_storage().delete([job.key])
