"""Jobs of playback."""

import logging

from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import complete_job, handles, in_batches
from videoflix.playback.schemas import CloseExpiredStreams
from videoflix.playback.service.streams import Streams

logger = logging.getLogger(__name__)

# Per transaction; bounds how long row locks delay users who start a stream.
CLOSED_AT_ONCE = 50


@handles(CloseExpiredStreams)
async def close_expired(job: CloseExpiredStreams) -> None:
    closed = await close_all_expired()
    async with complete_job():
        if closed:
            logger.info("closed %d idle streams", closed)


async def close_all_expired() -> int:
    """Close and charge expired leases; one failure does not stop the others."""
    async with transaction() as session:
        expired = await Streams(session).leases.expired()
    return await in_batches(
        expired,
        CLOSED_AT_ONCE,
        lambda session, some: Streams(session).close_together(some),
        lambda session, one: Streams(session).close_expired(*one),
    )
