"""Database models of the accounts."""

from datetime import datetime

from sqlalchemy import Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, validates

from videoflix.accounts.addresses import email_key
from videoflix.platform.auth.identity import Role
from videoflix.platform.postgres.session import Record

# The password is still hashed as by an older backend.
HAS_DJANGO_HASH = "starts_with(password_hash, 'django$')"


class User(Record):
    """A user account; `email_key` is equal for all spellings of an address.

    Signing in requires a confirmed address and `is_active`. A guest's address is made up and
    receives no mail. `auth_version` is incremented by everything that ends all sessions (a new
    password or role, deactivation, signing out everywhere): a concurrent sign-in that was
    verified against an older version is refused.
    """

    __tablename__ = "user_account"

    email: Mapped[str] = mapped_column(String(254))
    email_key: Mapped[str] = mapped_column(unique=True)
    first_name: Mapped[str] = mapped_column(String(100), default="")
    last_name: Mapped[str] = mapped_column(String(100), default="")
    phone: Mapped[str] = mapped_column(String(30), default="")
    address: Mapped[str] = mapped_column(String(300), default="")
    language: Mapped[str] = mapped_column(String(5), default="en")
    password_hash: Mapped[str]
    role: Mapped[Role] = mapped_column(default=Role.VIEWER)
    is_active: Mapped[bool] = mapped_column(default=True)
    is_guest: Mapped[bool] = mapped_column(default=False)
    confirmed_at: Mapped[datetime | None] = mapped_column(default=None)
    auth_version: Mapped[int] = mapped_column(default=0, server_default="0")

    __table_args__ = (
        Index("ix_user_account_django_hash", "id", postgresql_where=text(HAS_DJANGO_HASH)),
    )

    @validates("email")
    def _set_key(self, _: str, email: str) -> str:
        self.email_key = email_key(email)
        return email

    @property
    def name(self) -> str:
        """First and last name, joined; may be empty."""
        return f"{self.first_name} {self.last_name}".strip()
