"""What the catalogue does later."""

from videoflix.catalog.schemas import AnnouncePublication
from videoflix.catalog.service.catalog import topic_of
from videoflix.platform.events import announce
from videoflix.platform.queue import completing, handles


@handles(AnnouncePublication)
async def announce_publication(job: AnnouncePublication) -> None:
    """Nothing in the film's row changes at that time; what processes remember does."""
    async with completing() as session:
        await announce(session, topic_of(job.video_id))
