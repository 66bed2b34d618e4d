"""Forgetting by age."""

import logging

from videoflix.audit.repository import SecurityEventRepository
from videoflix.audit.schemas import ForgetEvents
from videoflix.platform.queue import completing, every, handles

logger = logging.getLogger(__name__)

every("20 3 * * *", ForgetEvents())


@handles(ForgetEvents)
async def forget_events(job: ForgetEvents) -> None:
    async with completing() as session:
        forgotten = await SecurityEventRepository(session=session).forget()
    if forgotten:
        logger.info("deleted %d security events past their retention", forgotten)
