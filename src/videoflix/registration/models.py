"""Database model of mailed tokens."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.accounts.models import User
from videoflix.platform.postgres.session import Record


class Proof(StrEnum):
    """Purpose of a mailed token; it is not accepted for any other purpose."""

    ACTIVATE = "activate"
    RESET_PASSWORD = "reset-password"  # noqa: S105 - a purpose, no secret
    CHANGE_EMAIL = "change-email"


class MailToken(Record):
    """A mailed single-use token, stored as SHA-256, for one purpose and with an expiry.

    `email` is the address it proves; `spent_at` is when it was used. The data of a registration is
    stored with its link, not with the account, because anyone can register any address. A
    registration has no `password_hash` if there was another one for its address.
    """

    __tablename__ = "mail_token"

    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    proof: Mapped[Proof]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    email: Mapped[str] = mapped_column(String(254))
    expires_at: Mapped[datetime]
    spent_at: Mapped[datetime | None] = mapped_column(default=None)
    password_hash: Mapped[str | None] = mapped_column(default=None)
    first_name: Mapped[str] = mapped_column(String(100), default="", server_default="")
    last_name: Mapped[str] = mapped_column(String(100), default="", server_default="")
    language: Mapped[str] = mapped_column(String(5), default="en", server_default="en")
