"""Tables of the accounts."""

from datetime import datetime

from sqlalchemy import Index, String, func
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.platform.db import Record
from videoflix.platform.identity import Role


class User(Record):
    """A person with an account; the e-mail address is unique whatever its case.

    Signing in takes a confirmed address; staff switch an account off by `is_active`. A guest's
    address is invented and gets no mail.
    """

    __tablename__ = "user_account"

    email: Mapped[str] = mapped_column(String(254))
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

    __table_args__ = (Index("uq_user_account_email", func.lower(email), unique=True),)

    @property
    def name(self) -> str:
        """First and last name, as far as they are known."""
        return f"{self.first_name} {self.last_name}".strip()
