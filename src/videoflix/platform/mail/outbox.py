"""Transactional outbox of mails."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.mail.compose import render
from videoflix.platform.mail.models import Mail
from videoflix.platform.queue import Job, enqueue_many
from videoflix.settings import settings


class SendMail(Job):
    """Send a mail; retried for more than a day."""

    name: ClassVar = "mail.send"
    attempts: ClassVar = 40
    deadline: ClassVar = 120.0
    mail_id: int


class MailRequest(NamedTuple):
    """A mail to render: template, language and template variables."""

    to: str
    template: str
    language: str
    values: Mapping[str, str]


async def queue_mail(
    session: AsyncSession,
    *,
    to: str,
    template: str,
    language: str = "en",
    values: Mapping[str, str],
) -> None:
    """Store a mail in the session's transaction and enqueue it if SMTP_URL is set.

    Raises KeyError or jinja2.UndefinedError, see `render`.
    """
    await queue_mails(session, [MailRequest(to, template, language, values)])


async def queue_mails(session: AsyncSession, requests: Sequence[MailRequest]) -> None:
    """Store and enqueue many mails in a few statements. Raises like `queue_mail`."""
    mails = []
    for request in requests:
        rendered = render(request.template, request.language, request.values)
        mails.append(
            Mail(
                recipient=request.to,
                subject=rendered.subject[:200],
                text=rendered.text,
                html=rendered.html,
            )
        )
    session.add_all(mails)
    await session.flush()
    if settings.smtp_url:
        await enqueue_many(session, [SendMail(mail_id=mail.id) for mail in mails])
