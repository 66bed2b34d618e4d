"""What the detail of a video has beyond the entry of a list."""

import math
from typing import Annotated, Any, Self

import msgspec

from videoflix.catalog import models
from videoflix.catalog.schemas import ChapterRead, VideoRead, versioned_url

Second = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]


class Markers(msgspec.Struct, forbid_unknown_fields=True):
    """Where the intro starts and ends and the credits start, in seconds; null if unknown."""

    intro_start: Second | None = None
    intro_end: Second | None = None
    credits_start: Second | None = None

    def __post_init__(self) -> None:
        known = [at for at in (self.intro_start, self.intro_end, self.credits_start) if at]
        if not all(map(math.isfinite, known)):
            raise ValueError("markers must be finite numbers")
        if (self.intro_start is None) != (self.intro_end is None):
            raise ValueError("intro_start and intro_end belong together")
        if self.intro_end is not None and self.intro_end <= (self.intro_start or 0.0):
            raise ValueError("intro_end must be after intro_start")


class EpisodePlace(msgspec.Struct):
    """The place of a video in a series."""

    series_id: int
    series_title: str
    season: int
    number: int


class VideoDetail(VideoRead):
    """A video with its chapters, markers, animated preview (WebP), and place in a series."""

    chapters: list[ChapterRead] = msgspec.field(default_factory=list)
    preview_url: str | None = None
    markers: Markers = msgspec.field(default_factory=Markers)
    episode: EpisodePlace | None = None

    def completed(
        self,
        video: models.Video,
        chapters: list[dict[str, Any]] | None,
        place: dict[str, Any] | None,
    ) -> Self:
        """Fill in what only the detail of a video has."""
        self.chapters = [ChapterRead(**found) for found in chapters or ()]
        self.preview_url = versioned_url(f"/api/v1/videos/{video.id}/preview.webp", video.preview)
        self.markers = Markers(video.intro_start, video.intro_end, video.credits_start)
        self.episode = None if place is None else EpisodePlace(**place)
        return self
