"""Writes mails into the transaction that causes them."""

from collections.abc import Mapping
from typing import ClassVar

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.mail.compose import compose
from videoflix.platform.mail.models import Mail
from videoflix.platform.queue import Job, enqueue
from videoflix.settings import settings


class SendMail(Job):
    """Hand a mail to the mail server; tried for more than a day."""

    name: ClassVar = "mail.send"
    attempts: ClassVar = 40
    deadline: ClassVar = 120.0
    mail_id: int


class SweepMail(Job):
    """Delete mails that are a month old."""

    name: ClassVar = "mail.sweep"
    queue: ClassVar = "maintenance"

    @property
    def once(self) -> str:
        return self.name


async def post_mail(
    session: AsyncSession,
    *,
    to: str,
    letter: str,
    language: str = "en",
    values: Mapping[str, str],
) -> None:
    """Write a letter in the session's transaction, and have it sent if there is a mail server.

    Raises what `compose` raises.
    """
    composed = compose(letter, language, values)
    mail = Mail(
        recipient=to, subject=composed.subject[:200], text=composed.text, html=composed.html
    )
    session.add(mail)
    await session.flush()
    if settings.smtp_url:
        await enqueue(session, SendMail(mail_id=mail.id))
