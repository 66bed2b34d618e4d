"""Cache of segment indexes and media playlists, bounded by bytes.

A complete asset never changes. An incomplete one is read again at most every REREAD_SECONDS,
with one query for all concurrent requests (single flight).
"""

import gzip
import hashlib
import time
from collections.abc import Iterable, Iterator

import msgspec

from videoflix.media.schemas import Presentation, SegmentedTrack
from videoflix.media.service import Presentations
from videoflix.platform.cache.single_flight import SingleFlight
from videoflix.platform.cache.ttl import LruCache, TtlCache
from videoflix.platform.http.delivery import is_delegated
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import NotFound
from videoflix.playback.hls import MediaSegment, bit_rates, media_playlist
from videoflix.settings import settings

REREAD_SECONDS = 1.0
ROUNDING_SECONDS = 0.001
# Size of the negative caches.
UNKNOWN_MAX = 10_000


class StreamNotFound(NotFound):
    """This rendition or segment doesn't exist, or is not encoded yet."""


class Slice(msgspec.Struct, frozen=True):
    """A byte range of an object in the storage."""

    key: str
    offset: int
    length: int


class Playlist(msgspec.Struct, frozen=True):
    """A media playlist as it is sent, plain and gzipped."""

    text: bytes
    gzipped: bytes
    etag: str

    @property
    def bytes_held(self) -> int:
        """Approximate size in memory, in bytes."""
        return 400 + len(self.text) + len(self.gzipped)


class Rates(msgspec.Struct, frozen=True):
    """Peak and mean bits per second of a track's available segments."""

    peak: int
    mean: int
    bytes_held: int = 200


class CachedPresentation(msgspec.Struct, frozen=True):
    """A presentation, and when it was read (monotonic)."""

    presentation: Presentation
    at: float

    @property
    def bytes_held(self) -> int:
        return self.presentation.bytes_held

    @property
    def may_be_stale(self) -> bool:
        is_old = time.monotonic() - self.at >= REREAD_SECONDS
        return is_old and not self.presentation.complete


class SegmentStore:
    """LRU cache of presentations, playlists and bit rates."""

    def __init__(self, bytes_max: int) -> None:
        self._kept: LruCache[tuple[object, ...], CachedPresentation | Playlist | Rates] = LruCache(
            "segment indexes", bytes_max, lambda value: value.bytes_held
        )
        self._reading = SingleFlight(self._read)
        self._listing = SingleFlight(self._list_assets)
        # Asset ids by video, and unplayable assets, for REREAD_SECONDS.
        self._assets: TtlCache[int, frozenset[int]]
        self._assets = TtlCache("assets of a video", UNKNOWN_MAX, REREAD_SECONDS)
        self._absent: TtlCache[tuple[int, int], bool]
        self._absent = TtlCache("unknown assets", UNKNOWN_MAX, REREAD_SECONDS)

    async def presentation(self, video_id: int, asset_id: int) -> Presentation:
        """What can be played of an asset, at most REREAD_SECONDS old. Raises StreamNotFound."""
        read = self._kept.get((video_id, asset_id))
        if isinstance(read, CachedPresentation) and not read.may_be_stale:
            return read.presentation
        if read is None and not await self._is_asset(video_id, asset_id):
            raise StreamNotFound
        found = await self._reading.get((video_id, asset_id))
        if found is None:
            raise StreamNotFound
        return found

    def playlist(
        self, presentation: Presentation, track: SegmentedTrack, prefix: str = "", query: str = ""
    ) -> Playlist:
        """Get a rendition's media playlist; `prefix` and `query` surround all URIs in it.

        Both should not depend on the viewer: each pair is a cache entry of its own.
        """
        ends = None if presentation.complete else presentation.common_duration
        version = (presentation.asset_id, track.name, track.count, ends, prefix, query)
        found = self._kept.get(version)
        if not isinstance(found, Playlist):
            found = _playlist(presentation, track, prefix, query)
            self._put(version, found)
        return found

    def key_frame_playlist(self, presentation: Presentation, track: SegmentedTrack) -> Playlist:
        """Get the I-frame playlist of a complete rendition."""
        version = ("key frames", presentation.asset_id, track.name, track.count)
        found = self._kept.get(version)
        if not isinstance(found, Playlist):
            found = _key_frame_playlist(presentation, track)
            self._put(version, found)
        return found

    def key_frame_rates(self, presentation: Presentation, track: SegmentedTrack) -> Rates:
        """The bit rates of the key frames alone."""
        version = ("key frame rates", presentation.asset_id, track.name, track.count)
        found = self._kept.get(version)
        if not isinstance(found, Rates):
            found = Rates(*bit_rates(list(_key_frames_of(track))))
            self._put(version, found)
        return found

    def rates(self, presentation: Presentation, track: SegmentedTrack) -> Rates:
        version = ("rates", presentation.asset_id, track.name, track.count)
        found = self._kept.get(version)
        if not isinstance(found, Rates):
            found = Rates(*bit_rates(list(segments_of(track))))
            self._put(version, found)
        return found

    def refresh(self, video_id: int, asset_id: int) -> None:
        """Invalidate an asset whose file is missing, unless it was read within REREAD_SECONDS."""
        read = self._kept.get((video_id, asset_id))
        if isinstance(read, CachedPresentation) and time.monotonic() - read.at >= REREAD_SECONDS:
            del self._kept[(video_id, asset_id)]

    def clear(self) -> None:
        self._kept.clear()
        self._assets.clear()
        self._absent.clear()

    async def _is_asset(self, video_id: int, asset_id: int) -> bool:
        """Whether a video has this asset; made-up ids cost one query per video and second."""
        if (video_id, asset_id) in self._absent:
            return False
        known = self._assets.get(video_id)
        if known is None:
            known = await self._listing.get(video_id)
        return asset_id in known

    async def _list_assets(self, video_id: int) -> frozenset[int]:
        async with transaction() as session:
            found = await Presentations(session).assets_of(video_id)
        self._assets[video_id] = found
        return found

    async def _read(self, key: tuple[int, int]) -> Presentation | None:
        at = time.monotonic()
        async with transaction() as session:
            found = await Presentations(session).for_asset(*key)
        if found is None:
            self._kept.pop(key, None)
            self._absent[key] = True
        else:
            self._put(key, CachedPresentation(found, at))
        return found

    def _put(self, key: tuple[object, ...], value: CachedPresentation | Playlist | Rates) -> None:
        if value.bytes_held <= self._kept.maxsize:
            self._kept[key] = value


