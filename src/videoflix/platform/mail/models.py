"""Database model of mails."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.platform.postgres.session import Record


class Mail(Record):
    """A mail; `sent_at` is null until it is sent, `failure` the reason of a permanent rejection.

    Text and HTML contain secret links and are cleared once the mail is sent.
    """

    __tablename__ = "mail"

    recipient: Mapped[str] = mapped_column(String(320))
    subject: Mapped[str] = mapped_column(String(200))
    text: Mapped[str]
    html: Mapped[str] = mapped_column(default="")
    sent_at: Mapped[datetime | None] = mapped_column(default=None)
    failure: Mapped[str | None] = mapped_column(default=None)
