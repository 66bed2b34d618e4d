"""Wire types of watchlist, history and votes, and payloads of jobs."""

import math
from datetime import datetime
from typing import Annotated, ClassVar, Literal

import msgspec

from videoflix.catalog.schemas import BigId, VideoRead
from videoflix.catalog.service import EpisodePlace
from videoflix.platform.http.params import Moment, ensure_plausible
from videoflix.platform.queue import Job, schedule

# Beyond any video; positions are clamped to the duration anyway.
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]


class WatchlistItem(msgspec.Struct):
    """A video on the watchlist."""

    video: VideoRead
    added_at: datetime


class WatchlistAdd(msgspec.Struct, forbid_unknown_fields=True):
    """The video to add."""

    video_id: BigId


class WatchlistMove(msgspec.Struct, forbid_unknown_fields=True):
    """The new place of a video: before another one, or with null at the end."""

    before: BigId | None = None


class Contained(msgspec.Struct):
    """Those of the requested videos that are on the watchlist."""

    ids: list[int]


class ProgressUpdate(msgspec.Struct, forbid_unknown_fields=True):
    """The playback position in seconds, at the client's time `at` (default: now).

    `seconds` is a finite number of at least 0, clamped to the duration.
    """

    seconds: Seconds
    at: Moment | None = None

    def __post_init__(self) -> None:
        ensure_plausible(self.at)
        if not math.isfinite(self.seconds):
            raise ValueError("seconds must be a finite number")


class Progress(msgspec.Struct):
    """A playback position in seconds; `finished` from 95% on."""

    video_id: int
    seconds: float
    duration: float | None
    finished: bool
    updated_at: datetime | None


class HistoryItem(msgspec.Struct):
    """A watched video and the playback position.

    Only lists of what to continue with set `episode`, the place in a series, and `is_next`: the
    video is the next episode, because the one before is finished.
    """

    video: VideoRead
    progress: Progress
    episode: EpisodePlace | None = None
    is_next: bool = False


class VoteCast(msgspec.Struct, forbid_unknown_fields=True):
    """The vote to cast."""

    vote: Literal["up", "down"]


class VoteRead(msgspec.Struct):
    """Your vote, and the number of all votes."""

    vote: Literal["up", "down"] | None
    upvotes: int
    downvotes: int


class VoteAdminRead(msgspec.Struct):
    """A vote as shown to administrators, with video and profile."""

    id: int
    video_id: int
    title: str
    user_id: int
    owner: str
    profile: str
    vote: Literal["up", "down"]
    at: datetime


class CountViews(Job):
    """Recount the popularity of videos, and create the next month's partition of views."""

    name: ClassVar = "library.count_views"
    queue: ClassVar = "maintenance"
    unique: ClassVar = True


schedule("25 * * * *", CountViews())
