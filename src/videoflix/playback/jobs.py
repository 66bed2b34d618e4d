"""What playback does later."""

import logging

from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import completing, every, handles, in_batches
from videoflix.playback.schemas import CloseSilent
from videoflix.playback.service.streams import Streams

logger = logging.getLogger(__name__)

# In a transaction: few enough that nobody waits long to start a stream meanwhile.
CLOSED_AT_ONCE = 50

every("*/5 * * * *", CloseSilent())


@handles(CloseSilent)
async def close_silent(job: CloseSilent) -> None:
    closed = await close_all_silent()
    async with completing():
        if closed:
            logger.info("closed %d idle streams", closed)


async def close_all_silent() -> int:
    """Write down and charge what fell silent; one that fails holds up none of the others."""
    async with transaction() as session:
        silent = await Streams(session).leases.silent()
    return await in_batches(
        silent,
        CLOSED_AT_ONCE,
        lambda session, some: Streams(session).close_together(some),
        lambda session, one: Streams(session).close_silent(*one),
    )
