"""Tidying up sign-ins."""

import logging

from videoflix.platform.queue import complete_job, handles, schedule
from videoflix.sessions.schemas import SweepSignIns
from videoflix.sessions.service.sessions import Sessions

logger = logging.getLogger(__name__)

schedule("40 * * * *", SweepSignIns())


@handles(SweepSignIns)
async def sweep_sign_ins(job: SweepSignIns) -> None:
    async with complete_job() as session:
        sign_ins, guests = await Sessions(session).sweep()
    if sign_ins or guests:
        logger.info("deleted %d expired sign-ins and %d guests", sign_ins, guests)
