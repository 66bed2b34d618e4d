"""Wire types of playback, and payloads of its jobs."""

from datetime import datetime
from typing import Annotated, ClassVar

import msgspec

from videoflix.memberships.schemas import MembershipRead
from videoflix.platform.http.params import BIGINT_MAX
from videoflix.platform.queue import Job, schedule


class PlaybackUrl(msgspec.Struct):
    """Signed URLs to play a video, valid without headers until `expires_at`.

    `master_url` is for HLS. `dash_url` is for DASH, and null until the video is complete.
    """

    master_url: str
    dash_url: str | None
    expires_at: datetime


class Mp4Link(msgspec.Struct):
    """An MP4 file of `size` bytes."""

    name: str
    width: int
    height: int
    size: int
    url: str


class DownloadLinks(msgspec.Struct):
    """Signed URLs, valid without headers until `expires_at`; `movies` starts with the largest.

    The storyboard is a WebVTT file whose cues reference thumbnails. Missing files are null.
    """

    movies: list[Mp4Link]
    poster_url: str | None
    storyboard_url: str | None
    expires_at: datetime


class StreamCreate(msgspec.Struct, forbid_unknown_fields=True):
    """The video to stream, and a name for the device, such as “Living room”."""

    video_id: Annotated[int, msgspec.Meta(ge=1, le=BIGINT_MAX)]
    device: Annotated[str, msgspec.Meta(max_length=100, pattern=r"^[^\x00\r\n]*(?!\n)$")] = ""


class StreamWanted(msgspec.Struct):
    """What an Idempotency-Key is bound to: the request and the profile (X-Profile)."""

    profile: str
    stream: StreamCreate


class StreamRead(msgspec.Struct):
    """A running stream; `video_id` is null for check-ins."""

    id: int
    video_id: int | None
    title: str
    device: str
    since: datetime
    seen_at: datetime


class StreamAdminRead(StreamRead):
    """A running stream with its user, for administrators."""

    user_id: int
    email: str


class StreamStarted(msgspec.Struct):
    """A lease: send a heartbeat every `heartbeat_seconds`, or it expires at `expires_at`.

    Fetching segments counts as a heartbeat.
    """

    id: int
    heartbeat_seconds: int
    expires_at: datetime
    playback: PlaybackUrl


class Heartbeat(msgspec.Struct):
    """When the lease expires without another heartbeat."""

    id: int
    expires_at: datetime


class OwnMembership(msgspec.Struct):
    """A user's membership and its streams in use; `streams` is null without a limit."""

    membership: MembershipRead | None
    streams: int | None
    streams_in_use: int


class CloseExpiredStreams(Job):
    """Close and charge leases that expired."""

    name: ClassVar = "playback.close_silent"
    queue: ClassVar = "maintenance"
    unique: ClassVar = True


schedule("*/5 * * * *", CloseExpiredStreams())
