"""Shapes of the media: files as editors see them, and tracks as the players' side reads them."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

import msgspec

from videoflix.catalog.schemas import Failure
from videoflix.media import segment_index
from videoflix.media.models import AssetState, TrackKind
from videoflix.media.storyboard import Layout, storyboard_vtt


class AssetRead(msgspec.Struct):
    """An uploaded file and the film it is for; `encoded` runs from 0 to 1.

    `failure` says why it failed, `stalled` why work on it waits (since `stalled_at`). The file
    itself is removed after `source_expires_at`, if that is set, and was at `source_removed_at`.
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


class KeysInUse(msgspec.Struct, frozen=True):
    """The folder of an asset, and which objects in it somebody may read."""

    folder: str
    used: set[str]


class StoredFile(msgspec.Struct, frozen=True):
    """An upload whose bytes are in the storage."""

    folder: str
    key: str
    name: str
    size: int
    sha256: str


class UploadForm(msgspec.Struct):
    """An upload: its text fields, and its file once stored."""

    fields: dict[str, str]
    file: StoredFile | None


class FileIndex(msgspec.Struct, frozen=True):
    """A finished file of a track; `segments` lists (ticks, offset, length)."""

    chunk_index: int
    key: str
    codec: str
    timescale: int
    init_length: int
    init_sha256: str
    segments: tuple[tuple[int, int, int], ...]


class StoredFileIndex(FileIndex, frozen=True):
    """A piece whose file was just stored, with the SHA-256 of the file."""

    sha256: str


class Track(msgspec.Struct, frozen=True):
    """A rendition with its pieces from the film's start up to the first one missing."""

    name: str
    kind: TrackKind
    width: int
    height: int
    max_bitrate: int
    pieces: tuple[FileIndex, ...]


class Timeline(msgspec.Struct, frozen=True):
    """Everything that can be played of an asset at the moment; final when `complete`.

    `frame_rate` counts pictures a second, `segment_seconds` is the longest segment.
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
    """A rendition as players' requests need it, compact: up to its first missing chunk.

    Part `n` is chunk `n`. `segments` holds the records of all parts (media.segment_index), and
    part `n` begins with the segment `firsts[n]`. `maps` lists the chunks whose initialisation
    section differs from the one before.
    """

    name: str
    kind: TrackKind
    width: int
    height: int
    max_bitrate: int
    codec: str
    segments: bytes
    firsts: tuple[int, ...]
    keys: tuple[str, ...]
    timescales: tuple[int, ...]
    init_lengths: tuple[int, ...]
    maps: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many segments there are."""
        return segment_index.count(self.segments)

    @property
    def lines(self) -> int:
        """720 of 720p: along the shorter side."""
        return min(self.width, self.height)

    def part_of(self, number: int) -> int:
        """Which part a segment lies in."""
        return bisect_right(self.firsts, number) - 1

    def extent(self, number: int) -> tuple[int, int]:
        """Offset and length of a segment in its part's file."""
        return segment_index.extent(self.segments, number)

    def runs(self) -> Iterator[tuple[int, int, Iterator[tuple[int, int]]]]:
        """Each part: its number, its timescale, and its segments' ticks and lengths."""
        for part, (first, end) in enumerate(pairwise((*self.firsts, self.count))):
            yield part, self.timescales[part], segment_index.run(self.segments, first, end)

    @property
    def bytes_held(self) -> int:
        """Memory this takes, roughly."""
        return 500 + len(self.segments) + sum(140 + len(key) for key in self.keys)


class Presentation(msgspec.Struct, frozen=True):
    """What of an asset can be played at the moment; final when `complete`.

    `frame_rate` counts pictures a second, `segment_seconds` is the longest segment's length.
    """

    asset_id: int
    video_id: int
    complete: bool
    frame_rate: float
    segment_seconds: float
    tracks: dict[str, SegmentedTrack]

    @property
    def bytes_held(self) -> int:
        """Memory this takes, roughly."""
        return 500 + sum(track.bytes_held for track in self.tracks.values())


class Mp4File(msgspec.Struct, frozen=True):
    """A rendition with its sound as one MP4 file."""

    name: str
    width: int
    height: int
    key: str
    size: int

    @property
    def lines(self) -> int:
        """Of a film that stands upright, the columns: it is not larger."""
        return min(self.width, self.height)


class DownloadFiles(msgspec.Struct, frozen=True):
    """What of a film can be fetched as plain files.

    `movies` begins with the largest, and is empty until all of them are there.
    """

    asset_id: int
    movies: tuple[Mp4File, ...]
    sprite_key: str | None
    storyboard: Layout | None

    def vtt(self, sprite: str) -> str | None:
        """Which small picture shows which seconds, as WebVTT; `sprite` is their address."""
        return storyboard_vtt(self.storyboard, sprite) if self.storyboard else None
