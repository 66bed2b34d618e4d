"""Forgetting by age."""

import logging

from videoflix.audit.repository import SecurityEventRepository
from videoflix.audit.schemas import DeleteExpiredEvents
from videoflix.platform.queue import complete_job, handles, schedule

logger = logging.getLogger(__name__)

schedule("20 3 * * *", DeleteExpiredEvents())


@handles(DeleteExpiredEvents)
async def delete_expired_events(job: DeleteExpiredEvents) -> None:
    async with complete_job() as session:
        forgotten = await SecurityEventRepository(session=session).delete_expired()
    if forgotten:
        logger.info("deleted %d security events past their retention", forgotten)
