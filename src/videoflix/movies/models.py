"""Tables of the movies. Triggers of migration 0018 maintain the tallies."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.accounts.models import User
from videoflix.platform.postgres.session import Record


class RatingType(StrEnum):
    """A vote on a movie."""

    UPVOTE = "UPVOTE"
    DOWNVOTE = "DOWNVOTE"


class MovieRating(Record):
    """A person's vote on a movie, whichever provider knows it (any more)."""

    __tablename__ = "movie_rating"

    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    movie_id: Mapped[UUID] = mapped_column(Uuid)
    rating_type: Mapped[RatingType]

    __table_args__ = (UniqueConstraint("user_id", "movie_id"),)


# Number of votes per movie, maintained by triggers in the voting transaction.
movie_tally = Table(
    "movie_tally",
    Record.metadata,
    Column("movie_id", Uuid, primary_key=True),
    Column("upvotes", Integer, nullable=False),
    Column("downvotes", Integer, nullable=False),
    CheckConstraint("upvotes >= 0 and downvotes >= 0", name="ck_movie_tally_votes"),
)


class MovieAnswer(Record):
    """A cached response of a provider, as JSON; the table is unlogged, a cache may be lost.

    Until `claimed_until`, one process queries the provider for all (single flight); `payload` is
    null until its first response.
    """

    __tablename__ = "movie_answer"
    __table_args__ = (
        Index("ix_movie_answer_fetched_at", "fetched_at"),
        {"prefixes": ["UNLOGGED"]},
    )

    key: Mapped[str] = mapped_column(String(64), unique=True)
    payload: Mapped[str | None]
    fetched_at: Mapped[datetime]
    claimed_until: Mapped[datetime | None]
