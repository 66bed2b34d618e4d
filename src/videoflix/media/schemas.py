"""Shapes of the media: job payloads, and tracks as the players' side reads them."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import ClassVar

import msgspec

from videoflix.catalog.schemas import Failure
from videoflix.media import segment_index
from videoflix.media.models import AssetState, TrackKind
from videoflix.media.storyboard import Layout, storyboard_vtt
from videoflix.platform.queue import Job

# What a viewer waits for comes first: knowing the film, its first seconds and its sound, its
# poster, what a player is about to reach. MP4 files of a complete film take seconds. The rest of
# all films is encoded in turn, from this priority downwards.
INSPECTION, FIRST_PICTURE, POSTER, WATCHED, PACKAGE, REST = 30, 20, 15, 14, 12, 10


# A chunk of a film whose index is damaged may have to be decoded from the film's beginning.
ENCODING_SECONDS = 6 * 3600.0


class AssetShown(msgspec.Struct):
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


class Inspect(Job):
    """Find out what was uploaded and plan its renditions, or refuse it."""

    name: ClassVar = "media.inspect"
    queue: ClassVar = "transcode"
    subject: ClassVar = "asset_id"
    priority: ClassVar = INSPECTION
    deadline: ClassVar = 3600.0
    asset_id: int

    @property
    def once(self) -> str:
        return f"{self.name}:{self.asset_id}"


class EncodeChunk(Job):
    """Encode one chunk into every rendition."""

    name: ClassVar = "media.encode_chunk"
    queue: ClassVar = "transcode"
    subject: ClassVar = "asset_id"
    deadline: ClassVar = ENCODING_SECONDS
    asset_id: int
    index: int

    @property
    def once(self) -> str:
        return f"{self.name}:{self.asset_id}:{self.index}"

    @property
    def urgency(self) -> int:
        return FIRST_PICTURE if self.index == 0 else REST

    @property
    def takes_turns(self) -> bool:
        return self.index > 0


class EncodeAudio(Job):
    """Encode the sound of the whole film."""

    name: ClassVar = "media.encode_audio"
    queue: ClassVar = "transcode"
    subject: ClassVar = "asset_id"
    priority: ClassVar = FIRST_PICTURE
    deadline: ClassVar = ENCODING_SECONDS
    asset_id: int

    @property
    def once(self) -> str:
        return f"{self.name}:{self.asset_id}"


class MakePoster(Job):
    """Choose a picture that stands for the film."""

    name: ClassVar = "media.make_poster"
    queue: ClassVar = "transcode"
    subject: ClassVar = "asset_id"
    priority: ClassVar = POSTER
    asset_id: int

    @property
    def once(self) -> str:
        return f"{self.name}:{self.asset_id}"


class PackageRendition(Job):
    """Put a rendition and the sound into one MP4 file."""

    name: ClassVar = "media.package"
    queue: ClassVar = "transcode"
    subject: ClassVar = "asset_id"
    priority: ClassVar = PACKAGE
    deadline: ClassVar = 2 * 3600.0
    asset_id: int
    rendition: str

    @property
    def once(self) -> str:
        return f"{self.name}:{self.asset_id}:{self.rendition}"


class MakeStoryboard(Job):
    """Lay small pictures of the whole film out on one sheet."""

    name: ClassVar = "media.make_storyboard"
    queue: ClassVar = "transcode"
    subject: ClassVar = "asset_id"
    priority: ClassVar = PACKAGE
    deadline: ClassVar = 2 * 3600.0
    asset_id: int

    @property
    def once(self) -> str:
        return f"{self.name}:{self.asset_id}"


class PackageMissing(Job):
    """Package the films that have no MP4 files: older ones, and those that failed."""

    name: ClassVar = "media.package_missing"
    queue: ClassVar = "maintenance"

    @property
    def once(self) -> str:
        return self.name


class Reconcile(Job):
    """Prove that every unfinished film has work queued, and queue what is missing."""

    name: ClassVar = "media.reconcile"

    @property
    def once(self) -> str:
        return self.name


class StallUnserved(Job):
    """Say in films that no worker encodes, unless one does by now."""

    name: ClassVar = "media.stall_unserved"

    @property
    def once(self) -> str:
        return self.name


class ExpireSources(Job):
    """Let go of the files of refused films that were kept for REJECTED_SOURCE_DAYS."""

    name: ClassVar = "media.expire_sources"
    queue: ClassVar = "maintenance"

    @property
    def once(self) -> str:
        return self.name


class DeleteSource(Job):
    """Remove the file of a refused film, and nothing else."""

    name: ClassVar = "media.delete_source"
    attempts: ClassVar = 10
    asset_id: int


class DeleteFolder(Job):
    """Remove the files of a film that is gone, or of a file that another one replaced."""

    name: ClassVar = "media.delete_folder"
    attempts: ClassVar = 10
    folder: str


class SweepAttempts(Job):
    """Remove what attempts that were killed left behind, some time after a film was complete."""

    name: ClassVar = "media.sweep_attempts"
    queue: ClassVar = "maintenance"
    asset_id: int


class SweepOrphans(Job):
    """Remove what killed processes left in the storage and no row knows of."""

    name: ClassVar = "media.sweep_orphans"
    queue: ClassVar = "maintenance"
    deadline: ClassVar = 3 * 3600.0

    @property
    def once(self) -> str:
        return self.name


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


class Form(msgspec.Struct):
    """An upload: its text fields, and its file once stored."""

    fields: dict[str, str]
    file: StoredFile | None


class Piece(msgspec.Struct, frozen=True):
    """A finished file of a track; `segments` lists (ticks, offset, length)."""

    chunk_index: int
    key: str
    codec: str
    timescale: int
    init_length: int
    init_sha256: str
    segments: tuple[tuple[int, int, int], ...]


class StoredPiece(Piece, frozen=True):
    """A piece whose file was just stored, with the SHA-256 of the file."""

    sha256: str


class Track(msgspec.Struct, frozen=True):
    """A rendition with its pieces from the film's start up to the first one missing."""

    name: str
    kind: TrackKind
    width: int
    height: int
    max_bitrate: int
    pieces: tuple[Piece, ...]


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


class MovieFile(msgspec.Struct, frozen=True):
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


class FilmFiles(msgspec.Struct, frozen=True):
    """What of a film can be fetched as plain files.

    `movies` begins with the largest, and is empty until all of them are there.
    """

    asset_id: int
    movies: tuple[MovieFile, ...]
    sprite_key: str | None
    storyboard: Layout | None

    def vtt(self, sprite: str) -> str | None:
        """Which small picture shows which seconds, as WebVTT; `sprite` is their address."""
        return storyboard_vtt(self.storyboard, sprite) if self.storyboard else None
