"""Events about streams."""

from datetime import datetime
from typing import ClassVar, Self

from videoflix.billing.schemas import StreamUsage
from videoflix.platform.events import EventData
from videoflix.playback.models import StreamLease


class StreamStarted(EventData):
    """A user started to watch; `video_id` is null for the check-ins of an older front end."""

    type: ClassVar = "stream.started"
    object: ClassVar = "stream"
    example: ClassVar = {
        "stream_id": 30,
        "user_id": 7,
        "video_id": 12,
        "started_at": "2026-05-04T20:15:00Z",
    }
    stream_id: int
    user_id: int
    video_id: int | None
    started_at: datetime

    @classmethod
    def of(cls, lease: StreamLease) -> Self:
        return cls(
            stream_id=lease.id,
            user_id=lease.user_id,
            video_id=lease.video_id,
            started_at=lease.created_at,
        )


class StreamEnded(EventData):
    """A stream was stopped, or its player sent no heartbeat for too long."""

    type: ClassVar = "stream.ended"
    object: ClassVar = "stream"
    example: ClassVar = {
        "stream_id": 30,
        "user_id": 7,
        "started_at": "2026-05-04T20:15:00Z",
        "ended_at": "2026-05-04T22:01:30Z",
    }
    stream_id: int
    user_id: int
    started_at: datetime
    ended_at: datetime

    @classmethod
    def of(cls, watched: StreamUsage) -> Self:
        return cls(
            stream_id=watched.lease_id,
            user_id=watched.user_id,
            started_at=watched.begun_at,
            ended_at=watched.ended_at,
        )
