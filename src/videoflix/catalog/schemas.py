"""Wire types of the catalogue."""

from datetime import UTC, datetime
from enum import StrEnum
from operator import itemgetter
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

import msgspec
from msgspec import UNSET, UnsetType

from videoflix.catalog import models
from videoflix.catalog.models import Audience, VideoState
from videoflix.platform.http.params import BIGINT_MAX, Moment, ensure_plausible
from videoflix.platform.pictures.sizes import srcset

Title = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Description = Annotated[str, msgspec.Meta(max_length=10_000, pattern=r"^[^\x00]*$")]
Line = Annotated[str, msgspec.Meta(max_length=150, pattern=r"^[^\x00\r\n]*(?!\n)$")]
Genre = Annotated[str, msgspec.Meta(max_length=50, pattern=r"^[^\x00\r\n]*(?!\n)$")]
Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=50, pattern=r"^[^\x00\r\n]*(?!\n)$")]
Tags = Annotated[list[Tag], msgspec.Meta(max_length=30)]
LanguageCode = Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?(?!\n)$", max_length=5)]
Year = Annotated[int, msgspec.Meta(ge=1870, le=2200)]
AgeRating = Annotated[int, msgspec.Meta(ge=0, le=21)]
BigId = Annotated[int, msgspec.Meta(ge=1, le=BIGINT_MAX)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=10_000_000)]
CategoryTitle = Annotated[
    str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[^\x00\r\n]*(?!\n)$")
]
CategorySlug = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]*(?!\n)$", max_length=100)]
Position = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
CategoryIds = Annotated[list[BigId], msgspec.Meta(max_length=20)]


class Ordering(StrEnum):
    """Sort order of a list of videos."""

    NEWEST = "newest"
    OLDEST = "oldest"
    TITLE = "title"
    DURATION = "duration"
    MOST_WATCHED = "most-watched"
    BEST_VOTED = "best-voted"


