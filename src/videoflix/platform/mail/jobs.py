"""Jobs that send mails by SMTP (RFC 5321) with retries, and delete old ones."""

import logging
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib
from sqlalchemy import delete, func, update
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.mail.models import Mail
from videoflix.platform.mail.outbox import SendMail
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import complete_job, handles
from videoflix.platform.retention import retention
from videoflix.setting_types import SmtpServer
from videoflix.settings import settings

TIMEOUT_SECONDS = 10.0
PERMANENT = 500
RETENTION = timedelta(days=30)
# Period in which a mail may still be sent.
SEND_PERIOD = timedelta(days=2)

logger = logging.getLogger(__name__)


@handles(SendMail)
async def send(job: SendMail) -> None:
    async with transaction() as session:
        mail = await session.get(Mail, job.mail_id)
        if mail is None or mail.sent_at or mail.failure or settings.smtp_url is None:
            return
        message = _message(mail)
    failure = await deliver(settings.smtp_url, message)
    async with complete_job() as session:
        mail = await session.get_one(Mail, job.mail_id)
        mail.failure = failure
        if failure is None:
            mail.sent_at = datetime.now(UTC)
        mail.text = mail.html = ""  # contains secret links


@retention("e-mails", kept="30 days")
async def delete_mail(session: AsyncSession) -> int:
    """Delete mails after RETENTION, and the content of those whose links have expired."""
    lifetime = max(settings.activation_lifetime, settings.password_reset_lifetime)
    expired = Mail.created_at < func.now() - max(lifetime, SEND_PERIOD)
    await session.execute(update(Mail).where(expired, Mail.text != "").values(text="", html=""))
    old = delete(Mail).where(Mail.created_at < func.now() - RETENTION).returning(Mail.id)
    return len((await session.scalars(old)).all())


async def deliver(server: SmtpServer, message: EmailMessage) -> str | None:
    """Send a message; return the reason of a permanent rejection, or None on success.

    Raises aiosmtplib.SMTPException or OSError if a retry may help.
    """
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        username=server.user or None,
        password=server.password or None,
        use_tls=server.implicit_tls,
        start_tls=True if server.must_start_tls else None,  # None: if the server offers it
        timeout=TIMEOUT_SECONDS,
    )
    try:
        async with client:
            await client.send_message(message)
    except aiosmtplib.SMTPRecipientsRefused as refused:
        return _if_permanent(refused, refused.recipients[0])
    except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as refused:
        return _if_permanent(refused, refused)
    return None


def _if_permanent(error: aiosmtplib.SMTPException, answer: aiosmtplib.SMTPResponseException) -> str:
    """Return the server's reply if it is permanent (5xx); otherwise re-raise the error."""
    if answer.code < PERMANENT:
        raise error
    return f"{answer.code} {answer.message}"


def _message(mail: Mail) -> EmailMessage:
    """Build the message; its Message-ID is the same for all attempts."""
    message = EmailMessage()
    message["From"] = settings.mail_sender
    message["To"] = mail.recipient
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(mail.created_at)
    made = int(mail.created_at.timestamp())
    message["Message-ID"] = f"<mail-{mail.id}-{made}@{settings.mail_domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: suppresses automatic replies
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message
