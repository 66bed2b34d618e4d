"""Shapes of what profiles remember."""

import math
from datetime import datetime
from typing import Annotated, ClassVar, Literal

import msgspec

from videoflix.catalog.schemas import BigId, VideoRead
from videoflix.platform.http.params import Moment, ensure_plausible
from videoflix.platform.queue import Job, schedule

# Far beyond any film; the film's own length limits it anyway.
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]


class WatchlistItem(msgspec.Struct):
    """A film somebody means to watch."""

    video: VideoRead
    added_at: datetime


class WatchlistAdd(msgspec.Struct, forbid_unknown_fields=True):
    """Which film to add."""

    video_id: BigId


class WatchlistMove(msgspec.Struct, forbid_unknown_fields=True):
    """Where a film of the list goes: before another one, or with null to the end."""

    before: BigId | None = None


class Contained(msgspec.Struct):
    """Which of the films that were asked about are on the list."""

    ids: list[int]


class ProgressUpdate(msgspec.Struct, forbid_unknown_fields=True):
    """Where the player is, in seconds, at the player's own time; now if it does not say.

    `seconds` must be a finite number of at least 0; beyond the end counts as the end.
    """

    seconds: Seconds
    at: Moment | None = None

    def __post_init__(self) -> None:
        ensure_plausible(self.at)
        if not math.isfinite(self.seconds):
            raise ValueError("seconds is no number")


class Progress(msgspec.Struct):
    """Where a profile stopped watching; `finished` from 95 % on."""

    video_id: int
    seconds: float
    duration: float | None
    finished: bool
    updated_at: datetime | None


class HistoryItem(msgspec.Struct):
    """A film somebody began, and where they are."""

    video: VideoRead
    progress: Progress


class VoteCast(msgspec.Struct, forbid_unknown_fields=True):
    """What you think of it."""

    vote: Literal["up", "down"]


class VoteRead(msgspec.Struct):
    """Your vote, and everybody's."""

    vote: Literal["up", "down"] | None
    upvotes: int
    downvotes: int


class VoteAdminRead(msgspec.Struct):
    """A vote as administrators see it: whose profile thinks what of which film."""

    id: int
    video_id: int
    title: str
    user_id: int
    owner: str
    profile: str
    vote: Literal["up", "down"]
    at: datetime


class CountViews(Job):
    """Count the views of the last 30 days per film, and make room for the next month's."""

    name: ClassVar = "library.count_views"
    queue: ClassVar = "maintenance"
    unique: ClassVar = True


schedule("25 * * * *", CountViews())