class Publication(StrEnum):
    """State of publication."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PUBLISHED = "published"
    DELETED = "deleted"


class VideoCreate(msgspec.Struct, forbid_unknown_fields=True):
    """A new video."""

    title: Title
    description: Description = ""
    genre: Genre = ""
    language: LanguageCode = "en"
    release_year: Year | None = None
    age_rating: AgeRating = 0
    author: Line = ""
    tags: Tags = []
    featured: bool = False
    audience: Audience = Audience.EVERYONE
    categories: CategoryIds = []
    publish: bool = True


class VideoUpdate(msgspec.Struct, forbid_unknown_fields=True):
    """Changes to a video; omitted fields stay unchanged."""

    title: Title | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    genre: Genre | UnsetType = UNSET
    language: LanguageCode | UnsetType = UNSET
    release_year: Year | UnsetType | None = UNSET
    age_rating: AgeRating | UnsetType = UNSET
    author: Line | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    featured: bool | UnsetType = UNSET
    audience: Audience | UnsetType = UNSET
    categories: CategoryIds | UnsetType = UNSET


class PublishRequest(msgspec.Struct, forbid_unknown_fields=True):
    """When to publish; without `publish_at`, now."""

    publish_at: Moment | None = None

    def __post_init__(self) -> None:
        ensure_plausible(self.publish_at)


class BulkRequest(msgspec.Struct, forbid_unknown_fields=True):
    """One action on up to 100 videos, in one transaction."""

    ids: Annotated[list[BigId], msgspec.Meta(min_length=1, max_length=100)]
    action: Literal["publish", "unpublish", "delete", "restore", "feature", "unfeature"]


class BulkResult(msgspec.Struct):
    """How many videos the action was applied to."""

    changed: int


class Failure(msgspec.Struct):
    """Why processing failed or is stalled: a stable code and a sentence."""

    code: str
    reason: str


class CategoryName(msgspec.Struct):
    """A category of a video."""

    id: int
    name: str
    slug: str


class SubtitleTrack(msgspec.Struct):
    """A subtitle track of a video; `url` returns WebVTT."""

    language: str
    label: str
    url: str


class SubtitleHit(msgspec.Struct):
    """A subtitle cue that matches a search: its start in seconds, and its text."""

    at: float
    text: str


class ChapterRead(msgspec.Struct):
    """A chapter of a video: its title, and its start and end in seconds."""

    title: str
    start: float
    end: float


class ChapterWrite(msgspec.Struct, forbid_unknown_fields=True):
    """A chapter, in seconds; without `end`, it ends where the next one starts."""

    title: Title
    start: Seconds
    end: Seconds | None = None


class VideoRead(msgspec.Struct):
    """A video; `progress` is 0 to 1, `duration` is in seconds.

    Only editors see `stalled` (why processing of the newest file waits for the machine) and
    `replacement_failure` (why a file that should have replaced the playable one failed).
    `views` counts all views, `popularity` those of the last 30 days. Only a search sets `hits`.
    `poster_srcset` lists the sizes of the poster (WebP) as HTML's `srcset` does.
    """

    id: int
    slug: str
    title: str
    description: str
    genre: str
    language: str
    release_year: int | None
    age_rating: int
    author: str
    tags: list[str]
    categories: list[CategoryName]
    featured: bool
    audience: Audience
    publication: Publication
    published_at: datetime | None
    state: VideoState
    playable: bool
    progress: float
    failure: Failure | None
    stalled: Failure | None
    replacement_failure: Failure | None
    duration: float | None
    poster_url: str | None
    poster_srcset: str | None
    qualities: list[str]
    subtitles: list[SubtitleTrack]
    upvotes: int
    downvotes: int
    views: int
    popularity: int
    uploaded_by: int | None
    created_at: datetime
    updated_at: datetime
    hits: list[SubtitleHit]

    @classmethod
    def of(
        cls,
        video: models.Video,
        categories: list[dict[str, Any]] | None = None,
        subtitles: list[dict[str, Any]] | None = None,
        hits: list[SubtitleHit] | None = None,
        *,
        for_editors: bool = False,
    ) -> Self:
        return cls(
            id=video.id,
            slug=video.slug,
            title=video.title,
            description=video.description,
            genre=video.genre,
            language=video.language,
            release_year=video.release_year,
            age_rating=video.age_rating,
            author=video.author,
            tags=video.tags,
            categories=[CategoryName(**found) for found in categories or ()],
            featured=video.featured,
            audience=video.audience,
            publication=publication_of(video),
            published_at=video.published_at,
            state=video.state,
            playable=video.playable,
            progress=round(video.progress, 4),
            failure=_failure(video.failure_code, video.failure_reason),
            stalled=_failure(video.stalled_code, video.stalled_reason) if for_editors else None,
            replacement_failure=(
                _failure(video.replacement_code, video.replacement_reason) if for_editors else None
            ),
            duration=video.duration,
            poster_url=(poster := poster_url(video)),
            poster_srcset=srcset(poster, video.poster_widths) if poster else None,
            qualities=video.qualities,
            subtitles=[
                SubtitleTrack(
                    language, label, f"/api/v1/videos/{video.id}/subtitles/{language}.vtt"
                )
                for language, label in map(itemgetter("language", "label"), subtitles or ())
            ],
            upvotes=video.upvotes,
            downvotes=video.downvotes,
            views=video.views,
            popularity=video.popularity,
            uploaded_by=video.uploaded_by,
            created_at=video.created_at,
            updated_at=video.updated_at,
            hits=hits or [],
        )


class VideoPage(msgspec.Struct):
    """A page of videos.

    `total` is counted up to 1000; if there are more, `total_is_minimum` is true. With a cursor,
    `total` and `offset` are null. `next_cursor` is null on the last page. `corrected` is the
    spelling that was searched for when the original terms had no results.
    """

    items: list[VideoRead]
    total: int | None
    limit: int
    offset: int | None
    total_is_minimum: bool = False
    next_cursor: str | None = None
    corrected: str | None = None


class Suggestion(msgspec.Struct):
    """A video whose title matches the typed prefix."""

    id: int
    slug: str
    title: str


class CategoryCreate(msgspec.Struct, forbid_unknown_fields=True):
    """A new category; without a slug, it is derived from the name."""

    name: CategoryTitle
    slug: CategorySlug = ""
    position: Position | None = None


class CategoryUpdate(msgspec.Struct, forbid_unknown_fields=True):
    """Changes to a category; omitted fields stay unchanged."""

    name: CategoryTitle | UnsetType = UNSET
    slug: (
        Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]+(?!\n)$", max_length=100)] | UnsetType
    ) = UNSET
    position: Position | UnsetType = UNSET


class CategoryRead(msgspec.Struct):
    """A category of the catalogue."""

    id: int
    name: str
    slug: str
    position: int
    picture_url: str | None

    @classmethod
    def of(cls, category: models.Category) -> Self:
        picture = None
        if category.picture:
            version = category.picture.rpartition("/")[2]
            picture = f"/api/v1/categories/{category.id}/picture?v={version}"
        return cls(category.id, category.name, category.slug, category.position, picture)


class CategoryWithVideos(msgspec.Struct):
    """A category and its newest videos."""

    category: CategoryRead
    videos: list[VideoRead]


def publication_of(video: models.Video) -> Publication:
    if video.deleted_at is not None:
        return Publication.DELETED
    if video.published_at is None:
        return Publication.DRAFT
    is_due = video.published_at <= datetime.now(UTC)
    return Publication.PUBLISHED if is_due else Publication.SCHEDULED


def _failure(code: str | None, reason: str | None) -> Failure | None:
    return Failure(code, reason or "") if code else None


def poster_url(video: models.Video) -> str | None:
    return versioned_url(f"/api/v1/videos/{video.id}/poster.jpg", video.poster)


def versioned_url(path: str, key: str | None) -> str | None:
    """A path whose `v` changes with the storage key, so that clients can cache it."""
    return f"{path}?v={quote(key.rsplit('/', 2)[-2])}" if key else None
