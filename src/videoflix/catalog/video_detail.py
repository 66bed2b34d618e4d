"""What the detail of a video has beyond the entry of a list."""

from typing import Annotated, Any, Self

import msgspec

from videoflix.catalog import models
from videoflix.catalog.schemas import ChapterRead, VideoRead, versioned_url

Second = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]


class Markers(msgspec.Struct, forbid_unknown_fields=True):
    """Where the intro starts and ends and the credits start, in seconds; null if unknown.

    Either both ends of the intro are known, and in order, or none.
    """

    intro_start: Second | None = None
    intro_end: Second | None = None
    credits_start: Second | None = None

    @property
    def are_in_order(self) -> bool:
        if self.intro_start is None or self.intro_end is None:
            return self.intro_start is None and self.intro_end is None
        return self.intro_start < self.intro_end


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
