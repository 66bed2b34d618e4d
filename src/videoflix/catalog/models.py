"""Tables of the catalogue; triggers of migration 0013 maintain `slug`, `search`, search_word."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.accounts.models import User
from videoflix.platform.postgres.session import Record

# The folder of posters that editors chose; automatic ones are stored with their file.
OWN_POSTERS = "posters"


class VideoState(StrEnum):
    """State of processing."""

    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


class Audience(StrEnum):
    """Who can see a published video; private ones are for editors only."""

    EVERYONE = "everyone"
    MEMBERS = "members"
    PRIVATE = "private"


class Video(Record):
    """A video, with a copy of its media's facts so that lists need one query (ADR 3).

    `progress` is 0 to 1; `failure_code` is stable, `failure_reason` a sentence. Editors also see
    why processing of the newest file is stalled (`stalled_*`), and why a replacement file failed
    (`replacement_*`). `duration` is in seconds; `qualities` names the renditions, highest first.
    `published_at` is null for drafts and in the future for scheduled videos. Lists are ordered by
    `shown_at`, or by `title_key` (lower case, without accents). `deleted_at` marks a soft delete.
    `popularity` counts the views of the last 30 days; `score` is upvotes minus downvotes.
    `poster` is the storage key of the poster, `poster_widths` are those of its sizes in pixels
    (platform.pictures.sizes). `preview` is the key of the animated preview of the file.
    `has_own_chapters`: an editor wrote or deleted the chapters.
    Markers are in seconds: players offer to skip the intro, and the next episode at the credits.
    """

    __tablename__ = "video"

    title: Mapped[str] = mapped_column(String(200))
    title_key: Mapped[str] = mapped_column(
        String(400, collation="C"), Computed("videoflix_plain(title)", persisted=True)
    )
    slug: Mapped[str] = mapped_column(String(120), server_default=sql("''"), unique=True)
    description: Mapped[str] = mapped_column(default="")
    genre: Mapped[str] = mapped_column(String(50), server_default=sql("''"))
    language: Mapped[str] = mapped_column(String(5), server_default=sql("'en'"))
    release_year: Mapped[int | None] = mapped_column(SmallInteger, default=None)
    age_rating: Mapped[int] = mapped_column(SmallInteger, server_default=sql("0"))
    author: Mapped[str] = mapped_column(String(150), server_default=sql("''"))
    tags: Mapped[list[str]] = mapped_column(ARRAY(String(50)), server_default=sql("'{}'"))
    featured: Mapped[bool] = mapped_column(server_default=sql("false"))
    audience: Mapped[Audience] = mapped_column(server_default=sql("'everyone'"))
    published_at: Mapped[datetime | None] = mapped_column(default=sql("now()"))
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)
    uploaded_by: Mapped[int | None] = mapped_column(ForeignKey(User.id, ondelete="SET NULL"))
    state: Mapped[VideoState] = mapped_column(default=VideoState.PROCESSING)
    playable: Mapped[bool] = mapped_column(default=False)
    progress: Mapped[float] = mapped_column(default=0.0)
    failure_code: Mapped[str | None] = mapped_column(String(64), default=None)
    failure_reason: Mapped[str | None] = mapped_column(default=None)
    stalled_code: Mapped[str | None] = mapped_column(String(64), default=None)
    stalled_reason: Mapped[str | None] = mapped_column(default=None)
    replacement_code: Mapped[str | None] = mapped_column(String(64), default=None)
    replacement_reason: Mapped[str | None] = mapped_column(default=None)
    duration: Mapped[float | None] = mapped_column(default=None)
    poster: Mapped[str | None] = mapped_column(default=None)
    poster_widths: Mapped[list[int]] = mapped_column(
        ARRAY(SmallInteger), server_default=sql("'{}'"), default=list
    )
    intro_start: Mapped[float | None] = mapped_column(default=None)
    intro_end: Mapped[float | None] = mapped_column(default=None)
    credits_start: Mapped[float | None] = mapped_column(default=None)
    qualities: Mapped[list[str]] = mapped_column(ARRAY(String(16)), default=list)
    preview: Mapped[str | None] = mapped_column(default=None)
    has_own_chapters: Mapped[bool] = mapped_column(server_default=sql("false"), default=False)
    upvotes: Mapped[int] = mapped_column(server_default=sql("0"))
    downvotes: Mapped[int] = mapped_column(server_default=sql("0"))
    views: Mapped[int] = mapped_column(server_default=sql("0"))
    popularity: Mapped[int] = mapped_column(server_default=sql("0"))
    score: Mapped[int] = mapped_column(Computed("upvotes - downvotes", persisted=True))
    shown_at: Mapped[datetime] = mapped_column(
        Computed("coalesce(published_at, created_at)", persisted=True)
    )
    search: Mapped[str] = mapped_column(TSVECTOR, server_default=sql("''"), deferred=True)

    __table_args__ = (
        Index("ix_video_shown_at", "shown_at", "id"),
        Index("ix_video_genre", "genre", "shown_at", "id"),
        Index("ix_video_language", "language", "shown_at", "id"),
        Index("ix_video_release_year", "release_year", "shown_at", "id"),
        Index("ix_video_uploaded_by", "uploaded_by", "shown_at", "id"),
        Index("ix_video_duration", sql("coalesce(duration, 0)"), "id"),
        Index("ix_video_popularity", "popularity", "id"),
        Index("ix_video_score", "score", "id"),
        # Visibility as an index-only scan, for joins from categories and subtitles.
        Index(
            "ix_video_visible",
            "id",
            postgresql_include=["deleted_at", "playable", "published_at", "age_rating", "audience"],
        ),
        Index("ix_video_featured", "shown_at", "id", postgresql_where=sql("featured is true")),
        Index("ix_video_deleted_at", "deleted_at", postgresql_where=sql("deleted_at is not null")),
        Index("ix_video_processing", "id", postgresql_where=sql("state = 'processing'")),
        Index("ix_video_title_key", "title_key", "id"),
        Index("ix_video_search", "search", postgresql_using="gin"),
        Index("ix_video_tags", "tags", postgresql_using="gin"),
        # Posters of editors, to find what no video uses any more.
        Index("ix_video_own_poster", "poster", postgresql_where=sql("poster like 'posters/%'")),
    )

    @property
    def has_own_poster(self) -> bool:
        """Whether an editor chose the poster; it is kept when the file is replaced."""
        return self.poster is not None and self.poster.startswith(f"{OWN_POSTERS}/")


class Category(Record):
    """A category; lists are ordered by `position`, `picture` is a storage key."""

    __tablename__ = "category"

    name: Mapped[str] = mapped_column(String(100), unique=True)
    slug: Mapped[str] = mapped_column(String(120), unique=True)
    position: Mapped[int] = mapped_column(default=0)
    picture: Mapped[str | None] = mapped_column(default=None)


# `shown_at` is copied from the video by triggers: one index finds a category's newest videos.
video_category = Table(
    "video_category",
    Record.metadata,
    Column("video_id", ForeignKey(Video.id, ondelete="CASCADE"), primary_key=True),
    Column("category_id", ForeignKey(Category.id, ondelete="RESTRICT"), primary_key=True),
    Column("shown_at", DateTime(timezone=True), nullable=False),
    Index("ix_video_category_category_id", "category_id", "shown_at", "video_id"),
)

# Every word of titles, people and tags, for spelling correction.
search_word = Table(
    "search_word",
    Record.metadata,
    Column("word", String(40), primary_key=True),
    Index(
        "ix_search_word_word",
        "word",
        postgresql_using="gin",
        postgresql_ops={"word": "gin_trgm_ops"},
    ),
)


class Subtitle(Record):
    """A subtitle track of a video in one language (BCP 47), as WebVTT.

    `is_extracted`: it is from the video's file, and replaced with it.
    """

    __tablename__ = "subtitle"

    video_id: Mapped[int] = mapped_column(ForeignKey(Video.id, ondelete="CASCADE"))
    language: Mapped[str] = mapped_column(String(35))
    label: Mapped[str] = mapped_column(String(100))
    text: Mapped[str]
    is_extracted: Mapped[bool] = mapped_column(server_default=sql("false"), default=False)

    __table_args__ = (UniqueConstraint("video_id", "language"),)


class SubtitleCue(Record):
    """A cue of a subtitle track, indexed for search; `at` is its start in seconds."""

    __tablename__ = "subtitle_cue"

    subtitle_id: Mapped[int] = mapped_column(
        ForeignKey(Subtitle.id, ondelete="CASCADE"), index=True
    )
    video_id: Mapped[int] = mapped_column(BigInteger)
    language: Mapped[str] = mapped_column(String(35))
    at: Mapped[float]
    text: Mapped[str]
    search: Mapped[str] = mapped_column(TSVECTOR, server_default=sql("''"), deferred=True)

    __table_args__ = (
        Index("ix_subtitle_cue_video_id", "video_id", "at"),
        Index("ix_subtitle_cue_search", "search", postgresql_using="gin"),
    )


class Chapter(Record):
    """A chapter of a video: its title, and its start and end in seconds."""

    __tablename__ = "chapter"

    video_id: Mapped[int] = mapped_column(ForeignKey(Video.id, ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(200))
    start: Mapped[float]
    end: Mapped[float]

    __table_args__ = (UniqueConstraint("video_id", "start"),)


class Series(Record):
    """A series; viewers see it once it is published and they can see one of its episodes."""

    __tablename__ = "series"

    title: Mapped[str] = mapped_column(String(200))
    title_key: Mapped[str] = mapped_column(
        String(400, collation="C"), Computed("videoflix_plain(title)", persisted=True)
    )
    description: Mapped[str] = mapped_column(default="", server_default=sql("''"))
    audience: Mapped[Audience] = mapped_column(server_default=sql("'everyone'"))
    published_at: Mapped[datetime | None] = mapped_column(default=sql("now()"))

    __table_args__ = (
        Index("ix_series_title_key", "title_key", "id"),
        Index(
            "ix_series_words",
            "title_key",
            postgresql_using="gin",
            postgresql_ops={"title_key": "gin_trgm_ops"},
        ),
    )


class Season(Record):
    """A season of a series; number 0 is for specials."""

    __tablename__ = "season"

    series_id: Mapped[int] = mapped_column(ForeignKey(Series.id, ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(SmallInteger)
    title: Mapped[str] = mapped_column(String(200), server_default=sql("''"))

    __table_args__ = (UniqueConstraint("series_id", "number"),)


class Episode(Record):
    """The place of a video in a series.

    The place is checked at the end of a statement, so that one statement can reorder a season.
    """

    __tablename__ = "episode"

    video_id: Mapped[int] = mapped_column(ForeignKey(Video.id, ondelete="CASCADE"), unique=True)
    series_id: Mapped[int] = mapped_column(BigInteger)
    season: Mapped[int] = mapped_column(SmallInteger)
    number: Mapped[int] = mapped_column(SmallInteger)

    __table_args__ = (
        UniqueConstraint("series_id", "season", "number", deferrable=True, initially="IMMEDIATE"),
        ForeignKeyConstraint(
            ["series_id", "season"], ["season.series_id", "season.number"], ondelete="CASCADE"
        ),
    )
