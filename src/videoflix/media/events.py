"""Events about the tracks of a video."""

from typing import ClassVar, Literal

from videoflix.platform.events import EventData


class TrackReady(EventData):
    """An audio track is complete, or the subtitles of a file were extracted.

    `language` is a BCP 47 tag, empty if the file does not say.
    """

    type: ClassVar = "track.ready"
    object: ClassVar = "video"
    example: ClassVar = {"video_id": 12, "kind": "audio", "language": "de", "label": "Deutsch"}
    video_id: int
    kind: Literal["audio", "subtitles"]
    language: str
    label: str
