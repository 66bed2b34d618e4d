"""Mails that answer somebody who may or may not have an account.

They are written later, so that the request takes the same time for both.
"""

import logging

from videoflix.platform.queue import complete_job, handles, schedule
from videoflix.registration.repository import MailTokenRepository
from videoflix.registration.schemas import (
    DeleteExpiredLinks,
    SendActivationMail,
    SendEmailChangeMail,
    SendPasswordResetMail,
)
from videoflix.registration.service import Registration

logger = logging.getLogger(__name__)

schedule("50 * * * *", DeleteExpiredLinks())


@handles(SendActivationMail)
async def send_activation_mail(job: SendActivationMail) -> None:
    async with complete_job() as session:
        await Registration(session).send_activation_mail(job.email, job.link_id)


@handles(SendPasswordResetMail)
async def send_password_reset_mail(job: SendPasswordResetMail) -> None:
    async with complete_job() as session:
        await Registration(session).send_password_reset_mail(job.email)


@handles(SendEmailChangeMail)
async def send_email_change_mail(job: SendEmailChangeMail) -> None:
    async with complete_job() as session:
        await Registration(session).send_email_change_mail(job)


@handles(DeleteExpiredLinks)
async def sweep_links(job: DeleteExpiredLinks) -> None:
    async with complete_job() as session:
        forgotten = await MailTokenRepository(session=session).forget_expired()
    if forgotten:
        logger.info("deleted %d expired mailed links", forgotten)
