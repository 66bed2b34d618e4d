"""Mail: kept in the database, and read on the server itself while no mail server is set."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.platform.db import Record


class Mail(Record):
    """A message; `sent_at` stays empty while it was only kept."""

    __tablename__ = "mail"

    recipient: Mapped[str] = mapped_column(String(320))
    subject: Mapped[str] = mapped_column(String(200))
    text: Mapped[str]
    sent_at: Mapped[datetime | None] = mapped_column(default=None)


async def post_mail(session: AsyncSession, recipient: str, subject: str, text: str) -> None:
    """Write a message in the session's transaction."""
    session.add(Mail(recipient=recipient, subject=subject, text=text))
    await session.flush()
