"""Jobs that send mails of registration, and retention of mailed links.

Mails are rendered in jobs, so that response times do not reveal whether an account exists.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.queue import complete_job, handles
from videoflix.platform.retention import retention
from videoflix.registration.repository import MailTokenRepository
from videoflix.registration.schemas import (
    SendActivationMail,
    SendEmailChangeMail,
    SendPasswordResetMail,
)
from videoflix.registration.service import Registration


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


@retention("mailed links", kept="until they expire")
async def delete_links(session: AsyncSession) -> int:
    return await MailTokenRepository(session=session).forget_expired()
