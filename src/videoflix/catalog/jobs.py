"""What the catalogue does later."""

from videoflix.catalog.schemas import AnnouncePublication, DeletePicture
from videoflix.catalog.service.browse import Shelves
from videoflix.catalog.service.catalog import topic_of
from videoflix.platform.postgres.notify import announce
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import completing, handles
from videoflix.platform.storage.media_storage import media_storage


@handles(AnnouncePublication)
async def announce_publication(job: AnnouncePublication) -> None:
    """Nothing in the film's row changes at that time; what processes remember does."""
    async with completing() as session:
        await announce(session, topic_of(job.video_id))


@handles(DeletePicture)
async def delete_picture(job: DeletePicture) -> None:
    async with transaction() as session:
        if await Shelves(session).categories.has_picture(job.key):
            return
    await media_storage().delete([job.key])
