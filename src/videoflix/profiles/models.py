"""The table of profiles."""

from sqlalchemy import ForeignKey, Index, SmallInteger, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.accounts.models import User
from videoflix.platform.postgres.session import Record


class Profile(Record):
    """One of the people who share an account, with lists of their own.

    `max_age_rating` hides what is rated higher; `pin_hash` is set when a PIN guards the profile.
    The first one is there without being asked for.
    """

    __tablename__ = "profile"

    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(50))
    avatar: Mapped[str] = mapped_column(String(50), default="")
    language: Mapped[str] = mapped_column(String(5), default="en")
    max_age_rating: Mapped[int | None] = mapped_column(SmallInteger, default=None)
    pin_hash: Mapped[str | None] = mapped_column(default=None)
    is_first: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (
        UniqueConstraint("user_id", "name"),
        Index("uq_profile_first", "user_id", unique=True, postgresql_where=text("is_first")),
    )
