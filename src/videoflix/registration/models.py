"""Tables of what people prove by mail."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.accounts.models import User
from videoflix.platform.postgres.session import Record


class Proof(StrEnum):
    """What the holder of a mailed token may do: a token made for one is refused for the others."""

    ACTIVATE = "activate"
    RESET_PASSWORD = "reset-password"  # noqa: S105 - a purpose, no secret
    CHANGE_EMAIL = "change-email"


class MailToken(Record):
    """A token that was mailed, as its SHA-256; it works once, for one purpose, until it expires.

    `email` is the address it proves; `spent_at` says when it was used. What was typed into a
    registration belongs to the link that it caused, not to the account: anybody may register an
    address. A registration has no `password_hash` when its address has another one.
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
