"""Mails that answer somebody who may or may not have an account.

They are written later, so that the request takes the same time for both.
"""

import logging

from videoflix.platform.queue import completing, every, handles
from videoflix.registration.repository import MailTokenRepository
from videoflix.registration.schemas import (
    SweepLinks,
    WriteReset,
    WriteToNewAddress,
    WriteToRegistrant,
)
from videoflix.registration.service import Registration

logger = logging.getLogger(__name__)

every("50 * * * *", SweepLinks())


@handles(WriteToRegistrant)
async def write_to_registrant(job: WriteToRegistrant) -> None:
    async with completing() as session:
        await Registration(session).write_to_registrant(job.email, job.link_id)


@handles(WriteReset)
async def write_reset(job: WriteReset) -> None:
    async with completing() as session:
        await Registration(session).write_reset(job.email)


@handles(WriteToNewAddress)
async def write_to_new_address(job: WriteToNewAddress) -> None:
    async with completing() as session:
        await Registration(session).write_to_new_address(job)


@handles(SweepLinks)
async def sweep_links(job: SweepLinks) -> None:
    async with completing() as session:
        forgotten = await MailTokenRepository(session=session).forget_expired()
    if forgotten:
        logger.info("deleted %d expired mailed links", forgotten)
