"""Events about videos."""

from typing import ClassVar, Self

from videoflix.catalog.models import Video
from videoflix.platform.events import EventData


class VideoCreated(EventData):
    """A video was added. It cannot be played yet."""

    type: ClassVar = "video.created"
    object: ClassVar = "video"
    example: ClassVar = {"video_id": 12, "title": "Triangles"}
    video_id: int
    title: str

    @classmethod
    def of(cls, video: Video) -> Self:
        return cls(video_id=video.id, title=video.title)


class VideoPlayable(VideoCreated):
    """The first segments of a video are encoded: it can be watched while the rest is encoded."""

    type: ClassVar = "video.playable"


class VideoReady(VideoCreated):
    """All renditions of a video's file are complete. Sent again when a new file replaces it."""

    type: ClassVar = "video.ready"


class VideoDeleted(VideoCreated):
    """A video was deleted. Within 30 days an editor may restore it, which sends no event."""

    type: ClassVar = "video.deleted"


class VideoFailed(EventData):
    """A video's file cannot be played; `code` is stable, `reason` a sentence for editors."""

    type: ClassVar = "video.failed"
    object: ClassVar = "video"
    example: ClassVar = {
        "video_id": 12,
        "title": "Triangles",
        "code": "no-video",
        "reason": "The file has no video track.",
    }
    video_id: int
    title: str
    code: str
    reason: str
