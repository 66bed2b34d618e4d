"""Database model of profiles."""

from sqlalchemy import ForeignKey, Index, SmallInteger, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.accounts.models import User
from videoflix.platform.postgres.session import Record


class Profile(Record):
    """A profile of an account, with its own lists.

    Videos rated higher than `max_age_rating` are hidden; `pin_hash` is set for profiles with a PIN.
    The first (default) profile is created on demand.
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
