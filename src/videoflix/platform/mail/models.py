"""The table of mails."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.platform.postgres.session import Record


class Mail(Record):
    """A message; `sent_at` stays empty while it waits or is only kept, `failure` says why it never
    will be sent.

    Its links are secrets: text and HTML are emptied once the mail server has them.
    """

    __tablename__ = "mail"

    recipient: Mapped[str] = mapped_column(String(320))
    subject: Mapped[str] = mapped_column(String(200))
    text: Mapped[str]
    html: Mapped[str] = mapped_column(default="")
    sent_at: Mapped[datetime | None] = mapped_column(default=None)
    failure: Mapped[str | None] = mapped_column(default=None)
