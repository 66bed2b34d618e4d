"""Tables of watchlists, playback positions, votes and views.

Triggers of migration 0014 maintain the vote counts of videos.
"""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    ForeignKey,
    Index,
    SmallInteger,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.catalog.models import Video
from videoflix.platform.postgres.session import Record
from videoflix.profiles.models import Profile


class WatchlistEntry(Record):
    """A video on a profile's watchlist, ordered by `position`, smallest first."""

    __tablename__ = "watchlist_entry"

    profile_id: Mapped[int] = mapped_column(ForeignKey(Profile.id, ondelete="CASCADE"))
    video_id: Mapped[int] = mapped_column(ForeignKey(Video.id, ondelete="CASCADE"), index=True)
    position: Mapped[float]

    __table_args__ = (UniqueConstraint("profile_id", "video_id"),)


class WatchState(Record):
    """A profile's playback position: `seconds` at the client's time `client_at`.

    It belongs to the video, not to one of its files.
    """

    __tablename__ = "watch_state"

    profile_id: Mapped[int] = mapped_column(ForeignKey(Profile.id, ondelete="CASCADE"))
    video_id: Mapped[int] = mapped_column(ForeignKey(Video.id, ondelete="CASCADE"), index=True)
    seconds: Mapped[float]
    finished: Mapped[bool] = mapped_column(default=False)
    client_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("profile_id", "video_id"),
        Index("ix_watch_state_client_at", "profile_id", "client_at"),
        Index(
            "ix_watch_state_unfinished",
            "profile_id",
            "client_at",
            postgresql_where=text("not finished"),
        ),
    )


class Vote(Record):
    """A profile's vote on a video: 1 or -1."""

    __tablename__ = "vote"

    profile_id: Mapped[int] = mapped_column(ForeignKey(Profile.id, ondelete="CASCADE"))
    video_id: Mapped[int] = mapped_column(ForeignKey(Video.id, ondelete="CASCADE"), index=True)
    value: Mapped[int] = mapped_column(SmallInteger)

    __table_args__ = (UniqueConstraint("profile_id", "video_id"),)


# One row per profile, video and day; one partition per month.
video_view = Table(
    "video_view",
    Record.metadata,
    Column("seen_on", Date, primary_key=True),
    Column("video_id", BigInteger, primary_key=True),
    Column("profile_id", BigInteger, primary_key=True),
)
