"""Writes mails into the transaction that causes them."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.mail.compose import render
from videoflix.platform.mail.models import Mail
from videoflix.platform.queue import Job, enqueue_many
from videoflix.settings import settings


class SendMail(Job):
    """Hand a mail to the mail server; tried for more than a day."""

    name: ClassVar = "mail.send"
    attempts: ClassVar = 40
    deadline: ClassVar = 120.0
    mail_id: int


class MailRequest(NamedTuple):
    """A mail to write: its template, in which language, and what fills its blanks."""

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
    """Write a letter in the session's transaction, and have it sent if there is a mail server.

    Raises what `compose` raises.
    """
    await queue_mails(session, [MailRequest(to, template, language, values)])


async def queue_mails(session: AsyncSession, letters: Sequence[MailRequest]) -> None:
    """Write many letters in a few statements. Raises what `compose` raises."""
    mails = []
    for template in letters:
        composed = render(template.template, template.language, template.values)
        mails.append(
            Mail(
                recipient=template.to,
                subject=composed.subject[:200],
                text=composed.text,
                html=composed.html,
            )
        )
    session.add_all(mails)
    await session.flush()
    if settings.smtp_url:
        await enqueue_many(session, [SendMail(mail_id=mail.id) for mail in mails])
