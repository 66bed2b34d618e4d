"""Shapes of playback over HTTP."""

from datetime import datetime
from typing import Annotated, ClassVar

import msgspec

from videoflix.memberships.schemas import MembershipRead
from videoflix.platform.http.params import BIGINT_MAX
from videoflix.platform.queue import Job, schedule


class PlaybackUrl(msgspec.Struct):
    """Where to play a film: an address that needs no header until `expires_at`."""

    master_url: str
    expires_at: datetime


class Mp4Link(msgspec.Struct):
    """A film as one MP4 file of `size` bytes."""

    name: str
    width: int
    height: int
    size: int
    url: str


class DownloadLinks(msgspec.Struct):
    """Addresses that need no header until `expires_at`; `movies` begins with the largest.

    The storyboard is a WebVTT file whose cues name small pictures. What is not made yet is missing.
    """

    movies: list[Mp4Link]
    poster_url: str | None
    storyboard_url: str | None
    expires_at: datetime


class StreamCreate(msgspec.Struct, forbid_unknown_fields=True):
    """Which film, on which device (“Living room”)."""

    video_id: Annotated[int, msgspec.Meta(ge=1, le=BIGINT_MAX)]
    device: Annotated[str, msgspec.Meta(max_length=100, pattern=r"^[^\x00\r\n]*(?!\n)$")] = ""


class StreamWanted(msgspec.Struct):
    """A request for a stream, as an Idempotency-Key remembers it: of one profile (X-Profile)."""

    profile: str
    stream: StreamCreate


class StreamRead(msgspec.Struct):
    """A running stream; without a film, another program counts it."""

    id: int
    video_id: int | None
    title: str
    device: str
    since: datetime
    seen_at: datetime


class StreamAdminRead(StreamRead):
    """A running stream, and whose it is."""

    user_id: int
    email: str


class StreamStarted(msgspec.Struct):
    """A lease: say every `heartbeat_seconds` that it is watched, or it is over at `expires_at`.

    Fetching segments says so too.
    """

    id: int
    heartbeat_seconds: int
    expires_at: datetime
    playback: PlaybackUrl


class Heartbeat(msgspec.Struct):
    """When the lease is over unless it is heard of again."""

    id: int
    expires_at: datetime


class OwnMembership(msgspec.Struct):
    """A person's membership, and how much of it is in use; `streams` is null without a limit."""

    membership: MembershipRead | None
    streams: int | None
    streams_in_use: int


class CloseExpiredStreams(Job):
    """Write down the end of streams that fell silent."""

    name: ClassVar = "playback.close_silent"
    queue: ClassVar = "maintenance"
    unique: ClassVar = True


schedule("*/5 * * * *", CloseExpiredStreams())
