"""Shapes of the catalogue: what it says and accepts over HTTP."""

from datetime import datetime
from typing import Annotated, Self
from urllib.parse import quote

import msgspec

from videoflix.catalog import models
from videoflix.catalog.models import VideoState
from videoflix.platform.web import Page

Title = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Description = Annotated[str, msgspec.Meta(max_length=10_000, pattern=r"^[^\x00]*$")]


class VideoDraft(msgspec.Struct, forbid_unknown_fields=True):
    """What an editor says about a new film."""

    title: Title
    description: Description = ""


class Failure(msgspec.Struct):
    """Why a film cannot be watched: a stable code and a sentence."""

    code: str
    reason: str


class Video(msgspec.Struct):
    """A film; `progress` runs from 0 to 1, `duration` counts seconds."""

    id: int
    title: str
    description: str
    state: VideoState
    playable: bool
    progress: float
    failure: Failure | None
    duration: float | None
    poster_url: str | None
    qualities: list[str]
    created_at: datetime

    @classmethod
    def of(cls, video: models.Video) -> Self:
        failure = None
        if video.failure_code:
            failure = Failure(video.failure_code, video.failure_reason or "")
        return cls(
            id=video.id,
            title=video.title,
            description=video.description,
            state=video.state,
            playable=video.playable,
            progress=round(video.progress, 4),
            failure=failure,
            duration=video.duration,
            poster_url=poster_url(video),
            qualities=video.qualities,
            created_at=video.created_at,
        )


class VideoPage(Page[Video]):
    """A page of films."""


def poster_url(video: models.Video) -> str | None:
    """Path of the poster; `v` changes with the picture, so the answer may be cached."""
    if video.poster is None:
        return None
    version = quote(video.poster.rsplit("/", 2)[-2])
    return f"/api/v1/videos/{video.id}/poster.jpg?v={version}"
