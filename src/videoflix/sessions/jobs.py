"""Tidying up sign-ins."""

import logging

from videoflix.platform.queue import completing, every, handles
from videoflix.sessions.schemas import SweepSignIns
from videoflix.sessions.service.sessions import Sessions

logger = logging.getLogger(__name__)

every("40 * * * *", SweepSignIns())


@handles(SweepSignIns)
async def sweep_sign_ins(job: SweepSignIns) -> None:
    async with completing() as session:
        sign_ins, guests = await Sessions(session).sweep()
    if sign_ins or guests:
        logger.info("deleted %d expired sign-ins and %d guests", sign_ins, guests)
