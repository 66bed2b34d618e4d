"""Wire types of the media, and the structs that playback reads."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Annotated

import msgspec

from videoflix.catalog.schemas import Failure
from videoflix.media import segment_index
from videoflix.media.models import AUDIO, AssetState, TrackKind
from videoflix.media.storyboard import Layout, storyboard_vtt


class AssetRead(msgspec.Struct):
    """An uploaded file and its video; `encoded` is 0 to 1.

    `failure` says why it failed, `stalled` why its processing waits, since `stalled_at`. A
    rejected file is deleted after `source_expires_at`; `source_removed_at` is when it was.
    """

    id: int
    video_id: int
    title: str
    state: AssetState
    source_name: str
    source_bytes: int
    source_sha256: str
    renditions: list[str]
    encoded: float
    failure: Failure | None
    stalled: Failure | None
    stalled_at: datetime | None
    source_expires_at: datetime | None
    source_removed_at: datetime | None
    created_at: datetime


class TrackProgress(msgspec.Struct):
    """A track of a file: `encoded` is 0 to 1, `playable_seconds` what players can fetch."""

    name: str
    kind: TrackKind
    width: int | None
    height: int | None
    language: str | None
    label: str | None
    channels: int | None
    encoded: float
    playable_seconds: float


class EncodingRead(msgspec.Struct):
    """The processing of a video's newest file; `encoded` is 0 to 1.

    `seconds_left` is an estimate from the speed of the last five minutes, null while it is unknown;
    `films_ahead` is how many films wait before this one. Both are null once processing has ended.
    """

    video_id: int
    asset_id: int
    state: AssetState
    encoded: float
    failure: Failure | None
    stalled: Failure | None
    seconds_left: float | None
    films_ahead: int | None
    tracks: list[TrackProgress]


class PosterCandidate(msgspec.Struct):
    """A frame that can be the poster: its time in seconds, and the URL of the picture (JPEG)."""

    number: int
    seconds: float
    url: str
    is_automatic: bool


class PosterChoice(msgspec.Struct, forbid_unknown_fields=True):
    """The number of a candidate."""

    number: Annotated[int, msgspec.Meta(ge=0, le=100)]


class KeysInUse(msgspec.Struct, frozen=True):
    """The folder of an asset, and the keys of its objects that are referenced."""

    folder: str
    used: set[str]


class StoredFile(msgspec.Struct, frozen=True):
    """An uploaded file in the storage; `size` is in bytes."""

    folder: str
    key: str
    name: str
    size: int
    sha256: str


def base_name(filename: str) -> str:
    """The file name without folders, at most 255 characters."""
    return PurePosixPath(filename.replace("\\", "/")).name.replace("\x00", "")[:255]


class UploadForm(msgspec.Struct):
    """An upload form: its text fields, and its stored file."""

    fields: dict[str, str]
    file: StoredFile | None


class FileIndex(msgspec.Struct, frozen=True):
    """A file of a rendition; `segments` lists (duration in ticks, offset, length in bytes)."""

    chunk_index: int
    key: str
    codec: str
    timescale: int
    init_length: int
    init_sha256: str
    segments: tuple[tuple[int, int, int], ...]


class StoredFileIndex(FileIndex, frozen=True):
    """A file that was just stored, with its SHA-256; see models.RenditionFile."""

    sha256: str
    start_ticks: int | None = None
    file_bytes: int | None = None
    key_frames: bytes | None = None


class Track(msgspec.Struct, frozen=True):
    """A rendition with its files, up to the first missing chunk."""

    name: str
    kind: TrackKind
    width: int
    height: int
    max_bitrate: int
    pieces: tuple[FileIndex, ...]


class Timeline(msgspec.Struct, frozen=True):
    """What can currently be played of an asset, with all files; final if `complete`.

    `frame_rate` is in frames per second, `segment_seconds` the nominal length of segments.
    """

    asset_id: int
    video_id: int
    complete: bool
    frame_rate: float
    segment_seconds: float
    tracks: tuple[Track, ...]

    def track(self, name: str) -> Track | None:
        return next((track for track in self.tracks if track.name == name), None)


class SegmentedTrack(msgspec.Struct, frozen=True):
    """A rendition in compact form for requests of players, up to its first missing chunk.

    Part `n` is chunk `n`. `segments` holds the records of all parts (media.segment_index); part
    `n` starts with segment `firsts[n]`. `maps` lists the chunks whose initialisation
    section differs from the one before. `duration` is in seconds. `key_frames` holds the length of
    the key frame of every segment; it is empty for audio and if one is unknown.
    """

    name: str
    kind: TrackKind
    width: int
    height: int
    max_bitrate: int
    codec: str
    duration: float
    segments: bytes
    firsts: tuple[int, ...]
    keys: tuple[str, ...]
    timescales: tuple[int, ...]
    init_lengths: tuple[int, ...]
    maps: tuple[int, ...]
    language: str = ""
    label: str = ""
    is_described: bool = False
    channels: int = 2
    source_index: int = 0
    key_frames: bytes = b""

    @property
    def count(self) -> int:
        """Number of segments."""
        return segment_index.count(self.segments)

    @property
    def is_additional(self) -> bool:
        """Whether it is audio that only some viewers choose."""
        return self.kind is TrackKind.AUDIO and self.name != AUDIO

    @property
    def lines(self) -> int:
        """Length of the shorter side in pixels: 720 for 720p."""
        return min(self.width, self.height)

    def part_of(self, number: int) -> int:
        """The part that contains a segment."""
        return bisect_right(self.firsts, number) - 1

    def map_of(self, number: int) -> int:
        """The chunk whose initialisation section applies to a segment."""
        return self.maps[bisect_right(self.maps, self.part_of(number)) - 1]

    def extent(self, number: int) -> tuple[int, int]:
        """Offset and length of a segment in its part's file."""
        return segment_index.extent(self.segments, number)

    def records(self) -> Iterator[tuple[int, int]]:
        """(ticks, bytes) of every segment."""
        return segment_index.run(self.segments, 0, self.count)

    @property
    def key_lengths(self) -> tuple[int, ...]:
        """The length of each segment's key frame in bytes; empty if one is unknown."""
        return segment_index.unpack_lengths(self.key_frames)

    def runs(self) -> Iterator[tuple[int, int, Iterator[tuple[int, int]]]]:
        """Iterate over the parts: number, timescale, and (ticks, bytes) of the segments."""
        for part, (first, end) in enumerate(pairwise((*self.firsts, self.count))):
            yield part, self.timescales[part], segment_index.run(self.segments, first, end)

    @property
    def bytes_held(self) -> int:
        """Approximate size in memory, in bytes."""
        packed = len(self.segments) + len(self.key_frames)
        return 500 + packed + sum(140 + len(key) for key in self.keys)