store = SegmentStore(settings.playback_cache_bytes)


def segments_of(track: SegmentedTrack, prefix: str = "") -> Iterator[MediaSegment]:
    """Iterate over a track's segments, numbered from 0."""
    map_uri, number = "", 0
    for part, timescale, run in track.runs():
        if part in track.maps:
            map_uri = f"{prefix}init-{part}.mp4"
        for ticks, length in run:
            yield MediaSegment(f"{prefix}{number:05}.m4s", map_uri, ticks / timescale, length)
            number += 1


def _key_frames_of(track: SegmentedTrack) -> Iterator[MediaSegment]:
    """A track's segments up to the end of their key frames."""
    for segment, length in zip(segments_of(track), track.key_lengths, strict=True):
        yield msgspec.structs.replace(segment, length=length)


def byte_ranges_of(track: SegmentedTrack, prefix: str = "") -> Iterator[MediaSegment]:
    """Iterate over a track's segments as byte ranges of its parts, which any server can send.

    URIs have the number of the segment as well: FFmpeg 9.0 reads adjacent ranges of one URI in a
    single request, and stops after the first of them.
    """
    map_part, number = 0, 0
    for part, timescale, run in track.runs():
        if part in track.maps:
            map_part = part
        for ticks, length in run:
            yield MediaSegment(
                uri=f"{prefix}part-{part}-{number:05}.mp4",
                map_uri=f"{prefix}part-{map_part}.mp4",
                duration=ticks / timescale,
                length=length,
                offset=track.extent(number)[0],
                map_length=track.init_lengths[map_part],
            )
            number += 1


def until(segments: Iterable[MediaSegment], end: float) -> Iterator[MediaSegment]:
    """Iterate over the segments that begin before `end`, in seconds.

    While a video is encoded, all its playlists end together: players that begin near the end of
    each, as if it were live, would begin at different times.
    """
    begin = 0.0
    for segment in segments:
        if begin >= end - ROUNDING_SECONDS:
            return
        yield segment
        begin += float(segment.duration)


def segment_slice(track: SegmentedTrack, number: int) -> Slice | None:
    """Locate a segment by number; None if it does not exist (yet)."""
    if number >= track.count:
        return None
    return Slice(track.keys[track.part_of(number)], *track.extent(number))


def init_slice(track: SegmentedTrack, chunk_index: int) -> Slice | None:
    """Locate the initialisation section of a chunk; None if it does not exist (yet)."""
    if chunk_index >= len(track.keys):
        return None
    return Slice(track.keys[chunk_index], 0, track.init_lengths[chunk_index])


def part_slice(track: SegmentedTrack, chunk_index: int) -> Slice | None:
    """Locate the whole file of a chunk; None if it does not exist (yet)."""
    if chunk_index >= len(track.keys):
        return None
    ends = (*track.firsts[1:], track.count)
    offset, length = track.extent(ends[chunk_index] - 1)
    return Slice(track.keys[chunk_index], 0, offset + length)


def _playlist(
    presentation: Presentation, track: SegmentedTrack, prefix: str, query: str
) -> Playlist:
    listed = byte_ranges_of if is_delegated() else segments_of
    segments = list(listed(track, prefix))
    if not presentation.complete:
        segments = list(until(segments, presentation.common_duration))
    # Audio is cut at its own frames, so its longest segment may exceed the video's.
    longest = max([float(found.duration) for found in segments], default=0.0)
    target = max(presentation.segment_seconds, longest)
    is_complete = presentation.complete
    return compressed(media_playlist(segments, target=target, complete=is_complete, query=query))


def _key_frame_playlist(presentation: Presentation, track: SegmentedTrack) -> Playlist:
    segments = list(_key_frames_of(track))
    target = max(presentation.segment_seconds, *(float(found.duration) for found in segments))
    return compressed(media_playlist(segments, target=target, complete=True, i_frames_only=True))


def compressed(text: str) -> Playlist:
    """Prepare a text for responses with and without gzip."""
    plain = text.encode()
    digest = hashlib.sha256(plain).hexdigest()[:32]
    return Playlist(plain, gzip.compress(plain, 6, mtime=0), f'"{digest}"')
