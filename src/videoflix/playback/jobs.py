"""What playback does later."""

import logging

from videoflix.platform.queue import completing, every, handles
from videoflix.playback.schemas import CloseSilent
from videoflix.playback.service.streams import Streams

logger = logging.getLogger(__name__)

every("*/5 * * * *", CloseSilent())


@handles(CloseSilent)
async def close_silent(job: CloseSilent) -> None:
    async with completing() as session:
        closed = await Streams(session).close_silent()
    logger.info("%d streams had fallen silent", closed)
