"""Wire types of series."""

import base64
from datetime import datetime
from typing import Annotated, Self

import msgspec
from msgspec import UNSET, UnsetType

from videoflix.catalog.models import Audience, Series
from videoflix.catalog.schemas import BigId, Description, Title
from videoflix.catalog.service import EpisodePlace
from videoflix.platform.http.params import BIGINT_MAX

SeasonTitle = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\x00\r\n]*(?!\n)$")]
SeasonNumber = Annotated[int, msgspec.Meta(ge=0, le=1_000)]
EpisodeNumber = Annotated[int, msgspec.Meta(ge=0, le=10_000)]


class SeriesCreate(msgspec.Struct, forbid_unknown_fields=True):
    """A new series; with `publish` false it is a draft."""

    title: Title
    description: Description = ""
    audience: Audience = Audience.EVERYONE
    publish: bool = True


class SeriesUpdate(msgspec.Struct, forbid_unknown_fields=True):
    """Changes to a series; omitted fields stay unchanged."""

    title: Title | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    audience: Audience | UnsetType = UNSET
    publish: bool | UnsetType = UNSET


class SeasonUpdate(msgspec.Struct, forbid_unknown_fields=True):
    """The title of a season; empty for none."""

    title: SeasonTitle


class EpisodePut(msgspec.Struct, forbid_unknown_fields=True):
    """The place of a video: season 0 is for specials."""

    season: SeasonNumber
    number: EpisodeNumber


class SeasonOrder(msgspec.Struct, forbid_unknown_fields=True):
    """All videos of a season in their new order; they are numbered from 1."""

    video_ids: Annotated[list[BigId], msgspec.Meta(min_length=1, max_length=10_000)]


class EpisodeRead(msgspec.Struct):
    """An episode: `summary` is the beginning of its description, `seconds` where you stopped."""

    video_id: int
    number: int
    title: str
    summary: str
    duration: float | None
    poster_url: str | None
    playable: bool
    published_at: datetime | None
    seconds: float
    finished: bool


class SeasonRead(msgspec.Struct):
    """A season and the episodes that you can see, in order."""

    number: int
    title: str
    episodes: list[EpisodeRead]


class SeriesRead(msgspec.Struct):
    """A series; the poster is that of its first episode that you can see."""

    id: int
    title: str
    description: str
    audience: Audience
    published_at: datetime | None
    poster_url: str | None

    @classmethod
    def of(cls, series: Series, poster: str | None) -> Self:
        return cls(
            id=series.id,
            title=series.title,
            description=series.description,
            audience=series.audience,
            published_at=series.published_at,
            poster_url=poster,
        )


class SeriesDetail(SeriesRead):
    """A series with its seasons."""

    seasons: list[SeasonRead] = []


class SeriesPage(msgspec.Struct):
    """A page of series by title; `next_cursor` is null on the last page."""

    items: list[SeriesRead]
    next_cursor: str | None


class NextEpisode(msgspec.Struct):
    """The episode that follows, or null after the last one and for other videos."""

    video_id: int | None
    place: EpisodePlace | None


class SeriesCursor(msgspec.Struct, array_like=True):
    """Sort key and id of the last series of a page; the next page starts after it."""

    title_key: Annotated[str, msgspec.Meta(max_length=400, pattern=r"^[^\x00]*$")]
    id: Annotated[int, msgspec.Meta(ge=1, le=BIGINT_MAX)]

    def encode(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Self:
        """Raises ValueError (msgspec's errors are ValueErrors)."""
        raw = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
        return msgspec.json.decode(raw, type=cls)