class Presentation(msgspec.Struct, frozen=True):
    """What can currently be played of an asset; final if `complete`.

    `frame_rate` is in frames per second, `segment_seconds` the nominal length of segments,
    `duration` that of the film, in seconds.
    """

    asset_id: int
    video_id: int
    complete: bool
    frame_rate: float
    segment_seconds: float
    duration: float
    tracks: dict[str, SegmentedTrack]

    @property
    def common_duration(self) -> float:
        """How many seconds every needed track has; they are encoded independently."""
        tracks = self.tracks.values()
        return min((track.duration for track in tracks if not track.is_additional), default=0.0)

    @property
    def bytes_held(self) -> int:
        """Approximate size in memory, in bytes."""
        return 500 + sum(track.bytes_held for track in self.tracks.values())


class Mp4File(msgspec.Struct, frozen=True):
    """A rendition with its audio as one MP4 file of `size` bytes."""

    name: str
    width: int
    height: int
    key: str
    size: int

    @property
    def lines(self) -> int:
        """Length of the shorter side in pixels, so that portrait videos count the same."""
        return min(self.width, self.height)


class DownloadFiles(msgspec.Struct, frozen=True):
    """The files of a video that can be downloaded.

    `movies` is ordered from the largest, and empty until all are packaged.
    """

    asset_id: int
    movies: tuple[Mp4File, ...]
    sprite_key: str | None
    storyboard: Layout | None

    def vtt(self, sprite: str) -> str | None:
        """The storyboard as WebVTT; `sprite` is the URL of the thumbnails."""
        return storyboard_vtt(self.storyboard, sprite) if self.storyboard else None
